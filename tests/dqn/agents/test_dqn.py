"""Lanes against the algorithm written down a second time, and against the agent's own update."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import reference
import tensorflow as tf
from lanes import (
    KINDS,
    LANES,
    MIXED,
    ROUNDING,
    SEED,
    SMALL,
    VARIED,
    assert_follows,
    distance,
    followed,
    jobs_of,
    program_of,
    stacked,
    train,
    varied,
)

from dqn.agents import dqn, networks, random
from dqn.agents.block import Chunk, pack_episode
from dqn.agents.compiled_loop import Program
from dqn.agents.dqn import EpisodeStats, Hyper, Lanes, Learner
from dqn.agents.keras.agent import DQNAgent
from dqn.agents.random import Stream
from dqn.agents.replay import Transition, sample_indices, unpack, width
from dqn.config import Config, EnvConfig
from dqn.config.config import choices_of, fields_of
from dqn.envs import Dynamics, gymnasium_env
from dqn.envs.program_key import Architecture, ProgramKey
from dqn.training.jobs import EpisodeBatch
from dqn.training.lane_block import hyper_of

ANY = 10**6  # more ticks than any test here runs


def began(program: Program, hyper: Hyper) -> tuple:
    """A block in which every lane has just begun, and its replay memory."""
    lanes, replay = program.empty()
    return program.refill(lanes, tf.ones([program.key.lanes], tf.bool), hyper), replay


def advanced(program: Program, lanes, replay, hyper, ticks: int, max_steps: int = 16) -> Chunk:
    return program.chunk(lanes, replay, hyper, *(tf.constant(n) for n in (ticks, max_steps, 1)))


def ticks_of(
    program: Program, configs: list[Config], max_steps: int
) -> Iterator[tuple[Chunk, np.ndarray]]:
    """The block and its replay memory after each tick, until every lane's budget is spent."""
    hyper = stacked(configs)
    lanes, replay = began(program, hyper)
    going = True
    while going:
        chunk = advanced(program, lanes, replay, hyper, 1, max_steps)
        lanes, going = chunk.lanes, chunk.alive.numpy().any()
        yield chunk, parts(program, replay)


def parts(program: Program, replay) -> np.ndarray:
    """Each lane's part of a flat replay memory [L, C, columns]."""
    rows = replay.numpy().reshape(program.key.lanes, -1, width(program.key.observation_size))
    return rows[:, : program.key.capacity]


def lane_of(tree, i: int) -> list[np.ndarray]:
    return [x.numpy()[i] for x in tf.nest.flatten(tree)]


@pytest.fixture(scope="module", params=KINDS)
def varied_lanes(request):
    """A finished lane for every lane hyperparameter, with that one changed; and of what kind."""
    of_kind = KINDS[request.param]
    trained = train(jobs_of(of_kind(varied(key)[1]) for key in VARIED))
    return of_kind, {key: trained[trial, SEED] for trial, key in enumerate(VARIED)}


@pytest.mark.parametrize("key", fields_of("lane"))
def test_a_lane_heeds_each_of_its_hyperparameters_as_the_reference_does(key, varied_lanes):
    of_kind, trained = varied_lanes
    base, changed = map(of_kind, varied(key))
    text, ignored = followed(changed), followed(base)
    assert_follows(trained[key], text)
    assert text.steps != ignored.steps or distance(text.weights, ignored.weights) > 50 * ROUNDING


