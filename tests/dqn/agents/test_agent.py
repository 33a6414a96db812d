"""DQNAgent: what it does at each step, and that it is the exercise's recipe."""

import gymnasium
import keras
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from benchmarks.recipe import Recipe
from dqn.agents import losses
from dqn.agents.keras.agent import DQNAgent
from dqn.agents.networks import create_model
from dqn.config import EnvConfig
from dqn.envs import gymnasium_env
from dqn.runtime.errors import EnvError, UserError

INF = float("inf")
B, D, A = 8, 4, 3


class Clock(gymnasium.Env):
    """Observes the step [0, 1] and pays 1; ends after `length` steps as told, keeping a log."""

    def __init__(self, length=200, terminates=False, truncates=True, actions=2):
        self.observation_space = Box(0.0, 1.0, (1,))
        self.action_space = Discrete(actions)
        self.length, self.ends = length, (terminates, truncates)
        self.log: list[int] = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.step_number = 0
        return self._observation(), {}

    def step(self, action):
        self.step_number += 1
        self.log.append(action)
        ends = (end and self.step_number == self.length for end in self.ends)
        return self._observation(), 1.0, *ends, {}

    def _observation(self):
        # The last step's is that of the one before: nothing but the flag tells that time is up.
        return np.array([min(self.step_number, self.length - 1) / self.length], np.float32)


class Still(gymnasium.Env):
    """D numbers to observe and A actions, never stepped: for updates on a given batch."""

    observation_space = Box(-1.0, 1.0, (D,))
    action_space = Discrete(A)


def cartpole():
    return gymnasium_env.make(EnvConfig())


def sgd_model(env, lr):
    """The network the agent trains, with an optimizer whose step is the gradient itself."""
    model = create_model(env, lr, hidden=(16,))
    model.compile(loss="mse", optimizer=keras.optimizers.SGD(lr))
    return model


def random_batch(seed=0):
    draw = np.random.default_rng(seed)
    states, next_states = draw.normal(size=(2, B, D)).astype(np.float32)
    return (
        states,
        draw.integers(A, size=B).astype(np.int32),
        draw.normal(size=B).astype(np.float32),
        next_states,
        draw.integers(2, size=B).astype(np.float32),
    )


def copies(model):
    return [np.array(w) for w in model.get_weights()]


def all_equal(weights, others):
    return all(np.array_equal(w, o) for w, o in zip(weights, others, strict=True))


# --- the update


