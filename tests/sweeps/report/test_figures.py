"""What a report's figures say, for paper and for the page, by what is drawn."""

import dataclasses

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from matplotlib.figure import Figure
from reports import VALIDATION
from studies import record, sampled, write

from dqn.config import Config
from dqn.plotting.plot import Axis, Line, Plot
from dqn.plotting.png import write_png
from dqn.storage.reader import read
from sweeps.analysis.hyperparameters import regions
from sweeps.report.data import report_data
from sweeps.report.figures import failures, validation
from sweeps.report.hyperparameter_figures import axes, importance, influence
from sweeps.report.plotly_json import to_plotly
from sweeps.report.sections import sections

BASE = Config(seeds=3, episodes=30)


@pytest.fixture
def drawn(monkeypatch):
    """The figures, in place of their files."""
    made = []
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, path, **_: (made.append(figure), path.touch())
    )
    return made


@pytest.fixture
def png(tmp_path, drawn):
    """The Matplotlib figure of one of a report."""

    def draw(figure):
        write_png(tmp_path / "a.png", figure.plot)
        return drawn[-1]

    return draw


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("figures") / "a"
    return report_data(read(write(path, sampled(24, BASE), record(), base=BASE)), "mean_return")


def labels(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def page(figure):
    """What Plotly makes of it, which refuses what it does not know."""
    return go.Figure(to_plotly(figure.plot))


def test_plotly_takes_every_figure(tmp_path):
    path = write(
        tmp_path / "a", sampled(60, BASE), record(), base=BASE,
        status=lambda trial, seed: {3: "pruned", 5: "diverged"}.get(trial % 9, "done"),
    )  # fmt: skip
    (path / "validation.csv").write_text(VALIDATION.format(best=1, second=2))
    made = sections(report_data(read(path), "mean_return"))
    figures = [figure for section in made for figure in section.figures]
    assert len(figures) == 15
    assert all(page(figure).data for figure in figures)
    assert len({figure.path for figure in figures}) == 15


@pytest.mark.parametrize(("aggregate", "name"), [("mean", "mean"), ("iqm", "IQM"), ("low", "IQM")])
def test_the_figure_of_a_validation_names_what_it_draws(tmp_path, png, aggregate, name):
    path = write(tmp_path / "a", sampled(3, BASE, ["lr"]), record(aggregate=aggregate), base=BASE)
    (path / "validation.csv").write_text(VALIDATION.format(best=0, second=1))
    figure = validation(report_data(read(path), "mean_return"))
    title = png(figure).axes[0].get_title(loc="left")
    assert title == (f"Search score and score on new seeds: mean return, {name} and 95 % interval")
    assert f"the {name} of the mean return over seeds" in figure.caption


def test_limits_of_an_axis_are_numbers_on_a_logarithmic_one_too(tmp_path, drawn):
    x, y = Axis(log=True, limits=(0.001, 100.0)), Axis(limits=(-1.0, 2.0))
    plot = Plot("", x, y, [Line([0.01, 1.0], [0.0, 1.0])])
    layout = go.Figure(to_plotly(plot)).layout
    assert (layout.xaxis.range, layout.yaxis.range) == ((-3.0, 2.0), (-1.0, 2.0))
    write_png(tmp_path / "a.png", plot)
    axes = drawn[-1].axes[0]
    assert (axes.get_xlim(), axes.get_ylim()) == ((0.001, 100.0), (-1.0, 2.0))


def test_bars_that_are_all_alike_have_no_legend(data, png):
    effects = pd.DataFrame({"hyperparameter": ["lr"], "effect": [3.0]})
    shares = pd.DataFrame({"hyperparameter": ["lr"], "share": [1.0], "chance": [0.2]})
    few = dataclasses.replace(data, importance=None, effects=effects)
    assert labels(png(importance(few))) == []
    many = dataclasses.replace(data, importance=shares)
    assert sorted(labels(png(importance(many)))) == ["chance (95 of 100 below)", "importance"]


def test_marks_at_the_same_share_do_not_hide_each_other(data, png):
    frame = pd.DataFrame({
        "hyperparameter": ["lr"] * 2,
        "region": ["1", "2"], "diverged": [0.0, 0.0], "collapsed": [0.0, 0.5],
        "trainings": [3, 3],
    })  # fmt: skip
    figure = failures(dataclasses.replace(data, by_hyperparameter={"lr": frame}))
    cross, ring = (line.get_ydata() for line in png(figure).axes[0].lines)
    assert np.all(cross - ring > 0.2)
    cross, ring = (np.array(trace.y) for trace in page(figure).data)
    assert np.all(cross - ring > 0.2)


def test_the_labels_of_axes_stand_where_no_line_covers_them(data, png):
    figure = axes(data)
    drawn = png(figure).axes[0]
    above = max(line.get_zorder() for line in drawn.lines)
    heights = [text.get_position()[1] for text in drawn.texts]
    assert len(heights) >= 8
    assert all(text.get_zorder() > above for text in drawn.texts)
    assert not {0.0, 1.0} & set(heights)
    charted = page(figure).layout.annotations
    assert {a.yanchor for a in charted if a.y < 0.0} == {"top"}
    assert {a.yanchor for a in charted if a.y > 1.0} == {"bottom"}


def test_the_best_of_few_trials_are_few(tmp_path, png):
    path = write(tmp_path / "a", sampled(6, BASE), record(), base=BASE)
    figure = axes(report_data(read(path), "mean_return"))
    assert labels(png(figure)) == ["other trials", "the best"]
    traces = [trace.name for trace in page(figure).data if trace.showlegend]
    assert traces == ["other trials", "the best"]


@pytest.mark.parametrize(
    ("swept", "values"),
    [
        ("tag(log,range(1000,8001))", np.geomspace(1200, 7146, 24)),
        ("tag(log,range(1000,100001))", np.geomspace(1000, 99999, 24)),
        ("tag(log,range(80,100001))", np.geomspace(80, 99999, 24)),
    ],
)
def test_numbers_of_usual_size_are_whole_on_axes_and_in_legends(tmp_path, png, swept, values):
    configs = [dataclasses.replace(BASE, buffer_size=int(value)) for value in values]
    path = write(tmp_path / "a", configs, record({"buffer_size": swept}), base=BASE)
    made = report_data(read(path), "mean_return")
    (hyperparameter,) = made.hyperparameters
    figure = png(influence(made, hyperparameter))
    drawn = figure.axes[0]
    figure.canvas.draw()
    low, high = drawn.get_xlim()
    ticks = [t for t in drawn.get_xticklabels() + drawn.get_xticklabels(minor=True) if t.get_text()]
    message = [t.get_text() for t in ticks if low <= t.get_position()[0] <= high]
    assert len(message) >= 3
    assert all(text.isdecimal() for text in message)
    column = made.tables.trials[hyperparameter.column]
    found = [region.label for region in regions(hyperparameter, column)[1]]
    assert all(part.isdecimal() for label in found for part in label.split(" to "))