@pytest.mark.parametrize("configs", [MIXED[:4], [*MIXED[4:], SMALL]], ids=["some", "others"])
def test_a_lane_does_the_same_as_the_reference_after_every_single_step(configs):
    program, text = program_of(SMALL), [reference.train(config, SEED) for config in configs]
    learned = [{update.step: update for update in one.updates} for one in text]
    expected = [reference.initial_weights(config, SEED) for config in configs]
    assert [len(updates) > 4 for updates in learned] == [True] * LANES
    ages, epsilon = np.zeros(LANES, int), dqn.epsilon(tf.range(301)[:, None], stacked(configs))
    epsilon = epsilon.numpy()  # [steps, L]
    for chunk, memory in ticks_of(program, configs, max_steps=1):
        ages += ages < [one.steps for one in text]
        np.testing.assert_array_equal(chunk.lanes.t, ages)
        for i, (config, age) in enumerate(zip(configs, ages, strict=True)):
            s, a, r, s_next, no_future = text[i].transitions[age - 1]
            row = [*s, *s_next, a, r, no_future]
            np.testing.assert_allclose(memory[i, (age - 1) % config.buffer_size], row, atol=1e-5)
            assert epsilon[age, i] == pytest.approx(reference.epsilon(config, age), rel=1e-6)
            if age in learned[i]:
                expected[i] = learned[i][age].weights
                target = lane_of(chunk.lanes.learner.target, i)
                assert distance(target, learned[i][age].target) < ROUNDING
            assert distance(lane_of(chunk.lanes.learner.weights, i), expected[i]) < ROUNDING
    assert chunk.lanes.learner.updates.numpy().tolist() == [len(updates) for updates in learned]


@pytest.mark.parametrize(
    ("age", "started", "moves"),
    [
        (4, 0, 0),  # a fresh target equals the online network
        (10, 8, 0),  # due on this very step: after the update, and so before the next one
        (12, 10, 1),
        (12, 8, 1),
        (20, 12, 0),
        (24, 20, 1),
        (41, 1, 4),  # T_train = 40
        (12, 12, 0),  # a lane that did not move
    ],
)
def test_a_target_moves_once_for_each_multiple_of_t_target_since_the_last_update(
    age, started, moves
):
    online, target = [tf.ones([1, 3])], [tf.zeros([1, 3]) if started else tf.ones([1, 3])]
    hyper = stacked([replace(SMALL, target_update=10, tau=0.25)])
    learner = Learner(online, target, (), tf.zeros([1], tf.int32))
    moved = dqn.sync(learner, tf.constant([age]), tf.constant([started]), hyper)
    np.testing.assert_allclose(moved.target[0], target[0] + (1 - target[0]) * (1 - 0.75**moves))


SETTINGS = {
    "as the exercise": {},
    "double": {"double": True, "target_update": 24},
    "huber": {"huber_delta": 0.2},
    "clipped": {"grad_clip": 0.1},
    "scaled rewards": {"reward_scale": 0.01, "gamma": 0.9},
    "soft copies": {"tau": 0.3, "target_update": 8},
    "all at once": {
        "double": True,
        "huber_delta": 0.2,
        "grad_clip": 0.1,
        "reward_scale": 0.1,
        "tau": 0.3,
        "lr": 1e-2,
    },
    **{name: {"network": name} for name in choices_of("network")[1:]},
    **{name: {"optimizer": name} for name in choices_of("optimizer")[1:]},
}


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_each_tick_of_a_lane_is_the_agents_own_update_of_the_same_batch(changes):
    config = replace(SMALL, steps=80, **changes)
    program, hyper = program_of(config), stacked([config] * LANES)
    agent, before = agent_of(config), began(program, hyper)[0]
    for model in (agent.model, agent.target_model):
        model.set_weights(lane_of(before.learner.weights, 0))
    for chunk, memory in ticks_of(program, [config] * LANES, max_steps=16):
        for age in range(int(before.t[0]) + 1, int(chunk.lanes.t[0]) + 1):
            if age % config.train_freq == 0 and age >= 2 * config.batch_size:
                loss = agent.update(sampled(program, chunk, memory, hyper))
                np.testing.assert_allclose(loss_of_tick(before, chunk.lanes), loss, rtol=1e-4)
                theirs = agent.model.get_weights()
                assert distance(lane_of(chunk.lanes.learner.weights, 0), theirs) < ROUNDING
            if age % config.target_update == 0:
                agent._pair.sync(tf.constant(config.tau))
        before = chunk.lanes
    assert before.learner.updates[0] == 17


def agent_of(config: Config) -> DQNAgent:
    names = {*fields_of("lane"), "batch_size"} - {"episodes", "steps"}

    def create_model(env, lr):
        components = {"network": config.network, "optimizer": config.optimizer}
        return networks.create_model(env, lr, config.hidden, config.activation, **components)

    return DQNAgent(
        gymnasium_env.make(config.env),
        create_model,
        **{name: getattr(config, name) for name in names},
    )


