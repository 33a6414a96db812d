"""One block of lanes at work: which job is in which lane, and what it has earned so far."""

import time
from collections import deque

import numpy as np
import tensorflow as tf

from dqn.agents.compiled_loop import Program
from dqn.agents.dqn import Hyper
from dqn.agents.stepped_loop import SteppedProgram
from dqn.config import Config
from dqn.config.fields import INT_BOUND
from dqn.envs import gymnasium_env
from dqn.runtime.errors import EnvError
from dqn.statistics.episode_columns import EPISODE_COLUMNS
from dqn.training.jobs import EpisodeBatch, Finished, Job, Status, TrainingId

CHUNK = 0.4  # seconds that one is to take: a cancelled lane works no longer, and each is reported
FIRST_TICKS, TICKS = 128, 4096  # of a block's first chunk, and of any
MAX_STEPS_PER_TICK = 16  # environment steps a tick at most: a longer T_train takes several ticks
TEST_STEPS = 100_000  # of a test episode at most, in an environment that has no time limit
_IDLE = -1  # a budget of episodes that is always spent
_ENDLESS = INT_BOUND - 1  # one that never is; and a lane ends before its steps would overflow


class _Slot:
    """A lane's occupant."""

    def __init__(self, job: Job):
        self.job, self.seconds = job, 0.0
        self.records = [np.zeros((0, len(EPISODE_COLUMNS)), np.float32)]


