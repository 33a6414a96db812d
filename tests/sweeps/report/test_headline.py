"""The sentences of a report, and what stands in its tables, by hand."""

import dataclasses

import pytest
from reports import VALIDATION, Reader
from studies import record, sampled, write
from trainings import CONFIG, filled, result

from dqn.config import Config
from dqn.plotting.plot import Band, Line
from dqn.statistics.formatting import Estimate
from dqn.statistics.metrics import METRICS
from dqn.storage.reader import read
from sweeps.analysis.frames import leading, report_frames
from sweeps.report.data import report_data
from sweeps.report.figures import best_curves
from sweeps.report.headline import _luck, progress, summarise
from sweeps.report.page import Table, Task, page
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


def table(data, name):
    return next(
        part
        for section in sections(data)
        for part in section.parts
        if isinstance(part, Table) and part.name == name
    )


@pytest.mark.parametrize("name", ["leaders", "trials"])
def test_the_leaderboard_shows_the_number_that_it_is_sorted_by(tmp_path, name):
    lucky, steady = (10.0, 10.0, 10.0, 10.0, 100.0), (20.0,) * 5
    by_mean = table(of_study(tmp_path / "mean", "mean", lucky, steady), name)
    assert list(by_mean.columns[1:5]) == [
        "trial",
        "mean return, mean",
        "mean return, IQM",
        "95 % interval",
    ]
    assert [row[1:4] for row in by_mean.rows] == [["0", "28.0", "10.0"], ["1", "20.0", "20.0"]]
    assert "by the mean of mean return" in by_mean.caption
    assert ("Every other number is the IQM" in by_mean.caption) == (name == "trials")
    by_iqm = table(of_study(tmp_path / "iqm", "iqm", lucky, steady), name)
    assert list(by_iqm.columns[1:4]) == ["trial", "mean return", "95 % interval"]
    assert [row[1:3] for row in by_iqm.rows] == [["1", "20.0"], ["0", "10.0"]]
    by_low = table(of_study(tmp_path / "low", "low", lucky, steady), name)
    assert by_low.columns[2] == "mean return, lower end"


def test_one_trial_is_one(tmp_path):
    data = of_study(tmp_path / "a", "iqm", (20.0, 20.0))
    assert table(data, "trials").caption.startswith("1 trial, best")
    assert table(data, "trials").folded == "The trial, by every metric"
    assert table(data, "leaders").caption == "1 trial by the IQM of mean return."


def text_of(data):
    return Reader(page("", [Task("", summarise(data), sections(data))])).text


def test_the_short_leaderboard_has_five_of_many_and_all_of_few(tmp_path):
    few = of_study(tmp_path / "few", "iqm", *[(float(n),) * 2 for n in range(8)])
    assert len(table(few, "leaders").rows) == len(table(few, "trials").rows) == 8
    many = of_study(tmp_path / "many", "iqm", *[(float(n),) * 2 for n in range(9)])
    assert [row[1] for row in table(many, "leaders").rows] == ["8", "7", "6", "5", "4"]
    assert len(table(many, "trials").rows) == 9
    assert "The best 5 of 9 trials by the IQM of mean return." in text_of(many)


def test_the_short_leaderboard_has_what_is_recommended_wherever_it_ranks(tmp_path):
    data = of_study(tmp_path / "a", "iqm", *[(float(n),) * 2 for n in range(9)])
    (tmp_path / "a" / "validation.csv").write_text(VALIDATION.format(best=8, second=1))
    made = table(report_data(data.tables.results, "mean_return"), "leaders")
    assert [row[:2] for row in made.rows[4:]] == [["5", "4"], ["8", "1"]]
    assert made.caption.endswith("last, the one that is recommended after validation.")


def test_status_and_seeds_of_each_trial_are_in_view(tmp_path):
    made = [
        result(trial, seed, returns=returns, status=status, config=CONFIG)
        for trial, (status, seeds) in enumerate([("done", 3), ("diverged", 3), ("done", 2)])
        for seed in range(seeds)
        for returns in [[20.0 - trial] * (12 if status == "done" else 1)]
    ]
    filled(tmp_path / "a", *made, config=CONFIG, sweep=record(n_trials=4))
    data = report_data(read(tmp_path / "a"), "mean_return")
    rows = table(data, "leaders").rows
    assert [row[1] for row in rows] == ["0", "1", "2"]
    assert [row[4:6] for row in rows] == [["3", "done"], ["3", "diverged"], ["2 of 3", "done"]]
    text = text_of(data)
    assert "3 trials: 2 done, 1 diverged. 8 trainings: 5 done, 3 diverged." in text
    assert "how it ended: done diverged 0 ×3 1 ×3 2 ×2/3" in text


def test_what_answers_comes_before_all_else(tmp_path):
    data = of_study(tmp_path / "a", "iqm", *[(float(n),) * 2 for n in range(9)])
    made = sections(data)
    assert [section.name for section in made if section.answers] == [
        "leaderboard",
        "best",
        "matter",
    ]
    assert [section.answers for section in made] == sorted(
        (section.answers for section in made), reverse=True
    )


def test_the_curves_are_those_of_the_best_three_and_of_what_is_recommended(tmp_path):
    path = tmp_path / "a"
    data = of_study(path, "iqm", *[(float(n),) * 3 for n in range(5)])
    figure = best_curves(data)
    assert figure.title == "Returns of the best three"
    named = [mark.name for mark in figure.plot.marks if isinstance(mark, Line)]
    assert named == ["trial 4", "trial 3", "trial 2"]
    line = next(mark for mark in figure.plot.marks if isinstance(mark, Line))
    band = next(mark for mark in figure.plot.marks if isinstance(mark, Band))
    assert set(line.y) == set(band.low) == set(band.high) == {4.0}
    (path / "validation.csv").write_text(VALIDATION.format(best=4, second=1))
    figure = best_curves(report_data(read(path), "mean_return"))
    named = [mark.name for mark in figure.plot.marks if isinstance(mark, Line)]
    assert named == ["trial 1", "trial 4", "trial 3"]
    assert "Trial 1 is recommended after validation." in figure.caption
    two = best_curves(of_study(tmp_path / "two", "iqm", (1.0,) * 3, (2.0,) * 3))
    assert two.title == "Returns of the best two"
    one = best_curves(of_study(tmp_path / "one", "iqm", (1.0,) * 3))
    assert one.title == "Returns of the best trial"


@pytest.mark.parametrize(("trials", "good"), [(1, 1), (3, 1), (6, 1), (12, 3), (20, 5), (100, 10)])
def test_at_most_a_quarter_of_the_trials_is_called_good(tmp_path, trials, good):
    tables = report_frames(
        read(write(tmp_path / "a", sampled(trials, BASE, ["lr"]), record(), base=BASE, seeds=1)),
        "mean_return",
    )
    assert leading(tables) == good