def sampled(program: Program, chunk: Chunk, memory: np.ndarray, hyper: Hyper) -> Transition:
    """The minibatch that lane 0 has just learned from."""
    index = sample_indices(chunk.lanes.t, hyper, program.key.batch_size)[0]
    return unpack(memory[0][index], program.key.observation_size)


def loss_of_tick(before: Lanes, after: Lanes) -> float:
    """What one tick has added to lane 0's sum of losses."""
    carried = before.episode.loss[0] if after.episodes[0] == before.episodes[0] else 0.0
    return float(after.episode.loss[0] - carried)


# A ledger for an environment: s = (n, -n), s' = (n + 1, -n - 1), r = 2 (n + 1) + action, and the
# end where n + 1 is a multiple of 5, all of it times UNIT, which rounds nothing.
UNIT = 2.0**-12
LEDGER = Dynamics(
    observation_size=2,
    actions=2,
    num_random=1,
    reset=lambda u: tf.floor(u * 2.0**16),
    step=lambda n, a: (
        n + 1,
        (2 * (n[..., 0] + 1) + tf.cast(a, tf.float32)) * UNIT,
        tf.math.floormod(n[..., 0] + 1, 5) == 0,
    ),
    observe=lambda n: tf.concat([n, -n], -1) * UNIT,
)


def ledger_of(config: Config, seed: int, actions: np.ndarray) -> list[list[float]]:
    """The rows that so many actions must leave."""
    words = random.random_bits(tf.fill([400], seed), Stream.START, tf.range(400), 1)
    starts = np.floor(random.to_uniform(words).numpy().ravel() * 2**16)
    rows, episode, length, n = [], 0, 0, starts[0]
    for a in actions:
        length += 1
        terminal, timeout = (n + 1) % 5 == 0, length == config.env.max_episode_steps
        r = 2 * (n + 1) + a
        cut = terminal or (timeout and config.timeout_terminal)
        rows.append([*np.array([n, -n, n + 1, -n - 1]) * UNIT, a, r * UNIT, float(cut)])
        n += 1
        if terminal or timeout:
            episode, length = episode + 1, 0
            n = starts[episode]
    return rows


@pytest.fixture(scope="module")
def ledger() -> Program:
    network = Architecture("mlp", (8,), "relu")
    return Program(ProgramKey("ledger", "", network, "adam", 8, 64, 2, 2, lanes=3), LEDGER)


def test_every_field_of_every_stored_transition_is_of_its_own_step_and_lane(ledger):
    configs = [
        replace(
            SMALL,
            env=EnvConfig("ledger", limit),
            buffer_size=C,
            train_freq=T,
            epsilon_min=0.5,
            **rest,
        )
        for limit, C, T, rest in (
            (3, 16, 4, {}),
            (4, 37, 7, {"timeout_terminal": True}),
            (9, 64, 40, {"double": True}),
        )
    ]
    stored, ages = [[] for _ in configs], np.zeros(3, int)
    for chunk, memory in ticks_of(ledger, configs, max_steps=16):
        for i, config in enumerate(configs):
            new = np.arange(ages[i], chunk.lanes.t[i]) % config.buffer_size
            stored[i] += memory[i, new].tolist()
            assert not memory[i, config.buffer_size :].any()
        ages = chunk.lanes.t.numpy()
    for config, rows in zip(configs, stored, strict=True):
        actions = [int(row[4]) for row in rows]
        assert len(rows) == 300
        assert 50 < sum(actions) < 250
        assert rows == ledger_of(config, SEED, actions)