def test_one_update_is_the_exercises_fit_with_a_loss_a_times_its_own():
    """`fit` averages over [B, A] outputs, all but the chosen one exact: all is smaller by A."""
    agent = DQNAgent(Still(), sgd_model, lr=0.1, seed=3)
    recipe = Recipe(Still(), lambda env, _: sgd_model(env, A * 0.1))
    target = sgd_model(Still(), 0.1).get_weights()
    for learner in (agent, recipe):
        learner.target_model.set_weights(target)
    recipe.model.set_weights(before := copies(agent.model))
    batch = random_batch()
    ours, theirs = agent.update(batch), recipe.update(batch)
    assert ours == pytest.approx(A * theirs, rel=1e-5)
    assert not all_equal(before, agent.model.get_weights())
    for w, o in zip(agent.model.get_weights(), recipe.model.get_weights(), strict=True):
        np.testing.assert_allclose(w, o, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize(
    ("gamma", "reward_scale", "huber_delta"), [(0.9, 1.0, INF), (0.5, 0.01, INF), (0.9, 1.0, 0.3)]
)
def test_the_loss_is_the_mean_td_loss_against_the_target_network(
    gamma, reward_scale, huber_delta, double
):
    agent = DQNAgent(
        Still(),
        sgd_model,
        gamma=gamma,
        reward_scale=reward_scale,
        huber_delta=huber_delta,
        double=double,
        seed=1,
    )
    agent.target_model.set_weights(sgd_model(Still(), 0.1).get_weights())
    states, actions, rewards, next_states, terminals = batch = random_batch()
    rows = np.arange(B)
    q_next = agent.target_model.predict_on_batch(next_states)
    chosen = (agent.q_values(next_states) if double else q_next).argmax(-1)
    y = reward_scale * rewards + gamma * (1 - terminals) * q_next[rows, chosen]
    size = np.abs(y - agent.q_values(states)[rows, actions])
    losses = np.where(size <= huber_delta, size**2, huber_delta * (2 * size - huber_delta))
    if huber_delta == INF:
        losses = size**2
    assert agent.update(batch) == pytest.approx(losses.mean(), rel=1e-5)


@pytest.mark.parametrize("loss_scale", [None, 1024.0])
@pytest.mark.parametrize("limit", [1e-3, 0.1])
def test_the_step_is_no_longer_than_the_gradients_limit(limit, loss_scale):
    def scaled(env, lr):
        model = sgd_model(env, lr)
        model.optimizer = keras.optimizers.SGD(lr, loss_scale_factor=loss_scale)
        return model

    agent = DQNAgent(Still(), scaled, lr=1.0, grad_clip=limit, seed=1)
    before = copies(agent.model)
    agent.update(random_batch())
    after = agent.model.get_weights()
    moved = np.sqrt(sum(np.sum((w - o) ** 2) for w, o in zip(before, after, strict=True)))
    assert moved == pytest.approx(limit, rel=1e-3)


def test_the_callers_optimizer_and_regulariser_are_used():
    def decaying(env, lr):
        kernel = keras.layers.Dense(A, kernel_regularizer="l2")
        model = keras.Sequential([keras.layers.Input((D,)), kernel])
        model.compile(loss="mse", optimizer=keras.optimizers.SGD(lr))
        return model

    agent = DQNAgent(Still(), decaying, lr=10.0, seed=1)
    states, actions, _, next_states, _ = random_batch()
    # A target got exactly has no gradient but the regulariser's: d(0.01 w²)/dw = 0.02 w.
    q = agent.q_values(states)[np.arange(B), actions]
    kernel = copies(agent.model)[0]
    assert agent.update((states, actions, q, next_states, np.ones(B))) < 1e-12
    np.testing.assert_allclose(agent.model.get_weights()[0], 0.8 * kernel, rtol=1e-4, atol=1e-6)


# --- the order of things


def test_the_target_begins_as_the_online_network():
    agent = DQNAgent(Still(), sgd_model)
    assert all_equal(agent.model.get_weights(), agent.target_model.get_weights())


def test_the_target_changes_exactly_at_multiples_of_target_update():
    agent = DQNAgent(
        Clock(length=1), sgd_model, lr=0.1, batch_size=2, train_freq=1, target_update=5, seed=1
    )
    before = copies(agent.target_model)
    for step in range(1, 23):
        agent.train(1)
        assert agent.steps == step
        after = copies(agent.target_model)
        assert all_equal(before, after) == (step % 5 != 0)
        if step % 5 == 0:  # with the weights of the update of this very step
            assert all_equal(after, agent.model.get_weights())
        before = after


def test_a_soft_target_moves_by_tau():
    agent = DQNAgent(
        Clock(length=1),
        sgd_model,
        lr=0.1,
        batch_size=2,
        train_freq=1,
        target_update=1,
        tau=0.25,
        seed=1,
    )
    agent.train(5)
    before = copies(agent.target_model)
    agent.train(1)
    for online, old, new in zip(
        agent.model.get_weights(), before, agent.target_model.get_weights(), strict=True
    ):
        np.testing.assert_allclose(new, 0.25 * online + 0.75 * old, rtol=1e-5, atol=1e-7)
    assert not all_equal(before, agent.target_model.get_weights())


@pytest.mark.parametrize(
    ("learning_starts", "expected"), [(0, [8, 12, 16, 20]), (12, [12, 16, 20]), (13, [16, 20])]
)
def test_updates_come_every_train_freq_steps_once_enough_is_stored(
    learning_starts, expected, monkeypatch
):
    agent = DQNAgent(
        Clock(length=1), sgd_model, batch_size=4, learning_starts=learning_starts, seed=1
    )
    updated = []
    monkeypatch.setattr(agent, "update", lambda batch: updated.append(agent.steps) or 0.0)
    agent.train(21)
    assert updated == expected


def test_an_update_after_an_episodes_last_step_counts_to_the_next_episode(monkeypatch):
    agent = DQNAgent(Clock(length=2), sgd_model, batch_size=1, train_freq=1, seed=1)
    losses = iter([10.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0])
    monkeypatch.setattr(agent, "update", lambda batch: next(losses))
    returns, first = agent.train(2)  # updates after step 2, the last of episode 1, then 3 and 4
    np.testing.assert_array_equal(returns, [2.0, 2.0])
    np.testing.assert_array_equal(first, [np.nan, 5.5])
    np.testing.assert_array_equal(agent.train(1)[1], [4.0])


# --- exploration and tests


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, lambda n: np.maximum(0.05, 0.9995**n)),
        (
            {"epsilon_schedule": "linear", "epsilon_start": 0.8, "exploration_steps": 2000},
            lambda n: 0.8 - 0.75 * np.minimum(n / 2000, 1),
        ),
    ],
)
def test_epsilon_is_that_of_the_actions_taken_so_far(settings, expected):
    agent = DQNAgent(Clock(), sgd_model, **settings, seed=0)
    observation, got = np.zeros(1), []
    for n in range(2500):
        got.append(agent.epsilon)
        agent.act(observation)
        if n % 50 == 0:
            agent.act(observation, greedy=True)  # takes no part
    np.testing.assert_allclose(got, expected(np.arange(2500)), rtol=1e-6)


