"""Small trainings in small blocks, for the tests of lanes: one network shape, so one compilation.

Everything a test may vary between them is a lane hyperparameter; `VARIED` has a change of each.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import gymnasium
import numpy as np
import reference
import tensorflow as tf

from dqn.agents.compiled_loop import Program
from dqn.agents.dqn import Hyper
from dqn.agents.stepped_loop import SteppedProgram
from dqn.config import Config, EnvConfig
from dqn.training import engine
from dqn.training.engine import Engine
from dqn.training.jobs import ChunkResult, Finished, Job, TrainingId
from dqn.training.lane_block import hyper_of

LANES = 4
SEED = 3  # with it online and target network do disagree on actions, as double DQN needs
COMPILED = EnvConfig("CartPole-v0", max_episode_steps=15)
HOSTED = EnvConfig("StepwiseInPython-v0", max_episode_steps=15)
gymnasium.register(HOSTED.id, "gymnasium.envs.classic_control:CartPoleEnv", max_episode_steps=200)

SMALL = Config(
    env=COMPILED,  # whose random episodes end by failure and by time-out alike
    hidden=(8,),
    batch_size=8,
    buffer_size=100,
    lr=3e-3,
    target_update=10,  # not a multiple of T_train = 4
    epsilon_decay=0.01,
    exploration_steps=100,
    episodes=0,
    steps=300,
    test_episodes=2,
)

# For every lane hyperparameter a change that a training must show, and what that needs to be seen.
VARIED: dict[str, tuple[dict, dict]] = {
    "lr": ({}, {"lr": 1e-2}),
    "gamma": ({}, {"gamma": 0.5}),
    "buffer_size": ({}, {"buffer_size": 17}),
    "learning_starts": ({}, {"learning_starts": 150}),
    "train_freq": ({}, {"train_freq": 3}),
    "target_update": ({}, {"target_update": 31}),
    "tau": ({}, {"tau": 0.3}),
    "epsilon_start": ({}, {"epsilon_start": 0.4}),
    "epsilon_min": ({}, {"epsilon_min": 0.5}),
    "epsilon_decay": ({}, {"epsilon_decay": 0.05}),
    "epsilon_schedule": ({}, {"epsilon_schedule": "linear"}),
    "exploration_steps": ({"epsilon_schedule": "linear"}, {"exploration_steps": 30}),
    "reward_scale": ({}, {"reward_scale": 0.1}),
    "double": ({"lr": 1e-2, "target_update": 60}, {"double": True}),
    "huber_delta": ({}, {"huber_delta": 0.2}),
    "grad_clip": ({}, {"grad_clip": 0.05}),
    "timeout_terminal": ({"epsilon_min": 1.0}, {"timeout_terminal": True}),
    "episodes": ({}, {"episodes": 5}),
    "steps": ({}, {"steps": 203}),
}

# Lanes with as little in common as lanes can have; T_train = 40 is longer than a tick.
MIXED = [
    SMALL,
    replace(SMALL, double=True, huber_delta=0.5, epsilon_schedule="linear", buffer_size=33),
    replace(SMALL, train_freq=3, tau=0.3, grad_clip=0.5, gamma=0.9, target_update=5),
    replace(SMALL, train_freq=40, reward_scale=0.1, tau=0.5, timeout_terminal=True),
    replace(SMALL, train_freq=1, target_update=3, lr=1e-2, learning_starts=60, steps=151),
    replace(SMALL, epsilon_start=0.3, epsilon_min=0.2, double=True, episodes=7, buffer_size=8192),
    replace(SMALL, env=replace(COMPILED, max_episode_steps=9), train_freq=8, epsilon_decay=0.1),
]


def hosted(config: Config) -> Config:
    """The same over the CartPole that Gymnasium steps, two thirds as long."""
    return replace(config, env=replace(config.env, id=HOSTED.id), steps=config.steps * 2 // 3)


KINDS = {"compiled": lambda config: config, "hosted": hosted}


def followed(config: Config, seed: int = SEED) -> reference.Training:
    """What the reference tells of a training."""
    starts = [reference.seeded_starts] if config.env.id == HOSTED.id else []
    return reference.train(config, seed, *starts)


def varied(key: str) -> tuple[Config, Config]:
    """A configuration and the same one with another `field`."""
    context, change = VARIED[key]
    base = replace(SMALL, **context)
    return base, replace(base, **change)


def jobs_of(configs: Iterable[Config], seed: int = SEED) -> list[Job]:
    """A trial for each configuration, all of one seed."""
    return [Job(trial, seed, config) for trial, config in enumerate(configs)]


def chunks_of(jobs: Iterable[Job], worker: Engine) -> Iterator[ChunkResult]:
    """What each chunk gives, until `jobs` and all others are over."""
    while jobs or worker.busy:
        new, jobs = jobs, ()
        yield worker.chunk(new)


def train(jobs: Iterable[Job], worker: Engine | None = None) -> dict[TrainingId, Finished]:
    """Train `jobs` to their ends."""
    chunks = chunks_of(jobs, worker or Engine(LANES))
    return {result.key: result for chunk in chunks for result in chunk.finished}


def stored(job: Job, worker: Engine) -> np.ndarray:
    """The rows [steps, columns] that a training under way has stored, none of them overwritten."""
    for block in worker._blocks.values():
        for i, slot in block._slots.items():
            if slot.job == job:
                rows = np.asarray(block._replay)
                rows = rows.reshape(len(block._alive), -1, rows.shape[-1])
                return rows[i, : int(block._lanes.t[i])].copy()
    raise KeyError(job.key)


def program_of(config: Config, lanes: int = LANES) -> Program | SteppedProgram:
    """The program that an engine trains `config` with: the very one, if it is a compiled one."""
    return engine._program(Engine(lanes)._key(Job(0, 0, config)))


def stacked(configs: Iterable[Config], seed: int = SEED) -> Hyper:
    """`Hyper` of one lane a configuration."""
    return Hyper(
        *map(tf.constant, zip(*(hyper_of(config, seed) for config in configs), strict=True))
    )


def assert_same(one: Finished, other: Finished) -> None:
    """Two trainings agree in every bit of all that they leave, but for the time they took."""
    assert (one.status, one.steps) == (other.status, other.steps)
    for name in ("step", "returns", "lengths", "epsilon", "loss", "q"):
        np.testing.assert_array_equal(
            getattr(one.episodes, name), getattr(other.episodes, name), name
        )
    np.testing.assert_array_equal(one.test_returns, other.test_returns)
    for w, v in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(w, v)


def assert_all_same(some, others) -> None:
    """The same trainings, each with the same bits."""
    assert some.keys() == others.keys()
    for key in some:
        assert_same(some[key], others[key])


def assert_follows(result: Finished, text: reference.Training) -> None:
    """A lane did what the reference tells: the same steps, and numbers equal within rounding."""
    assert result.steps == text.steps
    assert len(result.episodes.step) == len(text.episodes) > 0
    for name, close in {"step": 0, "returns": 0, "lengths": 0, "epsilon": 1e-6}.items():
        column = [episode[name] for episode in text.episodes]
        np.testing.assert_allclose(getattr(result.episodes, name), column, rtol=close, err_msg=name)
    for name in ("loss", "q"):
        column = [episode[name] for episode in text.episodes]
        np.testing.assert_allclose(
            getattr(result.episodes, name), column, rtol=1e-3, atol=1e-4, err_msg=name
        )
    assert distance(result.weights, text.weights) < ROUNDING


ROUNDING = 2e-5  # of weights near 1, after up to 300 updates; what is ignored moves them by 1e-3


def distance(weights, others) -> float:
    """The largest difference between two networks' weights."""
    return max(float(np.abs(w - v).max()) for w, v in zip(weights, others, strict=True))
