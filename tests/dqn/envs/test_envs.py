"""Compiled dynamics against Gymnasium's own classic control, its float64 against our float32.

What counts as rounding is measured, not chosen: how far Gymnasium's own next observation moves when
its start is moved by eight float32 roundings, one coordinate at a time. A state whose termination
changes under that is left out, and counted.
"""

import dataclasses
from collections.abc import Callable
from functools import cache
from math import cos, pi
from typing import NamedTuple

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium.envs.classic_control import CartPoleEnv
from scipy import stats

from dqn.config import EnvConfig
from dqn.envs import COMPILED, Dynamics, dynamics_named, gymnasium_env, is_compiled

STATES = 3000
ROUNDINGS = 8 * np.finfo(np.float32).eps
# How many of the STATES may be left out: those drawn within about 1e-6 of an edge.
LEFT_OUT = {"CartPole-v0": 45, "Acrobot-v1": 3, "MountainCar-v0": 5}


class Case(NamedTuple):
    env_id: str
    low: list[float]
    high: list[float]
    edges: list[list[float]]
    """States are drawn between low and high, every third one just beside an edge."""
    start_low: list[float]
    start_high: list[float]
    policies: dict[str, Callable[[np.ndarray, int], int]]
    """Action from the observation and the step's number."""

    @property
    def dynamics(self) -> Dynamics:
        return dynamics_named(COMPILED[self.env_id])


CASES = {
    "cartpole": Case(
        "CartPole-v0",
        low=[-2.6, -3.0, -0.26, -3.5],
        high=[2.6, 3.0, 0.26, 3.5],
        edges=[[2.4, 0, 0, 0], [-2.4, 0, 0, 0], [0, 0, pi / 15, 0], [0, 0, -pi / 15, 0]],
        start_low=[-0.05] * 4,
        start_high=[0.05] * 4,
        policies={
            "one way": lambda observation, step: 1,
            "turn by turn": lambda observation, step: step % 2,
            "balancing": lambda observation, step: int(observation[2] + observation[3] > 0),
        },
    ),
    "acrobot": Case(
        "Acrobot-v1",
        low=[-pi, -pi, -4 * pi, -9 * pi],
        high=[pi, pi, 4 * pi, 9 * pi],
        # Without torque the first two reach the height exactly; the last wraps both angles.
        edges=[[1.5, 1.224629411, 1, 0.5], [1.5, 1.478092505, 1, 0.5], [pi, pi, 0, 0]],
        start_low=[-0.1] * 4,
        start_high=[0.1] * 4,
        policies={
            "one way": lambda observation, step: 2,
            "pumping": lambda observation, step: 2 if observation[5] > 0 else 0,
        },
    ),
    "mountain_car": Case(
        "MountainCar-v0",
        low=[-1.2, -0.07],
        high=[0.6, 0.07],
        # Not pushed, gravity brings each to rest: at the goal, the left wall, the right end.
        edges=[[p, 0.0025 * cos(3 * p)] for p in (0.5, -1.2, 0.6)],
        start_low=[-0.6, 0.0],
        start_high=[-0.4, 0.0],
        policies={
            "one way": lambda observation, step: 2,
            "pumping": lambda observation, step: 2 if observation[1] > 0 else 0,
        },
    ),
}
each_environment = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


class Answers(NamedTuple):
    """What Gymnasium says of N states and actions."""

    states: np.ndarray  # [N, S] float32
    actions: np.ndarray  # [N] int32
    observations: np.ndarray  # [N, D]
    rewards: np.ndarray  # [N]
    terminals: np.ndarray  # [N]
    slack: np.ndarray  # [N, D], what counts as rounding
    doubtful: np.ndarray  # [N], a rounding of the start decides the termination


def draw_states(case: Case) -> np.ndarray:
    rng = np.random.default_rng(7)
    low, high = np.array(case.low), np.array(case.high)
    states = rng.uniform(low, high, (STATES, len(low)))
    beside = states[::3]
    offsets = 10.0 ** rng.uniform(-7, -2, beside.shape) * rng.choice([-1, 1], beside.shape)
    beside[:] = rng.choice(case.edges, len(beside)) + offsets * (high - low)
    return np.clip(states, low, high).astype(np.float32)


