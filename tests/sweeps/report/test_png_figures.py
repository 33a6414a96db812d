"""What a report's figures say, for paper and for the page, by what is drawn."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from reports import VALIDATION
from studies import record, sampled, write

from dqn.config import Config
from dqn.storage.reader import read
from sweeps.analysis.frames import of_regions, report_frames
from sweeps.analysis.hyperparameters import regions
from sweeps.report import plotly_figures, png_figures
from sweeps.report.data import report_data
from sweeps.report.figures import ReportFigures

BASE = Config(seeds=3, episodes=30)


@pytest.fixture
def drawn(monkeypatch):
    """The figures, in place of their files."""
    made = []
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, path, **_: (made.append(figure), path.touch())
    )
    return made


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("stills") / "a", sampled(24, BASE), record(), base=BASE)
    return report_frames(read(path), "mean_return")


def labels(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


@pytest.mark.parametrize(("aggregate", "name"), [("mean", "mean"), ("iqm", "IQM"), ("low", "IQM")])
def test_the_figure_of_a_validation_names_what_it_draws(
    tmp_path, drawn, monkeypatch, aggregate, name
):
    path = write(tmp_path / "a", sampled(3, BASE, ["lr"]), record(aggregate=aggregate), base=BASE)
    (path / "validation.csv").write_text(VALIDATION.format(best=0, second=1))
    monkeypatch.setattr("sweeps.report.figures._small", lambda path: b"")
    gallery = ReportFigures(report_data(read(path), "mean_return"), path / "figures")
    (path / "figures").mkdir()
    gallery._held_out()
    title = drawn[0].axes[0].get_title(loc="left")
    assert title == f"Claimed and held: mean return, {name} and 95 % interval"
    assert f"the {name} of the mean return over seeds" in gallery.drawn["validation"].caption


def test_bars_that_are_all_alike_have_no_legend(tmp_path, drawn):
    png_figures.bars(
        tmp_path / "a", pd.DataFrame({"hyperparameter": ["lr"], "effect": [3.0]}), "mean_return"
    )
    shares = pd.DataFrame({"hyperparameter": ["lr"], "share": [1.0], "chance": [0.2]})
    png_figures.bars(tmp_path / "b", shares, "mean_return")
    assert labels(drawn[0]) == []
    assert sorted(labels(drawn[1])) == ["chance (95 of 100 below)", "importance"]


def test_marks_at_the_same_share_do_not_hide_each_other(tmp_path, drawn):
    frame = pd.DataFrame({
        "hyperparameter": ["lr"] * 2,
        "region": ["1", "2"], "diverged": [0.0, 0.0], "collapsed": [0.0, 0.5],
        "trainings": [3, 3],
    })  # fmt: skip
    png_figures.failures(tmp_path / "a", frame)
    cross, ring = (line.get_ydata() for line in drawn[0].axes[0].lines)
    assert np.all(cross - ring > 0.2)
    cross, ring = (np.array(trace.y) for trace in plotly_figures.failures(frame).data)
    assert np.all(cross - ring > 0.2)


def test_the_labels_of_axes_stand_where_no_line_covers_them(tmp_path, drawn, tables):
    png_figures.axes(tmp_path / "a", tables)
    axes = drawn[0].axes[0]
    above = max(line.get_zorder() for line in axes.lines)
    heights = [text.get_position()[1] for text in axes.texts]
    assert len(heights) >= 8
    assert all(text.get_zorder() > above for text in axes.texts)
    assert not {0.0, 1.0} & set(heights)
    charted = plotly_figures.axes(tables).layout.annotations
    assert {a.yanchor for a in charted if a.y == 0.0} == {"top"}
    assert {a.yanchor for a in charted if a.y == 1.0} == {"bottom"}


def test_the_best_of_few_trials_are_few(tmp_path, drawn):
    path = write(tmp_path / "a", sampled(6, BASE), record(), base=BASE)
    few = report_frames(read(path), "mean_return")
    png_figures.axes(tmp_path / "png", few)
    assert labels(drawn[0]) == ["other trials", "the best"]
    assert [trace.name for trace in plotly_figures.axes(few).data] == ["other trials", "the best"]


@pytest.mark.parametrize(
    ("swept", "values"),
    [
        ("tag(log,range(1000,8001))", np.geomspace(1200, 7146, 24)),
        ("tag(log,range(1000,100001))", np.geomspace(1000, 99999, 24)),
        ("tag(log,range(80,100001))", np.geomspace(80, 99999, 24)),
    ],
)
def test_numbers_of_usual_size_are_whole_on_axes_and_in_legends(tmp_path, drawn, swept, values):
    configs = [dataclasses.replace(BASE, buffer_size=int(value)) for value in values]
    path = write(tmp_path / "a", configs, record({"buffer_size": swept}), base=BASE)
    made = report_frames(read(path), "mean_return")
    (hyperparameter,) = made.hyperparameters
    png_figures.influence(tmp_path / "png", made, hyperparameter, of_regions(made, hyperparameter))
    axes = drawn[0].axes[0]
    drawn[0].canvas.draw()
    low, high = axes.get_xlim()
    ticks = [t for t in axes.get_xticklabels() + axes.get_xticklabels(minor=True) if t.get_text()]
    message = [t.get_text() for t in ticks if low <= t.get_position()[0] <= high]
    assert len(message) >= 3
    assert all(text.isdecimal() for text in message)
    found = [
        region.label for region in regions(hyperparameter, made.trials[hyperparameter.column])[1]
    ]
    assert all(part.isdecimal() for label in found for part in label.split(" to "))
