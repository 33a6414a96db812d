"""Trainings of 10⁷ steps and more in one lane: what counts steps stays exact up to the last."""

import io
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from lanes import COMPILED, HOSTED, LANES, SEED, SMALL, stacked, train
from rich.console import Console
from trainings import CONFIG, filled, result

from dqn.agents import dqn, random
from dqn.agents.replay import sample_indices
from dqn.config import Config, EnvConfig
from dqn.config.fields import INT_BOUND
from dqn.envs.program_key import Architecture, ProgramKey
from dqn.runtime.errors import UserError
from dqn.storage.reader import read
from dqn.storage.results_dir import ResultsDir
from dqn.terminal.progress import RunProgress
from dqn.terminal.tables import summary
from dqn.training import engine, jobs
from dqn.training.engine import Engine
from dqn.training.jobs import EpisodeBatch, Finished, Job, PoolUpdate
from dqn.training.lane_block import hyper_of
from sweeps.analysis.candidates import read_candidate
from sweeps.analysis.learning_curves import curve

LAST = INT_BOUND - 1
SIGNALLING = 0x7F80_0001  # as bits of a float32 it is a NaN that arithmetic would alter
AGES = [2**24 + 1, 10**7, 10**9 + 7, SIGNALLING, LAST - 60]


def aged(config: Config, age: int) -> Finished:
    """A training that has begun, made `age` steps old, and trained to its end."""
    worker = Engine(LANES)
    worker.advance([Job(0, SEED, replace(config, steps=0))])
    (block,) = worker._blocks.values()
    lanes, old = block._lanes, int(block._lanes.t[0])
    block._hyper.steps[0] = hyper_of(config, SEED).steps
    block._lanes = lanes._replace(t=tf.where(lanes.t == old, age, lanes.t))
    (finished,) = train([], worker).values()
    at = int(np.argmax(finished.episodes.step >= age))
    later = {
        name: getattr(finished.episodes, name)[at:]
        for name in ("step", "returns", "lengths", "epsilon", "loss", "q")
    }
    return replace(finished, episodes=EpisodeBatch(finished.key, **later))


@pytest.mark.parametrize("env", [COMPILED, HOSTED], ids=["compiled", "hosted"])
@pytest.mark.parametrize("age", AGES)
def test_a_lane_counts_every_step_of_a_long_training(env, age):
    end = age + 60
    slow = replace(SMALL, env=env, epsilon_decay=1e-8, epsilon_min=0.0, episodes=10**6)
    finished = aged(replace(slow, steps=end), age)
    assert (finished.status, finished.steps) == ("done", end)
    steps, lengths = finished.episodes.step.astype(int), finished.episodes.lengths
    assert len(steps) > 2
    assert age < steps[0] <= age + 15  # the time limit: an episode was under way
    assert (np.diff(steps) == lengths[1:]).all()
    assert end - 15 < steps[-1] <= end
    np.testing.assert_allclose(finished.episodes.epsilon, np.exp(steps * math.log1p(-1e-8)), 1e-5)
    np.testing.assert_array_equal(finished.episodes.returns[1:], lengths[1:])


@pytest.mark.parametrize("env", [COMPILED, HOSTED], ids=["compiled", "hosted"])
def test_a_training_bound_by_episodes_ends_with_the_last_step_that_can_be_counted(env):
    finished = aged(replace(SMALL, env=env, episodes=10**6, steps=0), LAST - 60)
    assert (finished.status, finished.steps) == ("done", LAST)
    assert (finished.episodes.step > 0).all()


@pytest.mark.parametrize("age", AGES)
def test_a_lane_learns_and_moves_its_target_when_it_is_due_however_old(age):
    hyper = stacked([replace(SMALL, train_freq=n, target_update=7 * n, tau=0.25)
                     for n in (1, 2, 3, 5)])  # fmt: skip
    for now in range(age, age + 12):
        ages = tf.fill([4], now)
        due = dqn.learning_due(ages, ages - 1, hyper, 8).numpy()
        assert due.tolist() == [now % n == 0 for n in (1, 2, 3, 5)]
        learner = dqn.Learner([tf.ones([4, 1])], [tf.zeros([4, 1])], (), tf.zeros([4]))
        moved = dqn.sync(learner, ages, ages - 11, hyper).target[0].numpy()[:, 0]
        times = [sum(step % (7 * n) == 0 for step in range(now - 11, now)) for n in (1, 2, 3, 5)]
        np.testing.assert_allclose(moved, [1 - 0.75**n for n in times], 1e-6)


@pytest.mark.parametrize("age", AGES)
def test_an_old_lane_draws_from_all_that_it_holds_and_never_the_same_twice(age):
    hyper = stacked([replace(SMALL, buffer_size=100)] * 4)
    index = np.stack([sample_indices(tf.fill([4], n), hyper, 64) for n in (age, age - 1)])
    assert (index >= 0).all()
    assert (index < 100).all()
    assert len(np.unique(index)) > 60  # of 128 draws
    words = [random.random_bits(tf.constant([SEED]), random.Stream.EXPLORATION, tf.constant([n]), 2)
             for n in (age, age - 1, age % 2**24, age % 2**23)]  # fmt: skip
    assert len({tuple(np.ravel(word)) for word in words}) >= len({age, age % 2**24, age % 2**23})