def test_epsilon_is_how_often_an_action_is_random():
    agent = DQNAgent(Clock(actions=4), sgd_model, epsilon_start=0.5, epsilon_min=0.5, seed=0)
    greedy = agent.act(np.zeros(1), greedy=True)
    counts = np.bincount([agent.act(np.zeros(1)) for _ in range(2000)], minlength=4)
    expected = np.where(np.arange(4) == greedy, 0.5 + 0.125, 0.125) * 2000
    assert np.all(np.abs(counts - expected) < 4 * np.sqrt(expected))


def test_a_test_episode_is_greedy_to_its_end_and_changes_nothing():
    agent = DQNAgent(Clock(), sgd_model, epsilon_min=1.0, learning_starts=10**6, seed=0)
    agent.model.layers[-1].set_weights([np.zeros((16, 2)), np.array([0.0, 1.0])])
    before = copies(agent.model)
    agent.train(1)
    assert set(agent.env.log) == {0, 1}
    agent.env.log.clear()
    assert agent.test() == 200
    assert agent.env.log == [1] * 200
    assert agent.test_return == 200.0
    assert (agent.steps, len(agent.buffer), agent.epsilon) == (200, 200, 1.0)
    assert all_equal(before, agent.model.get_weights())


# --- the three traps


@pytest.mark.parametrize(
    ("terminates", "truncates", "timeout_terminal", "stored"),
    [
        (True, False, False, 1),
        (True, True, False, 1),
        (False, True, False, 0),
        (True, False, True, 1),
        (False, True, True, 1),
    ],
)
def test_a_time_out_is_no_failure_unless_told_so(terminates, truncates, timeout_terminal, stored):
    env = Clock(length=3, terminates=terminates, truncates=truncates)
    agent = DQNAgent(env, sgd_model, timeout_terminal=timeout_terminal, batch_size=1)
    agent.train(1)
    batches = [agent.buffer.sample(1) for _ in range(100)]
    last = [b.terminals[0] for b in batches if b and b.states[0, 0] == np.float32(2 / 3)]
    others = [b.terminals[0] for b in batches if b and b.states[0, 0] != np.float32(2 / 3)]
    assert set(last) == {stored}
    assert set(others) == {0}


@pytest.mark.parametrize(("timeout_terminal", "bound"), [(False, 1.0), (True, 0.866)])
def test_the_value_of_200_rewards_of_a_hundredth_is_bounded(timeout_terminal, bound):
    """Value iteration on what an episode that lasts to its time limit leaves in the buffer."""
    agent = DQNAgent(
        Clock(), sgd_model, timeout_terminal=timeout_terminal, batch_size=100, learning_starts=10**6
    )
    np.testing.assert_array_equal(agent.train(1)[0], [200.0])
    successor, terminal, reward = np.full(200, -1), np.zeros(200), np.zeros(200)
    for _ in range(50):  # misses one of 200 transitions once in e^25 times
        batch = agent.buffer.sample(100)
        assert batch is not None
        state = np.rint(200 * batch.states[:, 0]).astype(int)
        successor[state] = np.rint(200 * batch.next_states[:, 0])
        terminal[state], reward[state] = batch.terminals, batch.rewards
    value = np.zeros(200)
    for _ in range(2500):
        value = np.asarray(losses.target(reward, terminal, value[successor], 0.99, 0.01))
    assert value.max() == pytest.approx(bound, abs=5e-4)


