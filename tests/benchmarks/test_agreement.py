"""The agent and the lanes on CartPole-v0: 30 seeds each have the same distribution of mean return.

A permutation test at the 5 % level. With the spread observed between seeds (a standard deviation
of 15 % of the mean) its power to see a difference of 15 % is 0.95, by simulation; the test computes
it again from its own samples and fails where it is below 0.9.
"""

import numpy as np
import pytest
from scipy import stats

from benchmarks import agreement
from benchmarks.agreement import ALPHA, p_value, power

SEEDS = 30


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_agent_and_lanes_have_the_same_mean_returns_and_15_percent_would_be_seen():
    agent = agreement.agent_returns(agreement.CONFIG, SEEDS)
    lanes = agreement.lane_returns(agreement.CONFIG, SEEDS)
    assert len(agent) == len(lanes) == SEEDS
    assert p_value(agent, lanes) > ALPHA, (agent.mean(), lanes.mean())
    assert power(agent, lanes) > 0.9


@pytest.fixture
def normal():
    """30 values of mean 100 and standard deviation 15, exactly."""
    values = np.random.default_rng(0).normal(size=SEEDS)
    return 100 + 15 * (values - values.mean()) / values.std(ddof=1)


@pytest.mark.parametrize("shift", [1.0, 5.0, 8.0, 12.0])
def test_the_p_value_is_that_of_a_t_test_where_values_are_normal(normal, shift):
    expected = stats.ttest_ind(normal, normal[::-1] + shift).pvalue
    assert p_value(normal, normal[::-1] + shift) == pytest.approx(expected, rel=0.15, abs=0.005)


def test_a_difference_in_spread_alone_is_none(normal):
    assert p_value(normal, normal[::-1]) > 0.95
    assert p_value(normal, 100 + 2 * (normal - 100)) > 0.95


def test_the_power_is_the_level_without_a_difference_and_grows_with_it(normal):
    assert power(normal, normal, ratio=1.0) == pytest.approx(ALPHA, abs=0.02)
    # Of a two-sample z-test, with spreads of 0.15 and 0.15 · 1.15: Φ(0.15 / 0.0417 - 1.96) = 0.95.
    assert power(normal, normal) == pytest.approx(0.95, abs=0.02)
    assert power(3 * normal, 7 * normal) == pytest.approx(power(normal, normal), abs=1e-3)
