import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dqn.statistics import metrics
from dqn.statistics.comparison import (
    difference_interval,
    least_p_value,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    probability_of_improvement_interval,
    profile_interval,
    rank_test,
)
from dqn.statistics.metrics import mean, median

SAMPLES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=12)


def test_improvement_by_hand():
    assert probability_of_improvement([1, 3], [2, 0]) == 0.75  # 1 > 0, 3 > 2, 3 > 0 of four pairs
    assert probability_of_improvement([1, 2], [2, 2]) == 0.25  # two ties of four pairs
    assert probability_of_improvement([5], [5]) == 0.5
    assert np.isnan(probability_of_improvement([], [1]))


def test_improvement_ranks_what_is_infinite_and_knows_nothing_of_what_is_unknown():
    assert probability_of_improvement([-np.inf, 4], [-np.inf, 2]) == 0.625  # ½ + 0 + 1 + 1 of four
    assert np.isnan(probability_of_improvement([1, np.nan], [0]))
    assert np.isnan(probability_of_improvement_interval([1, np.nan], [0, 2])).all()


@given(SAMPLES, SAMPLES)
def test_improvement_is_mann_whitneys_u_and_the_two_sides_make_one(x, y):
    u = scipy.stats.mannwhitneyu(x, y, method="asymptotic").statistic
    assert probability_of_improvement(x, y) == pytest.approx(u / (len(x) * len(y)))
    assert probability_of_improvement(x, y) + probability_of_improvement(y, x) == pytest.approx(1.0)


def test_mean_and_median_by_hand():
    assert mean([[1, 2, 6], [0, 0, 3]]).tolist() == [3.0, 1.0]
    assert median([[1, 2, 6], [0, 0, 3]]).tolist() == [2.0, 0.0]
    assert np.isnan([mean([]), median([])]).all()
    assert metrics.interval([4.0, 4.0], median) == (4.0, 4.0)


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
    low, high = probability_of_improvement_interval(x, y)
    assert 0.0 < low < probability_of_improvement(x, y) < high <= 1.0
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
    narrow, wide = (
        np.diff(probability_of_improvement_interval(x, y, paired))[0] for paired in (True, False)
    )
    assert narrow < wide / 2


def test_pairs_must_be_as_many():
    with pytest.raises(ValueError, match="of one length, are of 2 and 3"):
        probability_of_improvement_interval([1, 2], [1, 2, 3], paired=True)
    with pytest.raises(ValueError, match="of one length, are of 2 and 3"):
        difference_interval([1, 2], [1, 2, 3], paired=True)


def test_of_one_training_there_is_no_interval():
    assert np.isnan(probability_of_improvement_interval([1], [1, 2])).all()
    assert np.isnan(difference_interval([1, 2], [1])).all()


def test_equal_samples_and_lost_ones():
    low, high = probability_of_improvement_interval([3] * 10, [3] * 10)
    assert 0.3 < low < 0.5 < high < 0.7  # ten that tie do not say that all would
    assert low == pytest.approx(1 - high)
    assert difference_interval([3, 3, 3], [1, 1, 1]) == (2.0, 2.0)
    assert np.isnan(difference_interval([-np.inf] * 3, [-np.inf] * 3)).all()
    assert difference_interval([1.0] * 3, [-np.inf] * 3) == (np.inf, np.inf)


def by_hand(x, y, paired):
    """The interval from its definition, with the half trainings as entries of their own."""
    x, y = ([(v, 1.0) for v in sample] + [(np.inf, 0.25), (-np.inf, 0.25)] for sample in (x, y))
    theta = probability_of_improvement([v for v, _ in x[:-2]], [v for v, _ in y[:-2]])
    weight_x, weight_y = (sum(w for _, w in sample) for sample in (x, y))
    share_x = [sum(w * ((a > b) + (a == b) / 2) for b, w in y) / weight_y for a, _ in x]
    share_y = [sum(w * ((a > b) + (a == b) / 2) for a, w in x) / weight_x for b, _ in y]
    if paired:
        pairs = [(p + q, 1.0) for p, q in zip(share_x[:-2], share_y[:-2], strict=True)]
        pairs += [(p + q, 0.125) for p in share_x[-2:] for q in share_y[-2:]]
        groups = [pairs]
    else:
        groups = [
            [(share, w) for share, (_, w) in zip(shares, sample, strict=True)]
            for shares, sample in ((share_x, x), (share_y, y))
        ]
    variance = 0.0
    for entries in groups:
        total = sum(w for _, w in entries)
        middle = sum(v * w for v, w in entries) / total
        variance += sum(w * (v - middle) ** 2 for v, w in entries) / (total - 1) / total
    centre = sum(p * w for p, (_, w) in zip(share_x, x, strict=True)) / weight_x
    tosses = centre * (1 - centre) / variance
    return theta, tosses, scipy.stats.norm.ppf(0.975)


@pytest.mark.parametrize("paired", [False, True])
@given(st.data())
def test_improvement_interval_is_wilsons_of_as_many_coin_tosses(paired, data):
    x = data.draw(st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=9))
    size = len(x) if paired else None
    y = data.draw(st.lists(st.integers(-3, 3).map(float), min_size=size or 2, max_size=size or 9))
    theta, tosses, z = by_hand(x, y, paired)
    low, high = probability_of_improvement_interval(x, y, paired)
    assert 0.0 <= low + 1e-12 < high <= 1.0 + 1e-12
    for end in (low, high):  # what a score interval is: its ends are z standard errors away
        assert abs(end - theta) == pytest.approx(z * np.sqrt(end * (1 - end) / tosses), abs=1e-7)
    other = probability_of_improvement_interval(y, x, paired)
    assert (1 - other[1], 1 - other[0]) == pytest.approx((low, high))