@pytest.mark.parametrize("double", [False, True])
def test_two_runs_with_one_seed_agree_bit_for_bit(double):
    runs = []
    for seed in (11, 11, 12):
        agent = DQNAgent(cartpole(), create_model, reward_scale=0.01, double=double, seed=seed)
        weights = copies(agent.model)
        returns, losses = agent.train(12)
        agent.test()
        runs.append([weights, returns, losses, agent.test_return, *agent.train(2), agent.model])
    first, again, other = runs
    np.testing.assert_equal(first[:-1], again[:-1])
    assert all_equal(first[-1].get_weights(), again[-1].get_weights())
    assert not all_equal(first[0], other[0])
    assert not np.array_equal(first[1], other[1])


@pytest.mark.parametrize("seed", [7, None])
def test_the_environment_is_seeded_at_its_first_start_only(seed, monkeypatch):
    env, seeds = Clock(length=1), []
    reset = env.reset
    monkeypatch.setattr(env, "reset", lambda *, seed: seeds.append(seed) or reset(seed=seed))
    agent = DQNAgent(env, sgd_model, seed=seed)
    agent.train(2)
    agent.test()
    assert seeds == [seed, None, None]


def test_without_a_seed_runs_differ():
    runs = [DQNAgent(cartpole(), create_model).train(5)[0] for _ in range(2)]
    assert not np.array_equal(runs[0], runs[1])


def test_the_reward_scale_is_seen_by_nothing_but_the_target():
    plain, scaled = (
        DQNAgent(cartpole(), create_model, reward_scale=scale, learning_starts=10**6, seed=5)
        for scale in (1.0, 0.01)
    )
    np.testing.assert_array_equal(plain.train(8)[0], scaled.train(8)[0])
    batch = scaled.buffer.sample(32)
    assert batch is not None
    assert set(batch.rewards) == {1.0}


# --- what it works with


def test_q_values_are_the_models_for_any_leading_shape():
    agent = DQNAgent(Still(), sgd_model, seed=0)
    observations = np.random.default_rng(0).normal(size=(2, 5, D))
    expected = agent.model.predict_on_batch(observations.reshape(10, D)).reshape(2, 5, A)
    np.testing.assert_allclose(agent.q_values(observations), expected, atol=1e-6)
    np.testing.assert_allclose(agent.q_values(observations[0, 0]), expected[0, 0], atol=1e-6)
    assert agent.act(observations[0, 0], greedy=True) == expected[0, 0].argmax()


def image_env():
    env = Clock()
    env.observation_space = Box(0.0, 1.0, (3, 3))
    return env


def continuous_env():
    env = Clock()
    env.action_space = Box(0.0, 1.0, (1,))
    return env


def shifted_env():
    env = Clock()
    env.action_space = Discrete(2, start=1)
    return env


def uncompiled_model(env, lr):
    return keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(2)])


def wide_model(env, lr):
    return create_model(Clock(actions=5), lr)


ONE = sgd_model(Clock(), 0.1)


@pytest.mark.parametrize(
    ("env", "model", "settings", "message"),
    [
        (image_env, sgd_model, {}, r"flat Box, got Box\(0.0, 1.0, \(3, 3\)"),
        (continuous_env, sgd_model, {}, r"Discrete actions that count from 0, got Box"),
        (shifted_env, sgd_model, {}, r"Discrete actions that count from 0, got Discrete"),
        (Clock, uncompiled_model, {}, "compiled model"),
        (Clock, wide_model, {}, r"each of 2 actions, got outputs of shape \(5,\)"),
        (Clock, lambda env, lr: ONE, {}, "new model each time"),
        (Clock, sgd_model, {"buffer_size": 63}, r"at least 2·batch_size = 64, got 63"),
        (Clock, sgd_model, {"train_freq": 0}, "train_freq must be at least 1, got 0"),
        (Clock, sgd_model, {"epsilon_schedule": "cosine"}, "one of exponential, linear"),
    ],
)
def test_what_it_cannot_work_with_is_refused_in_one_line(env, model, settings, message):
    with pytest.raises(UserError, match=message) as refused:
        DQNAgent(env(), model, **settings)
    assert "\n" not in str(refused.value)


