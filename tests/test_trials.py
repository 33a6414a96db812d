import pytest

from dqn.results.trials import trial_row

ROW = {
    "trial": 0, "lr": 0.1, "status": "done", "mean_return": 50.0, "best_return": 90.0,
    "final_return": 80.0, "test_return": 200.0, "solved_at": 40, "collapse": 0.1,
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