def test_the_interval_of_samples_that_do_not_overlap_has_a_width_that_falls_with_their_number():
    few, more = (probability_of_improvement_interval(range(n), range(-n, 0)) for n in (5, 50))
    assert (few[1], more[1]) == pytest.approx((1.0, 1.0))
    assert few[0] < 0.7
    assert 0.9 < more[0] < 0.99
    assert probability_of_improvement_interval([np.inf] * 5, [-np.inf] * 5) == pytest.approx(few)


def test_rank_tests_are_scipys_and_named():
    x, y = [5.0, 7.0, 9.0, 12.0, 8.0], [4.0, 5.5, 9.5, 8.0, 6.0]
    unpaired, paired = rank_test(x, y), rank_test(x, y, paired=True)
    assert unpaired == ("Mann-Whitney U", scipy.stats.mannwhitneyu(x, y).pvalue)
    assert paired == ("Wilcoxon signed-rank", scipy.stats.wilcoxon(x, y).pvalue)
    assert paired[1] == 2 * 2 / 2**5  # only the smallest is negative: 1 of 32 signs; none: 1
    assert rank_test([1, 2, 3], [1, 2, 3], paired=True)[1] == 1.0
    assert rank_test([2, 2], [2, 2])[1] == 1.0


def test_rank_tests_rank_what_is_infinite_and_know_nothing_of_what_is_unknown():
    lost = [-np.inf, -np.inf, 1.0, 2.0, 3.0, 4.0]
    better = [-np.inf, 0.0, 2.0, 3.5, 5.0, 6.5]
    assert rank_test(better, lost, paired=True)[1] == 2 / 2**5  # all of five that differ
    assert 0.2 < rank_test(better, lost)[1] < 1.0
    assert np.isnan(rank_test([1, np.nan], [1, 2])[1])
    assert np.isnan(rank_test([], [1])[1])


def _ceiling(share):
    """Returns of a task that ends at 200, which this share of the seeds reaches."""

    def quantile(u):
        below = 120 + 30 * scipy.stats.norm.ppf(np.clip(u / (1 - share), 1e-9, 1 - 1e-9))
        return np.where(u > 1 - share, 200.0, np.minimum(below, 199.0))

    return quantile


def _truth(quantile_x, quantile_y):
    u = (np.arange(1000) + 0.5) / 1000
    return probability_of_improvement(quantile_x(u), quantile_y(u))


KINDS = {
    "alike": (lambda u: scipy.stats.norm.ppf(u), lambda u: scipy.stats.norm.ppf(u)),
    "apart": (lambda u: scipy.stats.norm.ppf(u) + 2.5, lambda u: scipy.stats.norm.ppf(u)),
    "skewed": (lambda u: 2.5 - np.log1p(-u), lambda u: -np.log1p(-u)),
    "ceiling": (_ceiling(0.8), _ceiling(0.3)),
    "almost all": (_ceiling(0.95), _ceiling(0.05)),
}


def _covered(kind, n, correlation, count):
    """How often an interval of `n` seeds held the truth; None is samples that are not paired."""
    rng, hits = np.random.default_rng(0), 0
    (quantile_x, quantile_y), paired = KINDS[kind], correlation is not None
    truth = _truth(quantile_x, quantile_y)
    for _ in range(count):
        a, b = rng.normal(size=(2, n))
        b = b if not paired else correlation * a + np.sqrt(1 - correlation**2) * b
        u, v = scipy.special.ndtr(a), scipy.special.ndtr(b)
        low, high = probability_of_improvement_interval(quantile_x(u), quantile_y(v), paired)
        hits += low <= truth <= high
    return hits / count


@pytest.mark.parametrize("correlation", [None, 0.5])
@pytest.mark.parametrize("n", [10, 50])
@pytest.mark.parametrize("kind", KINDS)
def test_improvement_intervals_cover_the_truth(kind, n, correlation):
    assert 0.91 <= _covered(kind, n, correlation, 300) <= 0.998


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [None, 0.0, 0.5])
@pytest.mark.parametrize("n", [10, 50])
@pytest.mark.parametrize("kind", KINDS)
def test_improvement_intervals_cover_the_truth_as_often_as_their_docstring_says(
    kind, n, correlation
):
    assert 0.94 <= _covered(kind, n, correlation, 4000) <= 0.99


@pytest.mark.parametrize(("n", "at_least"), [(10, 0.90), (50, 0.92)])
@pytest.mark.parametrize("paired", [False, True])
def test_difference_intervals_cover_the_truth_as_often_as_their_docstring_says(n, at_least, paired):
    rng, hits = np.random.default_rng(0), 0
    for _ in range(300):
        low, high = difference_interval(
            rng.normal(1, 1, n), rng.normal(0, 1, n), paired, resamples=401
        )
        hits += low <= 1 <= high
    assert at_least <= hits / 300 <= 0.99


@pytest.mark.parametrize(("n", "m", "paired"), [(5, 5, True), (3, 4, False), (1, 1, False)])
def test_the_least_p_value_is_that_of_samples_apart(n, m, paired):
    x, y = np.arange(n) + 100.0, np.arange(m) * 2.0
    assert least_p_value(n, m, paired) == pytest.approx(rank_test(x, y, paired)[1])
