"""Learning curves of a candidate: by hand, over episodes and steps, and with seeds that ended."""

import dataclasses

import numpy as np
import pytest
from trainings import CONFIG, filled, result

from dqn.storage.reader import read
from sweeps.analysis.candidates import Candidate
from sweeps.analysis.learning_curves import KEPT, LEFT_OUT, LOWEST, POINTS, curve, over_steps


def candidate(path, *results, config=CONFIG):
    filled(path, *results, config=config)
    return Candidate("a", read(path), 0)


def flat(seed, level, episodes, **changes):
    """A training of equal returns: so is its running mean, from the tenth on."""
    return result(0, seed, returns=[level] * episodes, **changes)


def test_a_curve_is_the_iqm_of_running_means_from_the_tenth_episode_on(tmp_path):
    rising = result(0, 0, returns=np.arange(1.0, 13.0))  # mean of 1 to 10: 5.5
    one, rules = curve(candidate(tmp_path / "a", rising, flat(1, 20.0, 12)), steps=False)
    assert one["place"].tolist() == list(range(1, 13))
    assert one["value"][:9].isna().all()
    assert one["value"][9:].tolist() == [(m + 20) / 2 for m in (5.5, 6.5, 7.5)]
    assert (one["low"][9], one["high"][9]) == (5.5, 20.0)
    assert rules == []


def test_over_steps_a_curve_has_what_was_known_by_each_step(tmp_path):
    short = candidate(tmp_path / "a", flat(0, 2.0, 12))  # episodes end at steps 2, 4, ..., 24
    one, _ = curve(short, steps=True)
    assert one["place"].tolist() == list(range(1, 25))
    assert one["value"][:19].isna().all()
    assert one["value"][19:].tolist() == [2.0] * 5
    long, _ = curve(candidate(tmp_path / "b", flat(0, 200.0, 12)), steps=True)
    assert (len(long), long["place"].iloc[-1]) == (POINTS, 2400)
    assert long["value"].notna().idxmax() == (long["place"] >= 2000).idxmax()


def test_a_diverged_seed_counts_as_the_lowest_from_its_end_on(tmp_path):
    seeds = [flat(seed, 10.0 + seed, 20) for seed in range(4)]
    one, rules = curve(
        candidate(tmp_path / "a", *seeds, flat(4, 99.0, 15, status="diverged")), steps=False
    )
    assert one["value"][14] == 12.0  # of 10 11 12 13 99 the middle three
    assert one["value"][15] == 11.0  # of -∞ 10 11 12 13
    assert one["low"][15] == -np.inf
    assert rules == [LOWEST]
    others = [flat(seed, 99.0, 15, status="diverged") for seed in (2, 3)]
    one, _ = curve(candidate(tmp_path / "b", *seeds[:2], *others), steps=False)
    assert np.isfinite(one["value"][14])
    assert one["value"][15] == -np.inf  # half of the seeds: the curve has an end


def test_a_pruned_seed_is_left_out_and_one_that_was_done_keeps_its_last_mean(tmp_path):
    seeds = [flat(0, 10.0, 20), flat(1, 30.0, 20)]
    some = candidate(tmp_path / "a", *seeds, flat(2, 80.0, 15, status="pruned"))
    one, rules = curve(some, steps=False)
    assert (one["value"][14], one["value"][15]) == (40.0, 20.0)
    assert rules == [LEFT_OUT]
    one, rules = curve(candidate(tmp_path / "b", *seeds, flat(2, 80.0, 15)), steps=False)
    assert (one["value"][14], one["value"][19]) == (40.0, 40.0)
    assert rules == [KEPT]


def test_a_seed_that_diverged_before_its_tenth_episode_counts_from_its_end_on(tmp_path):
    seeds = [flat(seed, 10.0, 20) for seed in range(4)]
    early = flat(4, 99.0, 3, status="diverged")
    one, _ = curve(candidate(tmp_path / "a", *seeds, early), steps=False)
    assert one["value"][9] == 10.0
    none, _ = curve(candidate(tmp_path / "b", flat(0, 1.0, 0, status="diverged")), steps=True)
    assert none.empty


@pytest.mark.parametrize(
    ("episodes", "steps", "expected"), [(150, 0, False), (0, 5000, True), (150, 5000, False)]
)
def test_steps_are_the_axis_where_they_alone_bound_the_budget(tmp_path, episodes, steps, expected):
    config = dataclasses.replace(CONFIG, episodes=episodes, steps=steps)
    one = candidate(tmp_path / "a", result(config=config), config=config)
    assert over_steps([one]) is expected