def test_a_lane_that_is_over_or_diverged_changes_in_nothing_while_others_go_on(ledger):
    env = EnvConfig("ledger", 4)
    diverging, spent, going = (
        replace(SMALL, env=env, **changes) for changes in ({"lr": 1e25}, {"steps": 51}, {})
    )
    hyper = stacked([diverging, spent, replace(going, steps=150)])
    at_first = stacked([diverging, spent, replace(going, steps=61)])
    lanes, replay = began(ledger, hyper)
    chunk = advanced(ledger, lanes, replay, at_first, ANY)
    memory = parts(ledger, replay)
    after = advanced(ledger, chunk.lanes, replay, hyper, ANY)
    second_update = 2 * SMALL.batch_size + SMALL.train_freq
    assert chunk.lanes.diverged.numpy().tolist() == [True, False, False]
    assert chunk.lanes.t.numpy().tolist() == [second_update, 51, 61]
    assert after.lanes.t.numpy().tolist() == [second_update, 51, 150]
    assert after.alive.numpy().tolist() == [False] * 3
    for i in (0, 1):
        finite = (after.lanes.learner, after.lanes.episode.loss)
        assert all(np.isfinite(x).all() for x in lane_of(finite, i))
        for x, y in zip(lane_of(chunk.lanes, i), lane_of(after.lanes, i), strict=True):
            np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(memory[i], parts(ledger, replay)[i])
        assert after.recorded[i] == 0


@pytest.mark.parametrize(
    ("env", "limit"),
    [
        (EnvConfig("CartPole-v0"), 200),
        (EnvConfig("CartPole-v1"), 500),
        (EnvConfig("CartPole-v1", 7), 7),
        (EnvConfig("MountainCar-v0"), 200),
    ],
)
def test_a_lanes_time_limit_is_the_one_asked_for_or_else_the_registered_one(env, limit):
    assert hyper_of(replace(SMALL, env=env), SEED).time_limit == limit


@pytest.mark.parametrize("count", [1, 2**23 + 1, 2**24 + 1, 2**30 + 7, 2**31 - 1])
def test_counts_in_a_record_are_exact_beyond_what_float32_can_hold(count):
    numbers = [tf.constant([x]) for x in (1.0, count, 0.0, 0.0, 0)]
    write = tf.function(pack_episode, jit_compile=True)
    rows = write(EpisodeStats(*numbers), tf.constant([count]), tf.constant([0.5]))
    read = EpisodeBatch.of((0, 0), rows.numpy())
    assert (read.step[0], read.lengths[0]) == (count, count)


def test_an_episode_into_which_no_update_fell_has_no_loss():
    numbers = [tf.constant([x]) for x in (7.0, 2, 3.0, 0.0, 0)]
    rows = pack_episode(EpisodeStats(*numbers), tf.constant([2]), tf.constant([0.5]))
    read = EpisodeBatch.of((0, 0), rows.numpy())
    assert np.isnan(read.loss[0])
    assert (read.returns[0], read.q[0], read.epsilon[0]) == (7.0, 1.5, 0.5)


def test_two_seeds_differ_in_weights_starts_exploration_and_minibatches():
    program, hyper = program_of(SMALL), stacked([SMALL] * LANES)
    hyper = hyper._replace(seed=tf.constant([0, 1, 2, 0]), epsilon_min=tf.ones([LANES]))
    lanes, replay = began(program, hyper)
    chunk = advanced(program, lanes, replay, hyper, ANY)
    D, drawn = 4, sample_indices(chunk.lanes.t, hyper, 32)
    memory = parts(program, replay)
    seen = (
        lanes.learner.weights[0],
        lanes.state,
        memory[:, :16, 2 * D],  # actions, all of them at random, of the first 16 steps
        drawn,
    )
    for of_lane in (np.asarray(x) for x in seen):
        np.testing.assert_array_equal(of_lane[0], of_lane[3])
        for i, j in ((0, 1), (0, 2), (1, 2)):
            assert (of_lane[i] != of_lane[j]).any()


def test_the_replay_memory_is_changed_where_it_is():
    program, hyper = program_of(SMALL), stacked([SMALL] * LANES)
    lanes, replay = began(program, hyper)
    before, places = parts(program, replay), []
    for _ in range(3):
        places.append(np.asarray(memoryview(replay.read_value())).ctypes.data)
        lanes = advanced(program, lanes, replay, hyper, 9).lanes
    assert len(set(places)) == 1
    assert (parts(program, replay) != before).any()
