"""Engines: a lane's result is its own, whatever is beside it, before it and between its chunks."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import reference
from lanes import (
    COMPILED,
    KINDS,
    LANES,
    MIXED,
    SEED,
    SMALL,
    assert_all_same,
    assert_follows,
    assert_same,
    chunks_of,
    followed,
    hosted,
    jobs_of,
    program_of,
    train,
)

from dqn.agents.block import RECORDS
from dqn.agents.random import Stream
from dqn.config import Config, EnvConfig
from dqn.envs import gymnasium_env
from dqn.envs.program_key import CAPACITY
from dqn.training import engine, lane_block
from dqn.training.engine import Engine
from dqn.training.jobs import Job

JOBS = jobs_of(MIXED)  # seven for four lanes
of_each_kind = pytest.mark.parametrize("of_kind", KINDS.values(), ids=KINDS)


@pytest.fixture(scope="module", params=KINDS)
def jobs(request):
    """More mixed jobs than there are lanes: compiled ones, or stepped in Python."""
    return JOBS if request.param == "compiled" else jobs_of(map(hosted, MIXED[1:6]))


@pytest.fixture(scope="module")
def alone(jobs):
    """What each of the mixed jobs comes to in an engine of its own."""
    return {job.key: train([job])[job.key] for job in jobs}


def test_a_lane_alone_follows_the_reference(jobs, alone):
    for job in jobs:
        assert_follows(alone[job.key], followed(job.config, job.seed))


def test_a_lane_has_the_same_bits_alone_among_others_and_after_a_refill(jobs, alone):
    assert_all_same(train(jobs), alone)


@pytest.mark.parametrize("order", [[6, 5, 4, 3, 2, 1, 0], [3, 0, 6, 2, 5, 1, 4]])
def test_the_order_of_jobs_permutes_results_and_nothing_else(jobs, alone, order):
    assert_all_same(train([jobs[i] for i in order if i < len(jobs)]), alone)


def test_jobs_that_come_later_have_the_same_bits(jobs, alone):
    worker, over, coming = Engine(LANES), {}, list(jobs)
    while coming or worker.busy:
        finished = worker.advance([coming.pop(0)] if coming else [])[1]
        over |= {result.job.key: result for result in finished}
    assert_all_same(over, alone)


@pytest.mark.parametrize("ticks", [1, 7])
def test_chunks_may_fall_anywhere(jobs, alone, ticks, monkeypatch):
    monkeypatch.setattr(lane_block, "TICKS", ticks)
    assert_all_same(train(jobs), alone)


@pytest.mark.parametrize(
    ("seconds", "lengths"), [(1e-9, [128, 64, 32, 16, 8, 4, 2, 1, 1]), (1e9, [128, 256, 500, 500])]
)
def test_a_chunk_is_made_to_take_the_same_time_whatever_a_tick_takes(seconds, lengths, monkeypatch):
    monkeypatch.setattr(lane_block, "CHUNK", seconds)
    monkeypatch.setattr(lane_block, "TICKS", 500)
    endless = replace(SMALL, steps=0, episodes=10**6, env=EnvConfig("CartPole-v0"))
    worker, got, new = Engine(LANES), [], [Job(0, SEED, endless)]
    for _ in lengths:
        before = worker.ticks
        worker.advance(new)
        new = []
        got.append((worker.ticks - before) // LANES)
    assert got == lengths


def test_bits_stay_in_a_block_of_the_default_size_and_the_exercises_shape():
    exercise = Config(steps=200, test_episodes=2, learning_starts=64)
    changes = [{}, {"double": True}, {"train_freq": 1}, {"tau": 0.5, "target_update": 7}]
    jobs = [
        Job(trial, seed, replace(exercise, **change))
        for trial, change in enumerate(changes)
        for seed in range(5)
    ]
    together, again = train(jobs, Engine()), train(jobs[::-1], Engine())
    assert_all_same(together, again)
    for job in jobs[:: len(changes) + 2]:
        assert_same(train([job], Engine())[job.key], together[job.key])


def test_two_seeds_of_one_configuration_are_two_trainings():
    one, other = train([Job(0, seed, SMALL) for seed in (0, 1)]).values()
    assert (one.weights[0] != other.weights[0]).any()
    assert one.episodes.lengths.tolist() != other.episodes.lengths.tolist()


def test_episodes_come_as_they_end_and_once_more_with_the_whole_training(monkeypatch):
    monkeypatch.setattr(lane_block, "TICKS", 10)
    parts, whole = {job.key: [] for job in JOBS}, {}
    for chunk in chunks_of(JOBS, Engine(LANES)):
        for part in chunk.episodes:
            assert part.key not in whole
            parts[part.key].append(part)
        whole |= {result.job.key: result.episodes for result in chunk.finished}
    for key, several in parts.items():
        assert len(several) > 1
        for name in ("step", "returns", "lengths", "epsilon", "loss", "q"):
            column = np.concatenate([getattr(part, name) for part in several])
            np.testing.assert_array_equal(column, getattr(whole[key], name))


# Budgets


@of_each_kind
@pytest.mark.parametrize(("episodes", "steps"), [(5, 0), (0, 57), (5, 57), (50, 57), (5, 1000)])
def test_a_budget_is_spent_exactly(of_kind, episodes, steps):
    config = replace(of_kind(SMALL), episodes=episodes, steps=steps)
    for result in train(jobs_of(replace(config, train_freq=T) for T in (4, 7, 40))).values():
        lengths = result.episodes.lengths
        assert result.status == "done"
        assert result.episodes.step.tolist() == lengths.cumsum().tolist()
        spent_episodes = len(lengths) == episodes and result.steps == lengths.sum()
        spent_steps = result.steps == steps and lengths.sum() <= steps
        assert spent_episodes or spent_steps
        assert not episodes or len(lengths) <= episodes
        assert not steps or result.steps <= steps


@of_each_kind
def test_more_episodes_in_a_chunk_than_a_record_holds_lose_nothing(of_kind):
    one_step = replace(COMPILED, max_episode_steps=1)
    config = replace(of_kind(replace(SMALL, env=one_step)), episodes=4 * RECORDS + 7, steps=0)
    for result in train(jobs_of(replace(config, train_freq=T) for T in (1, 4, 16, 40))).values():
        assert result.episodes.step.tolist() == list(range(1, config.episodes + 1))
        assert set(result.episodes.lengths) == set(result.episodes.returns) == {1}


def test_no_lane_idles_while_a_job_waits():
    worker, budgets = Engine(LANES), [300, 40, 40, 40] * 8
    train(jobs_of(replace(SMALL, steps=steps) for steps in budgets), worker)
    longest = 300 // SMALL.train_freq
    assert worker.work == sum(budgets) // SMALL.train_freq
    assert worker.ticks - worker.work <= (LANES - 1) * longest  # the last ones have no successor


# Compilations


def test_nothing_is_compiled_for_refills_and_other_lane_hyperparameters():
    train(JOBS[:1])
    program = program_of(SMALL)
    compiled = program.compilations
    assert compiled == 3  # a chunk, a refill, the test episodes
    jobs = jobs_of([*MIXED, replace(SMALL, buffer_size=CAPACITY), replace(SMALL, episodes=3)], 9)
    train(jobs)
    assert program.compilations == compiled
    assert all(program_of(job.config) is program for job in jobs)


@pytest.fixture
def programs(monkeypatch):
    """The programs that engines ask for from here on, and how often each."""
    asked = []
    original = engine._program
    monkeypatch.setattr(engine, "_program", lambda key: asked.append(original(key)) or asked[-1])
    return asked


def test_each_new_shape_is_compiled_once_and_shapes_take_turns(programs):
    other = replace(SMALL, hidden=(9,), activation="tanh", test_episodes=0)
    jobs = [Job(t, s, config) for t, config in enumerate((SMALL, other)) for s in range(6)]
    chunks = chunks_of(jobs, Engine(LANES))
    turns = [{part.key[0] for part in chunk.episodes} for chunk in chunks]
    assert turns[:4] == [{0}, {1}, {0}, {1}]
    small, tanh = programs
    assert (small.key.network.hidden, tanh.key.network.hidden) == ((8,), (9,))
    assert tanh.compilations == 2  # a chunk, a refill
    train([Job(0, 9, other), Job(1, 9, replace(other, lr=0.1, train_freq=2))])
    assert programs[2] is tanh
    assert tanh.compilations == 2


@pytest.mark.parametrize(
    "change",
    [
        {"env": EnvConfig("Acrobot-v1")},
        {"hidden": (8, 8)},
        {"activation": "tanh"},
        {"batch_size": 16},
        {"buffer_size": CAPACITY + 1, "steps": CAPACITY + 1},
    ],
)
def test_what_makes_a_shape_makes_a_program(change):
    assert program_of(replace(SMALL, **change)) is not program_of(SMALL)


@pytest.mark.parametrize(
    ("change", "capacity"),
    [
        ({"buffer_size": CAPACITY, "steps": 10**6}, CAPACITY),
        ({"buffer_size": CAPACITY + 1, "steps": 10**6}, 2 * CAPACITY),
        ({"buffer_size": 10**6, "steps": 5000}, CAPACITY),
        ({"buffer_size": 10**6, "steps": 0, "episodes": 100}, CAPACITY),
        ({"buffer_size": 10**5, "steps": 0, "episodes": 10**6}, 131072),
    ],
)
def test_a_lane_has_room_for_all_that_it_can_ever_store_at_once(change, capacity):
    assert program_of(replace(SMALL, **change)).key.capacity == capacity


# Cancelling


def test_a_cancelled_lane_ends_as_pruned_and_makes_room(jobs, alone, monkeypatch):
    monkeypatch.setattr(lane_block, "TICKS", 10)
    worker, cancelled = Engine(LANES), jobs[1].key
    results = worker.advance(jobs)[1] + worker.advance(cancelled=[cancelled])[1]
    others = {result.key: result for result in results}
    pruned = others.pop(cancelled)
    assert (pruned.job, pruned.status) == (jobs[1], "pruned")
    assert 0 < pruned.steps < jobs[1].config.steps
    count = len(pruned.episodes.step)
    assert count > 0
    assert pruned.episodes.step.tolist() == alone[cancelled].episodes.step[:count].tolist()
    assert [w.shape for w in pruned.weights] == [w.shape for w in alone[cancelled].weights]
    assert len(pruned.test_returns) == 0
    others |= train([], worker)
    assert_all_same(others, {key: alone[key] for key in alone if key != cancelled})


def test_a_cancelled_lane_does_no_more_work(monkeypatch):
    monkeypatch.setattr(lane_block, "TICKS", 10)
    worker, (one, other) = Engine(LANES), jobs_of([SMALL, SMALL])
    worker.advance([one, other])
    assert worker.work == 2 * 10
    worker.advance(cancelled=[one.key])
    assert worker.work == 3 * 10
    train([], worker)
    assert worker.work == 10 + SMALL.steps // SMALL.train_freq


def test_a_cancelled_job_that_waits_never_begins():
    worker = Engine(LANES)
    worker.advance(JOBS)
    finished = worker.advance(cancelled=[JOBS[6].key])[1]
    pruned = next(result for result in finished if result.job == JOBS[6])
    assert (pruned.status, pruned.steps, len(pruned.episodes.step)) == ("pruned", 0, 0)
    assert JOBS[6].key not in train([], worker)


def test_cancelling_all_leaves_an_engine_with_nothing_to_do(monkeypatch):
    monkeypatch.setattr(lane_block, "TICKS", 3)
    worker = Engine(LANES)
    worker.advance(JOBS)
    finished = worker.advance(cancelled=[job.key for job in JOBS])[1]
    assert {result.job.key for result in finished} == {job.key for job in JOBS}
    assert {result.status for result in finished} == {"pruned"}
    assert not worker.busy
    assert worker.advance() == ([], [])


def test_cancelling_what_is_not_here_or_no_longer_does_nothing():
    worker = Engine(LANES)
    train(JOBS[:1], worker)
    assert worker.advance(cancelled=[JOBS[0].key, (77, 7)]) == ([], [])


# After training


def test_test_episodes_are_greedy_to_their_end_from_starts_of_their_own():
    config = replace(SMALL, env=EnvConfig("CartPole-v0", 60), lr=1e-2)
    env = gymnasium_env.make(config.env)
    for (_, seed), result in train([Job(0, seed, config) for seed in range(LANES)]).items():
        start = reference.drawn_starts(env, seed, Stream.TEST)
        greedy = [reference.greedy_return(env, result.weights, start(i)) for i in range(2)]
        assert result.test_returns.tolist() == greedy
    env.close()


def test_without_a_time_limit_no_episode_is_cut_but_a_test_ends(monkeypatch):
    gymnasium.register("Endless-v0", "gymnasium.envs.classic_control:MountainCarEnv")
    monkeypatch.setattr(lane_block, "TEST_STEPS", 50)
    (result,) = train([Job(0, SEED, replace(SMALL, env=EnvConfig("Endless-v0")))]).values()
    assert (result.steps, len(result.episodes.returns)) == (300, 0)
    assert result.test_returns.tolist() == [-50.0, -50.0]


def test_only_whole_trainings_are_tested_and_only_as_often_as_asked():
    config = replace(SMALL, test_episodes=0)
    assert len(train([Job(0, SEED, config)])[0, SEED].test_returns) == 0
    assert len(train([Job(0, SEED, SMALL)])[0, SEED].test_returns) == SMALL.test_episodes


# Divergence


def test_a_lane_that_diverges_is_found_frozen_and_reported_and_harms_nobody(jobs, alone, request):
    of_kind = KINDS[request.node.callspec.params["jobs"]]
    diverging = replace(of_kind(SMALL), lr=1e25)  # from its second update on nothing is finite
    first = 2 * SMALL.batch_size
    second = first + SMALL.train_freq
    job = Job(50, SEED, diverging)
    others = train([*jobs[:2], job, *jobs[2:]])
    broken = others.pop(job.key)
    assert (broken.status, broken.steps) == ("diverged", second)
    assert all(np.isfinite(w).all() for w in broken.weights)
    assert len(broken.test_returns) == 0
    last_finite = train([Job(0, SEED, replace(diverging, steps=first))])[0, SEED]
    assert last_finite.status == "done"
    for w, v in zip(broken.weights, last_finite.weights, strict=True):
        np.testing.assert_array_equal(w, v)
    assert_all_same(others, alone)