class Block:
    """L lanes of one program, each empty or at work on one job."""

    def __init__(self, program: Program | SteppedProgram):
        self._program = program
        self._stepped = program if isinstance(program, SteppedProgram) else None
        self._lanes, self._replay = program.empty()
        self._slots: list[_Slot | None] = [None] * program.key.lanes
        idle = hyper_of(Config(), seed=0) | {"episodes": np.int32(_IDLE)}
        self._hyper = {name: np.full(len(self._slots), idle[name]) for name in Hyper._fields}
        self._ticks = FIRST_TICKS
        self._alive = np.ones(len(self._slots), bool)  # after the last chunk
        self.lane_ticks = self.work = 0
        """Of the last chunk: L times its ticks, and how many of them a lane was at work in."""

    @property
    def keys(self) -> set[TrainingId]:
        """The jobs under way."""
        return {slot.job.key for slot in self._slots if slot is not None}

    @property
    def compilations(self) -> int:
        """How many programs its shape has by now, whichever block asked for them."""
        return self._program.compilations

    def fill(self, waiting: deque[Job], most: int, elsewhere: bool = False) -> None:
        """Put waiting jobs into the free lanes, taking them off `waiting`: `most` at once.

        Also fewer: where other lanes, or with `elsewhere` other blocks, have all environments that
        can exist, a job waits for one of those.
        """
        begun = np.zeros(len(self._slots), bool)
        for i, slot in enumerate(self._slots):
            if slot is not None or not waiting or len(self.keys) >= most:
                continue
            if self._stepped and not self._stepped.can_begin(i, waiting[0].seed, elsewhere):
                continue
            job = waiting.popleft()
            begun[i] = True
            self._slots[i] = _Slot(job)
            self._set(i, hyper_of(job.config, job.seed))
        if begun.any():
            self._lanes = self._program.refill(self._lanes, tf.constant(begun), self._tensors())

    def advance(self, return_early: bool) -> list[EpisodeBatch]:
        """Run one chunk; with `return_early`, only until a lane falls free."""
        began = time.perf_counter()
        at_work = [slot for slot in self._slots if slot is not None]
        most = min(self._ticks, TICKS)
        chunk = self._program.chunk(
            self._lanes,
            self._replay,
            self._tensors(),
            tf.constant(most),
            tf.constant(MAX_STEPS_PER_TICK),
            tf.constant(len(at_work) if return_early else 1),
        )
        self._lanes = chunk.lanes
        records, recorded = np.asarray(chunk.records), np.asarray(chunk.recorded)
        self._alive = np.asarray(chunk.alive)
        ticks, took = int(chunk.ticks), time.perf_counter() - began
        self.lane_ticks, self.work = ticks * len(self._slots), int(chunk.work)
        if ticks == most:
            self._ticks = max(1, most // 2, min(round(CHUNK * ticks / took), 2 * most))
        share = took / len(at_work)
        episodes = []
        for slot, rows, count in zip(self._slots, records, recorded, strict=True):
            if slot is not None:
                slot.seconds += share
                if count:
                    slot.records.append(rows[:count].copy())
                    episodes.append(EpisodeBatch.of(slot.job.key, slot.records[-1]))
        return episodes

    def take_finished(self) -> list[Finished]:
        """Read out the trainings that are over and free their lanes."""
        diverged = self._lanes.diverged.numpy()
        return [
            self._finish(i, slot, bool(diverged[i]))
            for i, slot in enumerate(self._slots)
            if slot is not None and not self._alive[i]
        ]

    def cancel(self, key: TrainingId) -> Finished:
        """End a training as `pruned` and free its lane."""
        i, slot = next((i, s) for i, s in enumerate(self._slots) if s and s.job.key == key)
        return self._end(i, slot, "pruned")

    def close(self) -> None:
        """Let go of environments stepped in Python."""
        if self._stepped:
            self._stepped.close()

    def _finish(self, i: int, slot: _Slot, diverged: bool) -> Finished:
        """Test a training that is over, and free its lane."""
        began, stepped = time.perf_counter(), self._stepped
        failure, returns = stepped.broken.get(i, "") if stepped else "", ()
        if not (failure or diverged) and slot.job.config.test_episodes:
            try:
                returns = self._test(i, slot.job.config.test_episodes)
            except EnvError as error:
                failure = str(error)
        slot.seconds += time.perf_counter() - began
        reason = stepped.not_finite.get(i, "") if stepped else ""
        over = self._end(i, slot, "diverged" if diverged else "done", returns, reason)
        return Finished.failed(slot.job, failure, unmade=not over.steps) if failure else over

    def _test(self, i: int, episodes: int):
        """Returns [episodes] of lane `i`'s network; raises `EnvError`."""
        limit = self._hyper["time_limit"][i]
        limit = tf.constant(np.int32(TEST_STEPS) if limit == _ENDLESS else limit)
        weights, seed = (
            [tf.constant(w) for w in self._weights(i)],
            tf.constant(self._hyper["seed"][i]),
        )
        if self._stepped:
            return self._stepped.test(i, weights, seed, limit, episodes)
        return self._program.test(weights, seed, limit, episodes=episodes)

    def _end(self, i: int, slot: _Slot, status: Status, returns=(), reason: str = "") -> Finished:
        """Free lane `i`, whose training has ended so; `returns` are of its test episodes."""
        self._slots[i] = None
        self._set(i, {"episodes": np.int32(_IDLE)})
        return Finished(
            slot.job,
            status,
            int(self._lanes.t[i]),
            EpisodeBatch.of(slot.job.key, np.concatenate(slot.records)),
            np.asarray(returns, np.float32),
            self._weights(i),
            slot.seconds,
            reason,
        )

    def _set(self, i: int, values: dict[str, np.generic]) -> None:
        for name, value in values.items():
            self._hyper[name][i] = value

    def _weights(self, i: int) -> list[np.ndarray]:
        return [w[i].numpy() for w in self._lanes.learner.weights]

    def _tensors(self) -> Hyper:
        return Hyper(**{name: tf.constant(x) for name, x in self._hyper.items()})


def hyper_of(config: Config, seed: int) -> dict[str, np.generic]:
    """One lane's entry of `Hyper`: float32, int32 and bool scalars."""
    env = config.env
    limit = env.max_episode_steps or gymnasium_env.describe(env).max_episode_steps
    values = {
        "seed": seed,
        "epsilon_linear": config.epsilon_schedule == "linear",
        "episodes": config.episodes or _ENDLESS,
        "steps": config.steps or _ENDLESS,
        "time_limit": limit or _ENDLESS,
    }
    for name in Hyper._fields:
        values.setdefault(name, getattr(config, name, None))
    kinds = {bool: np.bool_, int: np.int32, float: np.float32}
    return {name: kinds[type(value)](value) for name, value in values.items()}
