"""The sentences of a report, and what stands in its tables, by hand."""

import dataclasses

import pytest
from studies import record, sampled, write
from trainings import filled, result

from dqn.config import Config
from dqn.statistics.formatting import Estimate
from dqn.statistics.metrics import METRICS
from dqn.storage.reader import read
from sweeps.analysis.frames import leading, report_frames
from sweeps.report.data import report_data
from sweeps.report.headline import _luck, progress, summarise
from sweeps.report.sections import sections
from sweeps.search.progress import expected

BASE = Config(seeds=3, episodes=30)


@pytest.mark.parametrize(
    ("metric", "optimism", "text"),
    [
        ("test_return", (9.8, 5.0, 30.0), "9.8 [5.0, 30.0] of that was luck"),
        ("test_return", (9.8, None, None), "9.8 of that was luck"),
        ("test_return", (-8.0, -18.5, -0.1), "on new seeds it did better by 8.0 [0.1, 18.5]"),
        (
            "test_return", (-8.0, -18.5, 0.03),
            "on new seeds it did better by 8.0 [0.0, 18.5], which may be chance: the interval "
            "includes 0",
        ),
        (
            "test_return", (3.9, -26.4, 30.5),
            "on new seeds it did worse by 3.9 [-26.4, 30.5], which may be chance: the interval "
            "includes 0",
        ),
        ("solved_at", (-20.0, -30.0, -10.0), "on new seeds it did worse by 20.0 [10.0, 30.0]"),
        ("solved_at", (20.0, 10.0, 30.0), "on new seeds it did better by 20.0 [10.0, 30.0]"),
    ],
)  # fmt: skip
def test_what_was_luck_is_said_only_where_it_can_be_told(metric, optimism, text):
    assert _luck(Estimate.of(*optimism), METRICS[metric]) == text


def lowered(path, text, *, whole=12, begun=2, n_trials=50):
    """A study of `whole` trials, and some that were begun, whose last command said `said`."""
    configs = sampled(whole + begun, BASE, ["lr"])
    write(path, configs, record(n_trials=n_trials), base=BASE)
    lines = (path / "seeds.csv").read_text().splitlines(keepends=True)
    kept = [
        line
        for line in lines
        if not line.startswith(tuple(f"{whole + n},2," for n in range(begun)))
    ]
    (path / "seeds.csv").write_text("".join(kept))
    if text is not None:
        (path / ".hydra").mkdir()
        (path / ".hydra" / "hydra.yaml").write_text(text)
    return report_frames(read(path), "mean_return")


SAID = "hydra:\n  sweeper:\n    n_trials: {}\n"


def test_a_study_whose_last_command_asked_for_fewer_trials_is_done(tmp_path):
    tables = lowered(tmp_path / "a", SAID.format(10))
    assert progress(tables) == (10, 10)
    text = summarise(report_data(tables.results, "mean_return"))
    assert text.progress == ""
    assert "is best: " in text.headline


def test_trials_beyond_those_asked_for_do_not_stand_for_one_that_is_missing(tmp_path):
    tables = lowered(tmp_path / "a", SAID.format(13))
    assert progress(tables) == (12, 13)
    text = summarise(report_data(tables.results, "mean_return"))
    assert text.progress.startswith("12 of 13 trials: the others are not done yet")
    assert "is best so far: " in text.headline


@pytest.mark.parametrize(
    "text", [None, "", "[", "hydra: 3", SAID.format("many"), SAID.format(-1), SAID.format("true")]
)
def test_where_the_last_command_is_not_on_record_the_most_that_was_asked_for_counts(tmp_path, text):
    tables = lowered(tmp_path / "a", text)
    assert (expected(tables.results), progress(tables)) == (50, (12, 50))


def of_study(path, aggregate, *trials):
    sweep = {"kind": "study", "objective": "mean_return", "aggregate": aggregate, "n_trials": 2}
    config = dataclasses.replace(BASE, seeds=len(trials[0]))
    made = [
        result(
            trial, seed, returns=[level] * 12, config=dataclasses.replace(config, lr=10.0**-trial)
        )
        for trial, levels in enumerate(trials)
        for seed, level in enumerate(levels)
    ]
    filled(path, *made, config=config, sweep=sweep, swept=("lr",))
    return report_data(read(path), "mean_return")


def leaders(data):
    (table,) = sections(data)[0].parts
    return table


def test_the_leaderboard_shows_the_number_that_it_is_sorted_by(tmp_path):
    lucky, steady = (10.0, 10.0, 10.0, 10.0, 100.0), (20.0,) * 5
    by_mean = leaders(of_study(tmp_path / "mean", "mean", lucky, steady))
    assert list(by_mean.columns[1:5]) == [
        "trial",
        "mean return, mean",
        "mean return, IQM",
        "95 % interval",
    ]
    assert [row[1:4] for row in by_mean.rows] == [["0", "28.0", "10.0"], ["1", "20.0", "20.0"]]
    assert "best first by the mean of mean return. Every other number is the IQM" in by_mean.caption
    by_iqm = leaders(of_study(tmp_path / "iqm", "iqm", lucky, steady))
    assert list(by_iqm.columns[1:4]) == ["trial", "mean return", "95 % interval"]
    assert [row[1:3] for row in by_iqm.rows] == [["1", "20.0"], ["0", "10.0"]]
    by_low = leaders(of_study(tmp_path / "low", "low", lucky, steady))
    assert by_low.columns[2] == "mean return, lower end"


def test_one_trial_is_one(tmp_path):
    assert leaders(of_study(tmp_path / "a", "iqm", (20.0, 20.0))).caption.startswith(
        "1 trial, best"
    )


@pytest.mark.parametrize(("trials", "good"), [(1, 1), (3, 1), (6, 1), (12, 3), (20, 5), (100, 10)])
def test_at_most_a_quarter_of_the_trials_is_called_good(tmp_path, trials, good):
    tables = report_frames(
        read(write(tmp_path / "a", sampled(trials, BASE, ["lr"]), record(), base=BASE, seeds=1)),
        "mean_return",
    )
    assert leading(tables) == good