@pytest.mark.parametrize("age", [0, 1, *AGES, LAST])
def test_epsilon_is_its_closed_form_however_many_actions(age):
    configs = [
        replace(SMALL, epsilon_decay=1e-9, epsilon_min=0.0),
        replace(SMALL, epsilon_decay=1.0, epsilon_min=0.01),
        replace(SMALL, epsilon_schedule="linear", exploration_steps=LAST, epsilon_min=0.0),
        replace(SMALL, epsilon_schedule="linear", exploration_steps=10**7, epsilon_min=0.1),
    ]
    got = dqn.epsilon(tf.fill([4], age), stacked(configs)).numpy()
    text = [math.exp(age * math.log1p(-1e-9)), 0.01 if age else 1.0, 1 - age / LAST,
            1 - 0.9 * min(1, age / 10**7)]  # fmt: skip
    np.testing.assert_allclose(got, text, rtol=1e-5, atol=2e-7)


def old_training(seed: int) -> dict:
    """Of a training whose episodes end at steps that neither float32 nor less than int32 hold."""
    step = np.array([2**24 + 1, 10**9 + 7, LAST - 2 * seed], np.int32)
    lengths = np.diff(step, prepend=np.int32(0))
    return {"seed": seed, "steps": int(step[-1]), "step": step, "lengths": lengths}


def test_tables_hold_every_count_as_it_is(tmp_path, capsys):
    config = replace(CONFIG, steps=LAST, episodes=0)
    trainings = [result(**old_training(seed), config=config) for seed in range(3)]
    filled(tmp_path / "run", *trainings, config=config)
    with ResultsDir(tmp_path / "run", config) as folder:
        for frame in (pd.read_csv(tmp_path / "run" / "seeds.csv"), folder.rows()):
            assert frame["steps"].tolist() == [LAST, LAST - 2, LAST - 4]
    episodes = pd.read_parquet(tmp_path / "run" / "episodes.parquet")
    assert episodes.loc[episodes["seed"] == 1, "step"].tolist() == old_training(1)["step"].tolist()
    assert episodes.groupby("seed")["length"].sum().tolist() == [LAST, LAST - 2, LAST - 4]
    results = read(tmp_path / "run")
    assert results.config(0).steps == LAST
    drawn, _ = curve(read_candidate(str(tmp_path / "run")), steps=True)
    assert (drawn["place"].iloc[-1], len(drawn)) == (LAST, 400)
    table = summary(pd.read_csv(tmp_path / "run" / "seeds.csv"), dict.fromkeys(
        [m + e for m in ("mean_return", "best_return", "final_return", "test_return", "collapse")
         for e in ("", "_low", "_high")], math.nan))  # fmt: skip
    assert "2,147,483,647" in table


def test_progress_is_right_past_2_to_the_24_and_up_to_the_last_step():
    config = Config(seeds=1, steps=LAST, episodes=0)
    text = io.StringIO()
    with RunProgress([0], config, Console(file=text, width=200)) as view:
        for part, step in enumerate((2**24 + 1, 10**9 + 7, LAST)):
            numbers = np.array([step], np.int32)
            some = np.ones(1, np.float32)
            update = jobs.EpisodeBatch((0, 0), numbers, some, numbers, some, some, some)
            view.report(PoolUpdate([update], [], [], [], []))
            seed = view._seeds[0]
            assert (seed.step, seed.episode) == (step, part + 1)
            assert seed.share(config) == step / LAST


def test_steps_that_no_lane_can_count_are_refused():
    for key in ("steps", "episodes", "exploration_steps", "learning_starts", "buffer_size"):
        assert getattr(Config(**{key: LAST}), key) == LAST
        with pytest.raises(UserError, match=rf"{key} must be >= \d and < 2\^31"):
            Config(**{key: INT_BOUND})


def test_an_episode_whose_return_float32_cannot_hold_is_refused():
    longest = 2**24
    assert np.float32(longest - 1) + np.float32(1) == longest
    assert np.float32(longest) + np.float32(1) == longest
    config = Config(env=EnvConfig("CartPole-v1", max_episode_steps=longest))
    with pytest.raises(UserError, match=r"env.max_episode_steps must be at most 2\^24"):
        replace(config, env=EnvConfig("CartPole-v1", max_episode_steps=longest + 1))


def test_a_block_whose_rows_32_bits_cannot_number_is_refused(monkeypatch):
    monkeypatch.setattr(engine, "free_bytes", lambda: None)  # however much there is
    network = Architecture("mlp", (8,), "relu")
    key = ProgramKey("cartpole", "", network, "adam", 32, 2**27 - 2, 4, 2, 16)
    assert engine.shortage(key) == ""
    assert "less than 2^31 transitions" in engine.shortage(key._replace(capacity=2**27 - 1))


@pytest.mark.slow
def test_ten_million_steps_in_lanes_are_all_there():
    """16 lanes of 700,000 steps, and one network update in each, its first."""
    config = Config(
        hidden=(2,), batch_size=1, buffer_size=2, learning_starts=699_999, train_freq=699_999,
        target_update=10**6, episodes=0, steps=700_000, test_episodes=1, epsilon_decay=1e-7,
    )  # fmt: skip
    over = train([Job(0, seed, config) for seed in range(16)], Engine(16)).values()
    assert [one.status for one in over] == ["done"] * 16
    assert sum(one.steps for one in over) == 11_200_000
    for one in over:
        step, lengths = one.episodes.step.astype(int), one.episodes.lengths
        assert (step == lengths.astype(int).cumsum()).all()
        assert 700_000 - 200 < step[-1] <= 700_000
        np.testing.assert_array_equal(one.episodes.returns, lengths)
        np.testing.assert_allclose(one.episodes.epsilon, np.exp(step * math.log1p(-1e-7)), 1e-6)