def gymnasium_step(env: gymnasium.Env, state: np.ndarray, action: int):
    unwrapped = env.unwrapped
    unwrapped.state = np.array(state, np.float64)
    unwrapped.steps_beyond_terminated = None  # CartPole's, or a second fall would pay nothing
    return unwrapped.step(int(action))[:3]


@cache
def gymnasium_answers(env_id: str) -> Answers:
    case = next(case for case in CASES.values() if case.env_id == env_id)
    env = gymnasium_env.make(EnvConfig(env_id))
    env.reset(seed=0)
    states = draw_states(case)
    actions = np.random.default_rng(8).integers(0, case.dynamics.actions, STATES, np.int32)
    seen = [gymnasium_step(env, s, a) for s, a in zip(states, actions, strict=True)]
    observations, rewards, terminals = (np.array(column) for column in zip(*seen, strict=True))
    slack = np.tile(ROUNDINGS * np.abs(observations).max(0), (STATES, 1)).astype(np.float64)
    doubtful = np.zeros(STATES, bool)
    for coordinate in range(states.shape[1]):
        moved = np.zeros_like(observations)
        for sign in (-1, 1):
            start = states.astype(np.float64)
            start[:, coordinate] *= 1 + sign * ROUNDINGS
            answers = [gymnasium_step(env, s, a) for s, a in zip(start, actions, strict=True)]
            observation, _, terminal = (np.array(column) for column in zip(*answers, strict=True))
            moved = np.maximum(moved, np.abs(observation - observations))
            doubtful |= terminal != terminals
        slack += moved
    env.close()
    return Answers(states, actions, observations, rewards, terminals, slack, doubtful)


def our_step(dynamics: Dynamics, compiled: bool = False):
    """[..., S] and [...] to the observation after it, reward and terminal, as NumPy."""

    def step(states, actions):
        following, reward, terminal = dynamics.step(states, actions)
        return following, dynamics.observe(following), reward, terminal

    function = tf.function(step, jit_compile=True) if compiled else step
    return lambda states, actions: [
        tensor.numpy() for tensor in function(tf.constant(states), tf.constant(actions))
    ]


@each_environment
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_a_step_is_gymnasiums_own_up_to_rounding(case, compiled):
    answers = gymnasium_answers(case.env_id)
    _, observation, reward, terminal = our_step(case.dynamics, compiled)(
        answers.states, answers.actions
    )
    assert observation.dtype == reward.dtype == np.float32
    # Rounding is small beside what is observed, and decides next to nothing.
    assert np.median(answers.slack / np.abs(answers.observations).max(0)) < 1e-5
    assert answers.doubtful.sum() <= LEFT_OUT[case.env_id]
    assert (np.abs(observation - answers.observations) <= answers.slack).all()
    sure = ~answers.doubtful
    np.testing.assert_array_equal(terminal[sure], answers.terminals[sure])
    np.testing.assert_array_equal(reward[sure], answers.rewards[sure])
    # Both endings are there to be told apart.
    assert 0.05 < answers.terminals.mean() < 0.95


@each_environment
def test_along_an_episode_each_step_is_gymnasiums_own(case):
    env = gymnasium_env.make(EnvConfig(case.env_id))
    for name, policy in case.policies.items():
        observation, _ = env.reset(seed=3)
        states, actions, seen = [], [], []
        for step in range(time_limit(case)):
            states.append(np.array(env.unwrapped.state, np.float32))
            actions.append(np.int32(policy(observation, step)))
            observation, reward, terminal, truncated, _ = env.step(int(actions[-1]))
            seen.append((observation, reward, terminal))
            if terminal or truncated:
                break
        _, *ours = our_step(case.dynamics)(np.array(states), np.array(actions))
        for mine, theirs in zip(ours, zip(*seen, strict=True), strict=True):
            # 2e-6 is 16 roundings of the largest number a calm episode meets.
            np.testing.assert_allclose(mine, np.array(theirs), rtol=2e-6, atol=2e-6, err_msg=name)
    env.close()


