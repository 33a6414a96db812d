import numpy as np
import pytest

from dqn.statistics.metrics import METRICS
from dqn.storage.trials import columns, trial_row, trial_rows

ROW = {
    "trial": 0, "lr": 0.1, "status": "done", **dict.fromkeys(METRICS, 50.0),
    "test_return": 200.0, "solved_at": 40, "collapse": 0.1,
}  # fmt: skip
LOST = {**ROW, "status": "diverged", "test_return": None, "solved_at": None}


def aggregate(*rows):
    return trial_row(rows, ["lr"])


def test_a_diverged_seed_counts_with_what_it_earned_and_its_missing_test_as_the_worst():
    row = aggregate(ROW, ROW, ROW, {**LOST, "mean_return": 10.0})
    assert (row["status"], row["seeds_done"]) == ("diverged", 3)
    assert row["mean_return"] == 50.0
    assert row["mean_return_low"] == 10.0  # 1 in 20 resamples has it three times
    assert row["test_return"] == 200.0
    assert row["test_return_low"] is None
    row = aggregate(ROW, ROW, LOST, LOST)
    assert row["test_return"] is None
    assert row["solved_at"] is None


def test_a_seed_that_diverged_before_its_first_episode_is_not_dropped():
    nothing = dict.fromkeys(("mean_return", "best_return", "final_return", "collapse"))
    row = aggregate(ROW, {**LOST, **nothing})
    assert row["mean_return"] is None
    assert row["collapse"] == pytest.approx(0.55)


def test_a_test_that_was_never_asked_for_is_left_out():
    pruned = {**ROW, "status": "pruned", "test_return": None}
    row = aggregate(ROW, pruned)
    assert (row["status"], row["seeds_done"], row["test_return"]) == ("pruned", 1, 200.0)
    untested = {**ROW, "test_return": None}
    assert aggregate(untested, untested)["test_return"] is None


def test_a_seed_that_never_solved_its_task_is_later_than_every_other():
    solved, never = {**ROW, "solved_at": 40}, {**ROW, "solved_at": None}
    assert aggregate(solved, solved, solved, never)["solved_at"] == 40.0
    assert aggregate(solved, never, never, never)["solved_at"] is None


def test_one_seed_has_no_interval():
    row = aggregate(ROW)
    assert (row["mean_return"], row["mean_return_low"], row["mean_return_high"]) == (50, None, None)


def one_by_one(values):
    """IQM and interval of one metric of one trial, as they are defined."""
    x = np.sort(np.asarray(values, float))
    cut = len(x) // 4
    middle = x[cut : len(x) - cut].mean() if len(x) else np.nan
    if len(x) < 2:
        return middle, np.nan, np.nan
    picks = np.random.default_rng(0).integers(0, len(x), (2001, len(x)))
    resamples = np.sort(x[np.sort(picks, -1)], -1)[:, cut : len(x) - cut].mean(-1)
    return middle, *np.quantile(resamples, [0.025, 1 - 0.025], method="inverted_cdf")


def test_many_trials_at_once_have_the_very_numbers_of_each_alone():
    rng = np.random.default_rng(0)
    trials = []
    for number in range(150):  # of one seed to twenty: more than a chunk of some
        rows = []
        for seed in range(rng.choice([1, 2, 3, 5, 10, 20])):
            row = {name: float(rng.normal(100, 30)) for name in METRICS}
            row["solved_at"] = int(rng.integers(10, 150)) if rng.random() < 0.6 else None
            row["status"] = rng.choice(["done", "done", "done", "diverged", "pruned", "failed"])
            if row["status"] != "done":
                row["test_return"] = None
            rows.append({**row, "trial": number, "seed": seed, "lr": 0.1})
        trials.append(rows)
    table = trial_rows(trials, ["lr"])
    assert table == [trial_row(rows, ["lr"]) for rows in trials]
    for row, rows in zip(table, trials, strict=True):
        assert tuple(row) == columns(["lr"])
        for metric, entry in METRICS.items():
            lost = ("diverged", "failed")
            values = [
                entry.lost if r[metric] is None else r[metric]
                for r in rows
                if r[metric] is not None or metric == "solved_at" or r["status"] in lost
            ]
            expected = [x if np.isfinite(x) else np.nan for x in map(float, one_by_one(values))]
            found = np.array([row[metric + end] for end in ("", "_low", "_high")], float)
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_failed_seed_counts_as_a_diverged_one_that_earned_nothing():
    nothing = {**LOST, **dict.fromkeys(METRICS)}
    diverged, failed = (
        aggregate(ROW, ROW, {**nothing, "status": s}) for s in ("diverged", "failed")
    )
    assert failed.pop("status") == "failed"
    assert diverged.pop("status") == "diverged"
    assert failed == diverged
    pruned = {**ROW, "status": "pruned"}
    assert aggregate(ROW, pruned, {**nothing, "status": "failed"})["status"] == "failed"
