"""Do lanes learn as the agent does? The mean return of many seeds of each, and a test of it.

The two share their mathematics but neither their loops nor their random numbers, so seeds cannot be
paired: what must agree is the distribution of `mean_return` over seeds.
"""

import functools

import numpy as np

from dqn.agents.keras.agent import DQNAgent
from dqn.agents.networks import create_model
from dqn.config import Config
from dqn.config.config import fields_of
from dqn.envs import gymnasium_env
from dqn.training.engine import Engine
from dqn.training.jobs import Job

ALPHA = 0.05
RESAMPLES = 1999
# The exercise with rewards scaled, cut off in mid-learning and sped up: of the settings tried, the
# one whose mean return varies least between seeds (by 15 %) for the steps that it takes (6,400).
CONFIG = Config(reward_scale=0.01, lr=2e-3, target_update=50, episodes=75, test_episodes=0)


def agent_returns(config: Config, seeds: int) -> np.ndarray:
    """The agent's mean return over `config.episodes` of training, [seeds]."""
    settings = {*fields_of("lane"), "batch_size"} - {"episodes", "steps"}

    def network(env, lr):
        return create_model(env, lr, config.hidden, config.activation)

    means = np.zeros(seeds)
    for i in range(seeds):
        env = gymnasium_env.make(config.env)
        chosen = {name: getattr(config, name) for name in settings}
        agent = DQNAgent(env, network, seed=config.first_seed + i, **chosen)
        means[i] = agent.train(config.episodes)[0].mean()
        env.close()
    return means


def lane_returns(config: Config, seeds: int) -> np.ndarray:
    """The same of lanes, [seeds]."""
    engine, means = Engine(), {}
    new = [Job(0, config.first_seed + i, config) for i in range(seeds)]
    while new or engine.busy:
        _, finished = engine.advance(new)
        means |= {result.job.seed: result.episodes.returns.mean() for result in finished}
        new = []
    return np.array([means[seed] for seed in sorted(means)])


def p_value(one: np.ndarray, other: np.ndarray) -> float:
    """That of a two-sided permutation test of equal means, on `RESAMPLES` random splits.

    The observed split counts as one of them (Phipson & Smyth 2010, Eq. 2): never 0.
    """
    values, observed = np.concatenate([one, other]), abs(one.mean() - other.mean())
    differences = np.abs(_splits(len(one), len(other)) @ values)
    # As large as observed, but for rounding.
    return float((1 + (differences >= observed * (1 - 1e-9)).sum()) / (1 + RESAMPLES))


def power(one: np.ndarray, other: np.ndarray, ratio: float = 1.15, rounds: int = 1000) -> float:
    """How often `p_value` would be below `ALPHA`, were the second mean `ratio` times the first.

    By simulation: both samples are drawn anew, with replacement, from all values observed, each
    over the mean of its sample; then the second one is multiplied by `ratio`.
    """
    generator = np.random.default_rng(1)
    pool = np.concatenate([one / one.mean(), other / other.mean()])
    found = 0
    for _ in range(rounds):
        first, second = (generator.choice(pool, len(sample)) for sample in (one, other))
        found += p_value(first, ratio * second) < ALPHA
    return found / rounds


@functools.cache
def _splits(n: int, m: int) -> np.ndarray:
    """Random splits of n + m values, [RESAMPLES, n + m]; a row times the values: the difference."""
    weights = np.concatenate([np.full(n, 1 / n), np.full(m, -1 / m)])
    rows = np.tile(weights, (RESAMPLES, 1))
    return np.random.default_rng(0).permuted(rows, axis=1)
