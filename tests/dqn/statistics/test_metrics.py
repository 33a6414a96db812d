from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dqn.statistics.metrics import METRICS, interval, iqm, mean, metrics_of, running_mean

ROOT = Path(__file__).parents[3]
RETURNS = st.lists(st.integers(-500, 500).map(float), min_size=1, max_size=40)


def test_running_mean_is_that_of_the_last_entries_once_its_window_is_full():
    np.testing.assert_array_equal(running_mean([1, 2, 3, 6, 0], 3), [np.nan, np.nan, 2, 11 / 3, 3])
    np.testing.assert_array_equal(running_mean([1, 2], 3), [np.nan, np.nan])


def test_running_mean_leaves_out_what_is_unknown():
    nan = np.nan
    np.testing.assert_array_equal(running_mean([nan, nan, 4, nan, 6], 2), [nan, nan, 4, 4, 6])


def of(returns, threshold=None, test_returns=()):
    """Metrics of a training whose episodes are of one length."""
    return metrics_of(returns, np.full(len(returns), 5), threshold, test_returns)


def test_metrics_of_a_training_that_rises_and_falls():
    returns = [0.0] * 10 + [20.0] * 10 + [5.0] * 10
    found = of(returns, threshold=10.0, test_returns=[7.0, 9.0])
    assert tuple(found) == tuple(METRICS)
    expected = {
        "mean_return": 25 / 3,
        "best_return": 20.0,
        "final_return": 5.0,
        "test_return": 8.0,
        "solved_at": 15,  # five episodes of 20 and five of 0 make the first mean of 10
        "collapse": 0.75,
    }
    assert {name: found[name] for name in expected} == expected


def test_auc_is_the_mean_return_of_a_step():
    assert metrics_of([10.0, 40.0], [1, 2])["auc"] == 30.0
    returns = np.array([[3.0, 3.0, 9.0], [1.0, 1.0, 1.0]])
    assert [of(row)["auc"] for row in returns] == [of(row)["mean_return"] for row in returns]
    steps = np.repeat(returns[0], [4, 1, 5])  # what each of ten steps belongs to
    assert metrics_of(returns[0], [4, 1, 5])["auc"] == pytest.approx(steps.mean())


def test_a_training_is_solved_by_ten_episodes_and_not_by_a_lucky_first():
    assert of([200.0] * 9, threshold=195.0)["solved_at"] is None
    assert of([200.0] * 10, threshold=195.0)["solved_at"] == 10
    assert of([200.0] + [0.0] * 30, threshold=195.0)["solved_at"] is None


def test_no_threshold_is_never_reached():
    assert of([200.0] * 20)["solved_at"] is None


def test_fewer_than_ten_episodes_are_one_window():
    found = of([1.0, 2.0, 6.0], threshold=0.0)
    assert [found[name] for name in ("mean_return", "best_return", "final_return")] == [3.0] * 3
    assert found["collapse"] == 0.0


def test_a_training_without_an_episode_has_no_metrics_but_its_test():
    assert set(of([], threshold=0.0).values()) == {None}
    found = of([], threshold=0.0, test_returns=[1.0])
    assert {name for name, value in found.items() if value is not None} == {"test_return"}


@given(RETURNS, st.integers(-1000, 1000), st.sampled_from([0.5, 2.0, 8.0]))
def test_collapse_does_not_depend_on_where_returns_start_nor_on_their_unit(returns, shift, scale):
    collapse = of(returns)["collapse"]
    assert 0.0 <= collapse <= 1.0 + 1e-12
    moved = of([scale * r + shift for r in returns])["collapse"]
    assert moved == pytest.approx(collapse, abs=1e-9)


@given(RETURNS, st.floats(-500, 500))
def test_solved_at_is_the_first_window_that_reaches_the_threshold(returns, threshold):
    means = [
        (sum(returns[end - 10 : end]) / 10, end) for end in range(10, len(returns) + 1)
    ]  # by hand
    expected = next((end for mean, end in means if mean >= threshold), None)
    assert of(returns, threshold)["solved_at"] == expected


def test_what_is_lost_is_worse_than_everything_that_is_earned():
    for name, metric in METRICS.items():
        assert name == metric.name
        assert (metric.lost > 0) == metric.lower_is_better


def test_the_choices_of_a_study_are_those_of_the_table():
    text = (ROOT / "conf" / "hydra" / "sweeper" / "optuna.yaml").read_text()
    line = next(line for line in text.splitlines() if "objective:" in line)
    choices = [name for name, metric in METRICS.items() if metric.is_objective]
    assert line.partition("# ")[2] == " | ".join(choices)


def test_the_guide_says_what_each_metric_is():
    lines = (ROOT / "docs" / "guide.md").read_text().splitlines()
    names = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert [name for name in names if name in METRICS] == list(METRICS)


def test_iqm_by_hand():
    assert iqm([9.0, 1.0, 2.0, 100.0]) == 5.5  # one of four cut at either end
    assert iqm([1.0, 2.0, 9.0]) == 4.0  # a quarter of three is none
    assert iqm([4.0]) == 4.0
    assert np.isnan(iqm([]))
    assert np.isnan(iqm([1, 2, 3, 4, 5, 6, 7, np.nan]))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_iqm_is_scipys_trimmed_mean(values):
    assert iqm(values) == pytest.approx(scipy.stats.trim_mean(values, 0.25), abs=1e-6)


def test_iqm_counts_an_infinite_value_by_its_rank():
    assert iqm([1.0, 2.0, 4.0, np.inf]) == 3.0
    assert iqm([1.0, 2.0, np.inf, np.inf]) == np.inf


def test_interval_is_scipys_percentile_bootstrap():
    x = np.sort(np.random.default_rng(7).normal(118, 12, 11))
    theirs = scipy.stats.bootstrap(
        (x,),
        lambda x, axis: scipy.stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=2001,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert interval(x) == pytest.approx((theirs.low, theirs.high), rel=1e-12)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12), st.randoms())
def test_interval_holds_between_the_extremes_whatever_the_order(values, random):
    low, high = interval(values, resamples=201)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    shuffled = random.sample(values, len(values))
    assert interval(shuffled, resamples=201) == (low, high)


def test_interval_of_equal_values_is_that_value():
    assert interval([200.0] * 5) == (200.0, 200.0)


def test_one_value_has_no_interval():
    assert np.isnan(interval([200.0])).all()
    assert np.isnan(interval([])).all()


def test_an_unknown_value_makes_the_interval_unknown():
    assert np.isnan(interval([1.0, 2.0, 3.0, np.nan])).all()


def test_an_end_of_the_interval_is_infinite_where_many_values_are():
    low, high = interval([10.0, 20.0, 30.0, np.inf])
    assert np.isfinite(low)
    assert high == np.inf


def test_interval_works_on_the_last_axis():
    x = np.random.default_rng(0).normal(size=(3, 6))
    low, high = interval(x, resamples=501)
    assert [interval(row, resamples=501) for row in x] == list(zip(low, high, strict=True))


@pytest.mark.parametrize(
    ("statistic", "n", "at_least"),
    [(iqm, 10, 0.90), (iqm, 50, 0.93), (mean, 10, 0.86), (mean, 50, 0.91)],
)
def test_interval_covers_the_truth_as_often_as_its_docstring_says(statistic, n, at_least):
    rng = np.random.default_rng(0)
    low, high = interval(rng.normal(118, 12, (400, n)), statistic, resamples=401)
    assert at_least <= np.mean((low <= 118) & (high >= 118)) <= 0.98
