"""Lanes over environments stepped in Python: the same trainings as over compiled ones."""

from dataclasses import replace
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
import reference
from gymnasium.spaces import Box, Discrete
from lanes import (
    COMPILED,
    HOSTED,
    LANES,
    MIXED,
    SEED,
    SMALL,
    assert_all_same,
    hosted,
    jobs_of,
    program_of,
    stored,
    train,
)
from scipy import stats

from dqn.agents.stepped_loop import SteppedProgram
from dqn.config import Config, EnvConfig
from dqn.config.config import choices_of
from dqn.envs import gymnasium_env, is_compiled
from dqn.training import lane_block
from dqn.training.engine import Engine
from dqn.training.jobs import Job

JOBS = jobs_of([hosted(config) for config in MIXED[1:6]])  # one more than there are lanes


class Ledger(gymnasium.Env):
    """Observes its own step n, -n, a number drawn at every step, and whether it is a first one.

    Pays 2 n + action for the step that leads to n and ends where n is a multiple of `every`.
    """

    observation_space = Box(-np.inf, np.inf, (4,), np.float64)
    action_space = Discrete(2)
    opened: ClassVar[list] = []

    def __init__(self, every: int = 5):
        self.every, self.closed = every, False
        Ledger.opened.append(self)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.n = int(self.np_random.integers(1, 200))
        return self._observation(1.0), {}

    def step(self, action):
        self.n += 1
        return self._observation(0.0), 2.0 * self.n + action, self.n % self.every == 0, False, {}

    def close(self):
        self.closed = True

    def _observation(self, first):
        return np.array([self.n, -self.n, self.np_random.random(), first])


class Breaking(Ledger):
    """One that observes no numbers where n is a multiple of 97."""

    def _observation(self, first):
        return np.full(4, np.nan if self.n % 97 == 0 else 0.1)


class OwnClock(Ledger):
    """One that truncates its episodes itself, after three steps."""

    def reset(self, **options):
        self.t = 0
        return super().reset(**options)

    def step(self, action):
        self.t += 1
        observation, reward, terminal, _, info = super().step(action)
        return observation, reward, terminal, self.t == 3, info


gymnasium.register("Ledger-v0", Ledger, max_episode_steps=3)
gymnasium.register("Breaking-v0", Breaking)
gymnasium.register("OwnClock-v0", OwnClock)
LEDGER = replace(SMALL, env=EnvConfig("Ledger-v0"), steps=200, test_episodes=0)


# Hosted and compiled


def test_what_a_seed_alone_decides_is_the_same_in_hosted_and_compiled_lanes(monkeypatch):
    monkeypatch.setattr(lane_block, "TICKS", 4)
    at_random = replace(SMALL, epsilon_min=1.0)
    jobs, worker = jobs_of([at_random, hosted(at_random)]), Engine(LANES)
    worker.advance(jobs)
    worker.advance()
    one, other = (stored(job, worker) for job in jobs)
    assert len(one) == len(other) == 16
    assert actions_of(one) == actions_of(other)  # each of them a random one
    weights = train([replace(job, config=replace(job.config, steps=1)) for job in jobs])
    for w, v in zip(*(result.weights for result in weights.values()), strict=True):
        np.testing.assert_array_equal(w, v)


def actions_of(rows: np.ndarray) -> list[float]:
    return rows[:, 2 * 4].tolist()


def test_hosted_and_compiled_cartpole_have_episodes_of_the_same_lengths():
    env = replace(COMPILED, max_episode_steps=200)
    at_random = replace(SMALL, env=env, epsilon_min=1.0, steps=1200)
    jobs = [Job(t, s, c) for t, c in enumerate((at_random, hosted(at_random))) for s in range(4)]
    lengths = [[], []]
    for (trial, _), result in train(jobs).items():
        lengths[trial].extend(result.episodes.lengths)
    assert min(len(several) for several in lengths) > 120
    assert stats.ks_2samp(*lengths).pvalue > 0.01


def test_every_network_and_optimizer_trains_hosted_lanes_in_its_own_way():
    changes = [{key: name} for key in ("network", "optimizer") for name in choices_of(key)]
    trained = train(jobs_of(replace(hosted(SMALL), **change) for change in changes))
    assert {result.status for result in trained.values()} == {"done"}
    first = {change: tuple(result.weights[0].ravel()) for change, result in zip(
        map(str, changes), trained.values(), strict=True)}  # fmt: skip
    assert len(set(first.values())) == len(changes) - 1  # both have the default


def test_an_environment_is_hosted_exactly_where_no_compiled_dynamics_are_its_own():
    with_arguments = replace(COMPILED, kwargs={"sutton_barto_reward": True})
    for env, is_hosted in ((COMPILED, False), (HOSTED, True), (with_arguments, True)):
        assert isinstance(program_of(replace(SMALL, env=env)), SteppedProgram) == is_hosted
        assert is_compiled(env) != is_hosted