@each_environment
def test_whole_episodes_from_gymnasiums_starts_are_as_long_and_pay_as_much(case):
    """Rounding is fed back here, up to 500 times, and must not change how an episode goes."""
    env = gymnasium_env.make(EnvConfig(case.env_id))
    limit = time_limit(case)
    step_ours = our_step(case.dynamics, compiled=True)
    lengths = set()
    for name, policy in case.policies.items():
        for seed in range(5):
            observation, _ = env.reset(seed=seed)
            state = np.array(env.unwrapped.state, np.float32)
            ours = case.dynamics.observe(tf.constant(state)).numpy()
            theirs = run(policy, observation, limit, lambda a, env=env: env.step(a)[:3])
            box = [state]

            def step(action, box=box):
                box[0], *seen = step_ours(box[0], np.int32(action))
                return seen

            assert run(policy, ours, limit, step) == theirs, (name, seed)
            lengths.add(theirs[0])
    assert len(lengths) > 1
    env.close()


def time_limit(case: Case) -> int:
    return gymnasium_env.describe(EnvConfig(case.env_id)).max_episode_steps


def run(policy, observation, limit, step) -> tuple[int, float, bool]:
    """Length, return and whether it ended before the time limit."""
    total = 0.0
    for count in range(limit):
        observation, reward, terminal = step(policy(observation, count))
        total += float(reward)
        if terminal:
            break
    return count + 1, total, bool(terminal)


