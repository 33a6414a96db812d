import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dqn.results import stats
from dqn.results.comparison import (
    difference_interval,
    improvement,
    improvement_interval,
    mean,
    median,
    optimality_gap,
    performance_profile,
    profile_interval,
)

SAMPLES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=12)


def test_improvement_by_hand():
    assert improvement([1, 3], [2, 0]) == 0.75  # 1 > 0, 3 > 2, 3 > 0 of four pairs
    assert improvement([1, 2], [2, 2]) == 0.25  # two ties of four pairs
    assert improvement([5], [5]) == 0.5
    assert np.isnan(improvement([], [1]))


def test_improvement_ranks_what_is_infinite_and_knows_nothing_of_what_is_unknown():
    assert improvement([-np.inf, 4], [-np.inf, 2]) == 0.625  # ½ + 0 + 1 + 1 of four
    assert np.isnan(improvement([1, np.nan], [0]))
    assert np.isnan(improvement_interval([1, np.nan], [0, 2])).all()


@given(SAMPLES, SAMPLES)
def test_improvement_is_mann_whitneys_u_and_the_two_sides_make_one(x, y):
    u = scipy.stats.mannwhitneyu(x, y, method="asymptotic").statistic
    assert improvement(x, y) == pytest.approx(u / (len(x) * len(y)))
    assert improvement(x, y) + improvement(y, x) == pytest.approx(1.0)


def test_mean_and_median_by_hand():
    assert mean([[1, 2, 6], [0, 0, 3]]).tolist() == [3.0, 1.0]
    assert median([[1, 2, 6], [0, 0, 3]]).tolist() == [2.0, 0.0]
    assert np.isnan([mean([]), median([])]).all()
    assert stats.interval([4.0, 4.0], median) == (4.0, 4.0)


def test_optimality_gap_counts_what_is_above_the_mark_as_the_mark():
    assert optimality_gap([150, 195, 500], 195) == 15.0
    assert optimality_gap([200, 300], 195) == 0.0


def test_performance_profile_is_the_share_above_each_mark():
    assert performance_profile([1, 2, 2, 4], [0, 1, 2, 4]).tolist() == [1.0, 0.75, 0.25, 0.0]
    low, high = profile_interval([1, 2, 2, 4], [0, 2, 4])
    assert (low[0], high[0]) == (1.0, 1.0)
    assert low[1] < 0.25 < high[1]
    assert (low[2], high[2]) == (0.0, 0.0)


def test_intervals_hold_what_they_are_about():
    rng = np.random.default_rng(0)
    x, y = rng.normal(130, 20, 12), rng.normal(110, 20, 9)
    low, high = improvement_interval(x, y)
    assert 0.0 < low < improvement(x, y) < high <= 1.0
    low, high = difference_interval(x, y, statistic=mean)
    assert low < x.mean() - y.mean() < high
    theirs = scipy.stats.bootstrap(
        (x, y), lambda x, y, axis: x.mean(axis) - y.mean(axis), method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1.5)


def test_pairing_takes_out_what_the_pairs_share():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 10, 20)
    x, y = shared + rng.normal(1, 0.1, 20), shared + rng.normal(0, 0.1, 20)
    low, high = difference_interval(x, y, paired=True, statistic=mean)
    assert 0.8 < low < high < 1.2
    low, high = difference_interval(x, y, statistic=mean)
    assert low < 0 < high
    narrow, wide = (np.diff(improvement_interval(x, y, paired))[0] for paired in (True, False))
    assert narrow < wide / 2


def test_pairs_must_be_as_many():
    with pytest.raises(ValueError, match="of one length, are of 2 and 3"):
        improvement_interval([1, 2], [1, 2, 3], paired=True)
    with pytest.raises(ValueError, match="of one length, are of 2 and 3"):
        difference_interval([1, 2], [1, 2, 3], paired=True)


def test_of_one_training_there_is_no_interval():
    assert np.isnan(improvement_interval([1], [1, 2])).all()
    assert np.isnan(difference_interval([1, 2], [1])).all()


def test_equal_samples_and_lost_ones():
    assert improvement_interval([3, 3], [3, 3]) == (0.5, 0.5)
    assert difference_interval([3, 3, 3], [1, 1, 1]) == (2.0, 2.0)
    assert np.isnan(difference_interval([-np.inf] * 3, [-np.inf] * 3)).all()
    assert difference_interval([1.0] * 3, [-np.inf] * 3) == (np.inf, np.inf)


@pytest.mark.parametrize(("n", "at_least"), [(10, 0.88), (50, 0.92)])
@pytest.mark.parametrize("paired", [False, True])
def test_intervals_cover_the_truth_as_often_as_their_docstrings_say(n, at_least, paired):
    rng = np.random.default_rng(0)
    hits = np.zeros(2)
    for _ in range(300):
        x, y = rng.normal(1, 1, n), rng.normal(0, 1, n)
        low, high = improvement_interval(x, y, paired, resamples=401)
        hits[0] += low <= scipy.stats.norm.cdf(1 / np.sqrt(2)) <= high
        low, high = difference_interval(x, y, paired, resamples=401)
        hits[1] += low <= 1 <= high
    assert (hits / 300 >= at_least).all()
    assert (hits / 300 <= 0.99).all()