def test_hosted_programs_of_one_shape_share_what_is_compiled_and_compile_nothing_more():
    train(JOBS)
    compiled = program_of(JOBS[0].config).compilations
    assert compiled == 6  # act, episode records, indices, learn, refill, greedy
    others = [replace(job.config, steps=40, tau=0.9) for job in JOBS]
    train(jobs_of([*others, replace(LEDGER, steps=40, buffer_size=8192)], seed=9))
    assert program_of(LEDGER).compilations == compiled


def test_hosted_test_episodes_are_greedy_to_their_end_from_starts_of_their_own():
    config = replace(hosted(SMALL), env=EnvConfig(HOSTED.id, 60), lr=1e-2)
    env = gymnasium_env.make(config.env)
    for (_, seed), result in train([Job(0, seed, config) for seed in range(LANES)]).items():
        start = reference.seeded_starts(env, seed)
        greedy = [reference.greedy_return(env, result.weights, start(2**31 + i)) for i in range(2)]
        assert result.test_returns.tolist() == greedy
    env.close()


@pytest.mark.parametrize("env", [COMPILED, HOSTED])
def test_trainings_of_one_block_may_be_tested_with_other_numbers_of_episodes(env):
    config = replace(SMALL, env=env, hidden=(9,), steps=40)
    counts = [3, 1, 2, 1]
    jobs = [Job(0, i, replace(config, test_episodes=n)) for i, n in enumerate(counts)]
    done = train(jobs)
    assert [len(done[0, i].test_returns) for i in range(4)] == counts
    most = train([Job(0, i, replace(config, test_episodes=3)) for i in range(4)])
    for i, n in enumerate(counts):
        assert done[0, i].test_returns.tolist() == most[0, i].test_returns[:n].tolist()


# What is stored


def memory_of(config: Config, steps: int, monkeypatch) -> np.ndarray:
    """What a lane has stored after so many steps."""
    monkeypatch.setattr(lane_block, "TICKS", steps // config.train_freq)
    worker, job = Engine(LANES), Job(0, SEED, config)
    worker.advance([Job(1, 0, LEDGER), job])
    return stored(job, worker)


@pytest.mark.parametrize("timeout_terminal", [False, True])
def test_every_field_of_a_stored_transition_is_of_its_own_step(timeout_terminal, monkeypatch):
    config = replace(LEDGER, timeout_terminal=timeout_terminal, epsilon_min=0.5)
    rows = memory_of(config, 80, monkeypatch)
    assert len(rows) >= 80
    ends, length = [], 0
    for i, (*s, n, minus_n, noise, first, a, r, terminal) in enumerate(rows.tolist()):
        length += 1
        failed, timeout = n % 5 == 0, length == 3
        assert (s[0], s[1], s[3]) == (n - 1, 1 - n, length == 1)
        assert (minus_n, first, r) == (-n, 0.0, 2 * n + a)
        assert terminal == (failed or (timeout and timeout_terminal))
        ends.append((failed, timeout))
        if failed or timeout:
            length = 0
        elif i + 1 < len(rows):
            assert rows[i + 1, :4].tolist() == [n, minus_n, noise, first]
    assert {(True, False), (False, True), (False, False)} <= set(ends)
    assert {0.0, 1.0} == set(actions_of(rows))


@pytest.mark.parametrize(
    ("env", "longest"),
    [
        (EnvConfig("Ledger-v0"), 3),  # the limit it was registered with
        (EnvConfig("Ledger-v0", 2), 2),
        (EnvConfig("Ledger-v0", 4), 4),
        (EnvConfig("OwnClock-v0"), 3),  # its own truncation
        (EnvConfig("OwnClock-v0", 2), 2),
        (EnvConfig("Ledger-v0", 50, kwargs={"every": 7}), 7),  # no time-out at all
    ],
)
def test_a_hosted_episode_ends_at_whichever_limit_comes_first(env, longest):
    lengths = train([Job(0, SEED, replace(LEDGER, env=env))])[0, SEED].episodes.lengths
    assert set(lengths) == set(range(1, longest + 1))


# Budgets, stops and breakdowns


def test_a_hosted_lane_that_observes_no_number_diverges_and_harms_nobody():
    job = Job(51, SEED, replace(LEDGER, env=EnvConfig("Breaking-v0")))
    trained = train([*JOBS[:1], job, *JOBS[1:]])
    diverged = trained.pop(job.key)
    assert diverged.status == "diverged"
    assert all(np.isfinite(w).all() for w in diverged.weights)
    assert 2 * SMALL.batch_size < diverged.steps < 200
    assert_all_same(trained, train(JOBS))


def test_every_environment_is_closed_once_its_block_is_empty(monkeypatch):
    monkeypatch.setattr(lane_block, "TICKS", 10)
    Ledger.opened.clear()
    train([Job(0, seed, replace(LEDGER, test_episodes=2)) for seed in range(6)])
    worker, job = Engine(LANES), Job(0, SEED, LEDGER)
    worker.advance([job])
    worker.advance(cancelled=[job.key])
    assert len(Ledger.opened) > LANES
    assert all(env.closed for env in Ledger.opened)