@each_environment
def test_leading_axes_change_nothing(case):
    """[L, B, S] and a single [S] against [L, S]; Eigen's and XLA's vector tails may round apart."""
    answers = gymnasium_answers(case.env_id)
    states, actions = answers.states[:24], answers.actions[:24]
    flat = our_step(case.dynamics)(states, actions)
    nested = our_step(case.dynamics)(states.reshape(4, 6, -1), actions.reshape(4, 6))
    single = our_step(case.dynamics)(states[5], actions[5])
    for one, two, alone in zip(flat, nested, single, strict=True):
        assert two.shape[:2] == (4, 6)
        assert two.dtype == one.dtype == alone.dtype
        np.testing.assert_allclose(two.reshape(one.shape), one, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(alone, one[5], rtol=1e-6, atol=1e-6)


@each_environment
def test_compiled_in_a_loop_equals_eager_step_by_step(case):
    """As a lane uses it: reset, then steps in an XLA while loop over a block."""
    dynamics, lanes, steps = case.dynamics, 16, 20
    rng = np.random.default_rng(5)
    u = tf.constant(rng.random((lanes, dynamics.num_random)), tf.float32)
    actions = tf.constant(rng.integers(0, dynamics.actions, (steps, lanes)), tf.int32)

    @tf.function(jit_compile=True)
    def compiled():
        def body(i, state, total):
            state, reward, _ = dynamics.step(state, actions[i])
            return i + 1, state, total + reward

        start = (0, dynamics.reset(u), tf.zeros(lanes))
        _, state, total = tf.while_loop(lambda i, *_: i < steps, body, start)
        return dynamics.observe(state), total

    state, total = dynamics.reset(u), tf.zeros(lanes)
    for step in range(steps):
        state, reward, _ = dynamics.step(state, actions[step])
        total += reward
    observation, looped_total = compiled()
    # Two roundings of 1e-7 a step, fed back twenty times by the fastest of these, the acrobot.
    np.testing.assert_allclose(observation, dynamics.observe(state), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(looped_total, total)


@each_environment
def test_resets_are_gymnasiums_uniform_distribution(case):
    dynamics, low, high = case.dynamics, np.array(case.start_low), np.array(case.start_high)
    u = np.random.default_rng(11).random((4000, dynamics.num_random), np.float32)
    states = dynamics.reset(tf.constant(u)).numpy()
    assert states.dtype == np.float32
    assert (states >= low.astype(np.float32)).all()
    assert (states <= high.astype(np.float32)).all()
    env = gymnasium_env.make(EnvConfig(case.env_id))
    theirs = []
    for seed in range(1000):
        env.reset(seed=seed)
        theirs.append(env.unwrapped.state)
    env.close()
    for mine, others, least, most in zip(states.T, np.array(theirs).T, low, high, strict=True):
        if least == most:
            assert (mine == least).all()
            assert (others == least).all()
            continue
        # A mean of 4000 uniforms has standard deviation width / sqrt(12 · 4000): four of them.
        assert abs(mine.mean() - (least + most) / 2) < 4 * (most - least) / np.sqrt(12 * 4000)
        counts = np.histogram(mine, 10, (least, most))[0]
        assert stats.chisquare(counts).pvalue > 1e-3
        assert stats.ks_2samp(mine, others).pvalue > 1e-3


@each_environment
def test_the_ends_of_the_uniforms_are_the_ends_of_the_starts(case):
    dynamics = case.dynamics
    ends = np.array([[0.0], [1.0]], np.float32).repeat(dynamics.num_random, 1)
    states = dynamics.reset(tf.constant(ends)).numpy()
    np.testing.assert_allclose(states, [case.start_low, case.start_high], rtol=1e-6)


@each_environment
def test_each_uniform_moves_one_coordinate_of_the_start(case):
    dynamics = case.dynamics
    half = np.full((dynamics.num_random, dynamics.num_random), 0.5, np.float32)
    moved = half + 0.25 * np.eye(dynamics.num_random, dtype=np.float32)
    change = dynamics.reset(tf.constant(moved)).numpy() - dynamics.reset(tf.constant(half)).numpy()
    assert ((change != 0).sum(1) == 1).all()
    assert (change != 0).any(0).sum() == dynamics.num_random


@each_environment
def test_the_table_says_of_each_id_what_gymnasium_says(case):
    dynamics = case.dynamics
    for env_id in [other for other, name in COMPILED.items() if name == COMPILED[case.env_id]]:
        task = gymnasium_env.describe(EnvConfig(env_id))
        assert is_compiled(EnvConfig(env_id))
        assert (task.observation_size, task.actions) == (
            dynamics.observation_size,
            dynamics.actions,
        )
        state = dynamics.reset(tf.zeros([3, dynamics.num_random]))
        assert dynamics.observe(state).shape == (3, dynamics.observation_size)


def test_every_compiled_environment_is_tested_here():
    assert {COMPILED[case.env_id] for case in CASES.values()} == set(COMPILED.values())


def test_the_acrobots_angles_stay_within_a_turn_and_its_speeds_within_their_limits():
    answers = gymnasium_answers("Acrobot-v1")
    after = our_step(dynamics_named("acrobot"))(answers.states, answers.actions)[0]
    limits = np.array([pi, pi, 4 * pi, 9 * pi])
    assert (np.abs(after) <= limits * (1 + 1e-6)).all()
    # ... and were outside it before they were wrapped and clipped: the limits are got.
    assert (np.abs(after).max(0) > 0.999 * limits).all()


def test_the_mountain_car_stops_at_the_left_wall_only():
    step = our_step(dynamics_named("mountain_car"))
    states = np.array([[-1.2, -0.05], [0.6, 0.05]], np.float32)
    after = step(states, np.array([0, 2], np.int32))[0]
    assert after[0].tolist() == [np.float32(-1.2), 0.0]
    assert after[1, 0] == np.float32(0.6)
    assert after[1, 1] > 0.05


def test_cartpole_of_either_version_is_one_program():
    assert COMPILED["CartPole-v0"] == COMPILED["CartPole-v1"]
    assert is_compiled(EnvConfig("CartPole-v0", max_episode_steps=37))


@pytest.mark.parametrize(
    "env",
    [
        EnvConfig("LunarLander-v3"),
        EnvConfig("phys2d/CartPole-v1"),
        EnvConfig("my_module:CartPole-v1"),
        EnvConfig("CartPole-v1", kwargs={"sutton_barto_reward": True}),
        EnvConfig("MountainCar-v0", kwargs={"goal_velocity": 0.05}),
    ],
    ids=str,
)
def test_any_other_environment_or_argument_is_left_to_gymnasium(env):
    assert not is_compiled(env)


@pytest.mark.parametrize(
    "changed",
    [
        {"entry_point": "tests.mine:Other"},
        {"entry_point": type("Other", (CartPoleEnv,), {})},
        {"kwargs": {"sutton_barto_reward": True}},
    ],
)
def test_an_id_that_was_registered_anew_is_stepped_as_it_is(changed, monkeypatch):
    spec = dataclasses.replace(gymnasium.registry["CartPole-v1"], **changed)
    monkeypatch.setitem(gymnasium.registry, "CartPole-v1", spec)
    assert not is_compiled(EnvConfig("CartPole-v1"))
    assert is_compiled(EnvConfig("CartPole-v0"))