# --- what people hand it


class Loose(Clock):
    """Lists for vectors, arrays of one number, 0 and 1 for no and yes; one list all along."""

    def reset(self, *, seed=None, options=None):
        observation, info = super().reset(seed=seed)
        self.observed = observation.tolist()
        return self.observed, info

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        self.observed[:] = observation.tolist()
        return self.observed, np.array([reward]), int(terminated), np.array(truncated), info


def test_numbers_lists_and_arrays_of_every_kind_are_what_they_plainly_are():
    plain = DQNAgent(Clock(length=9), sgd_model, lr=0.125, batch_size=4, seed=2**31 + 5)
    loose = DQNAgent(
        Loose(length=np.int64(9)),
        sgd_model,
        lr=np.float32(0.125),
        batch_size=np.int64(4),
        buffer_size=5000.0,
        train_freq=np.array(4),
        gamma=np.float64(0.99),
        tau=1,
        epsilon_start=1,
        epsilon_min=np.array([0.05]),
        epsilon_decay=np.float64(5e-4),
        reward_scale=np.int8(1),
        huber_delta="inf",
        grad_clip=np.float32("inf"),
        timeout_terminal=0,
        double=np.bool_(False),
        seed=np.int64(2**31 + 5),
    )
    for one, other in zip(plain.train(4), loose.train(np.int64(4)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert plain.test() == loose.test()
    assert plain.test_return == loose.test_return
    assert all_equal(plain.model.get_weights(), loose.model.get_weights())


@pytest.mark.parametrize(("given", "has"), [
    ((None, 1.0, False, False, {}), "step gave observation None"),
    ((np.zeros(1), None, False, False, {}), "step gave reward None"),
    ((np.zeros(1), np.nan, False, False, {}), "step gave reward nan"),
    ((np.zeros(2), 1.0, False, False, {}), r"an array of shape \(2,\), must give shape \(1,\)"),
    ((np.zeros(1), 1.0, False, {}), "step gave 4 values, must give 5"),
])  # fmt: skip
def test_an_environment_that_goes_wrong_is_named_with_seed_and_step(given, has):
    env = Clock(length=5)
    agent = DQNAgent(env, sgd_model, seed=3)
    agent.train(2)
    env.step = lambda action: given
    with pytest.raises(EnvError, match=rf"Clock: .*{has}.* \(seed 3, step 11\)"):
        agent.train(1)


@pytest.mark.parametrize("settings", [{"batch_size": 2.5}, {"buffer_size": "many"},
                                      {"seed": "x"}, {"train_freq": True}])  # fmt: skip
def test_what_is_no_whole_number_is_refused_in_one_line(settings):
    (name,) = settings
    with pytest.raises(UserError, match=f"{name} must be a whole number, got"):
        DQNAgent(Clock(), sgd_model, **settings)


@pytest.mark.parametrize(("settings", "has"), [
    ({"epsilon_decay": None}, "epsilon_decay must be a number, got"),
    ({"gamma": [0.9, 0.99]}, "gamma must be a number, got"),
    ({"tau": "soft"}, "tau must be a number, got"),
    ({"reward_scale": float("nan")}, "reward_scale must be a number, got"),
    ({"lr": True}, "lr must be a number, got"),
    ({"double": "no"}, "double must be True or False, got"),
    ({"timeout_terminal": None}, "timeout_terminal must be True or False, got"),
    ({"seed": -1}, "seed must be at least 0, got -1"),
    ({"seed": 2**32}, r"seed must be less than 2\^32, got"),
])  # fmt: skip
def test_what_is_no_number_and_no_flag_is_refused_in_one_line(settings, has):
    with pytest.raises(UserError, match=has):
        DQNAgent(Clock(), sgd_model, **settings)


def test_every_epsilon_of_a_linear_schedule_and_a_decay_of_one_takes_any_number():
    linear = {"epsilon_schedule": "linear", "exploration_steps": np.float64(10)}
    for schedule in (linear, {"epsilon_decay": 1}):
        agent = DQNAgent(Clock(length=9), sgd_model, epsilon_start=np.float64(0.5),
                         epsilon_min=np.float64(0.25), **schedule)  # fmt: skip
        agent.train(2)
        assert agent.epsilon == 0.25
