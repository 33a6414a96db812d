"""One block of lanes at work: which job is in which lane, and what it has earned so far."""

import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from dqn.agents.compiled_loop import Program
from dqn.agents.dqn import Hyper
from dqn.agents.stepped_loop import SteppedProgram
from dqn.config import Config
from dqn.config.fields import INT_BOUND
from dqn.envs import gymnasium_env
from dqn.runtime.errors import EnvError
from dqn.training.jobs import EpisodeBatch, Finished, Job, Status, TrainingId

CHUNK = 0.4  # seconds that one is to take: a cancelled lane works no longer, and each is reported
FIRST_TICKS, TICKS = 128, 4096  # of a block's first chunk, and of any
MAX_STEPS_PER_TICK = 16  # environment steps a tick at most: a longer T_train takes several ticks
TEST_STEPS = 100_000  # of a test episode at most, in an environment that has no time limit
_IDLE = -1  # a budget of episodes that is always spent
_ENDLESS = INT_BOUND - 1  # one that never is; and a lane ends before its steps would overflow


@dataclass
class _Slot:
    """A lane's occupant."""

    job: Job
    records: list[np.ndarray] = field(default_factory=list)
    seconds: float = 0.0


class Block:
    """L lanes of one program, each empty or at work on one job."""

    def __init__(self, program: Program | SteppedProgram):
        self.program = program
        self._stepped = program if isinstance(program, SteppedProgram) else None
        self._lanes, self._replay = program.empty()
        self._slots: dict[int, _Slot] = {}  # by lane
        L = program.key.lanes
        self._hyper = Hyper(*(np.full(L, value) for value in hyper_of(Config(), seed=0)))
        self._hyper.episodes[:] = _IDLE
        self._ticks = FIRST_TICKS
        self._alive = np.ones(L, bool)  # after the last chunk
        self.lane_ticks = self.work = 0
        """Of the last chunk: L times its ticks, and how many of them a lane was at work in."""

    @property
    def keys(self) -> set[TrainingId]:
        """The jobs under way."""
        return {slot.job.key for slot in self._slots.values()}

    def fill(self, waiting: deque[Job], most: int, elsewhere: bool = False) -> None:
        """Put waiting jobs into the free lanes, taking them off `waiting`: `most` at once.

        Also fewer: where other lanes, or with `elsewhere` other blocks, have all environments that
        can exist, a job waits for one of those.
        """
        begun = np.zeros(len(self._alive), bool)
        for i in range(len(begun)):
            if not waiting or len(self._slots) >= most:
                break
            job, stepped = waiting[0], self._stepped
            if i in self._slots or (stepped and not stepped.can_begin(i, job.seed, elsewhere)):
                continue
            begun[i] = True
            self._slots[i] = _Slot(waiting.popleft())
            for column, value in zip(self._hyper, hyper_of(job.config, job.seed), strict=True):
                column[i] = value
        if begun.any():
            self._lanes = self.program.refill(self._lanes, tf.constant(begun), self._tensors())

    def advance(self, return_early: bool) -> list[EpisodeBatch]:
        """Run one chunk; with `return_early`, only until a lane falls free."""
        began = time.perf_counter()
        at_work, most = sorted(self._slots.items()), min(self._ticks, TICKS)
        counts = most, MAX_STEPS_PER_TICK, len(at_work) if return_early else 1
        chunk = self.program.chunk(
            self._lanes, self._replay, self._tensors(), *map(tf.constant, counts)
        )
        self._lanes, self._alive = chunk.lanes, np.asarray(chunk.alive)
        records, recorded = np.asarray(chunk.records), np.asarray(chunk.recorded)
        ticks, took = int(chunk.ticks), time.perf_counter() - began
        self.lane_ticks, self.work = ticks * len(self._alive), int(chunk.work)
        if ticks == most:
            self._ticks = max(1, most // 2, min(round(CHUNK * ticks / took), 2 * most))
        episodes = []
        for i, slot in at_work:
            slot.seconds += took / len(at_work)
            if recorded[i]:
                slot.records.append(records[i, : recorded[i]].copy())
                episodes.append(EpisodeBatch.of(slot.job.key, slot.records[-1]))
        return episodes

    def take_finished(self) -> list[Finished]:
        """Read out the trainings that are over and free their lanes."""
        diverged = self._lanes.diverged.numpy()
        over = [i for i in sorted(self._slots) if not self._alive[i]]
        return [self._finish(i, bool(diverged[i])) for i in over]

    def cancel(self, key: TrainingId) -> Finished:
        """End a training as `pruned` and free its lane."""
        return self._end(next(i for i, s in self._slots.items() if s.job.key == key), "pruned")

    def close(self) -> None:
        """Let go of environments stepped in Python."""
        if self._stepped:
            self._stepped.close()

    def _finish(self, i: int, diverged: bool) -> Finished:
        """Test a training that is over, and free its lane."""
        began, slot, stepped = time.perf_counter(), self._slots[i], self._stepped
        failure, returns = stepped.broken.get(i, "") if stepped else "", ()
        if not (failure or diverged) and slot.job.config.test_episodes:
            try:
                returns = self._test(i, slot.job.config.test_episodes)
            except EnvError as error:
                failure = str(error)
        slot.seconds += time.perf_counter() - began
        reason = stepped.not_finite.get(i, "") if stepped else ""
        over = self._end(i, "diverged" if diverged else "done", returns, reason)
        return Finished.failed(slot.job, failure, unmade=not over.steps) if failure else over

    def _test(self, i: int, episodes: int):
        """Returns [episodes] of lane `i`'s network; raises `EnvError`."""
        weights = [tf.constant(w) for w in self._weights(i)]
        limit = self._hyper.time_limit[i]
        limit = tf.constant(np.int32(TEST_STEPS) if limit == _ENDLESS else limit)
        seed = tf.constant(self._hyper.seed[i])
        if isinstance(self.program, SteppedProgram):
            return self.program.test(i, weights, seed, limit, episodes)
        return self.program.test(weights, seed, limit, episodes=episodes)

    def _end(self, i: int, status: Status, returns=(), reason: str = "") -> Finished:
        """Free lane `i`, whose training has ended so; `returns` are of its test episodes."""
        slot = self._slots.pop(i)
        self._hyper.episodes[i] = _IDLE
        return Finished(
            slot.job,
            status,
            int(self._lanes.t[i]),
            EpisodeBatch.of(slot.job.key, *slot.records),
            np.asarray(returns, np.float32),
            self._weights(i),
            slot.seconds,
            reason,
        )

    def _weights(self, i: int) -> list[np.ndarray]:
        return [w[i].numpy() for w in self._lanes.learner.weights]

    def _tensors(self) -> Hyper:
        return Hyper(*map(tf.constant, self._hyper))


def hyper_of(config: Config, seed: int) -> Hyper:
    """One lane's entry of `Hyper`: float32, int32 and bool scalars."""
    env = config.env
    limit = env.max_episode_steps or gymnasium_env.describe(env).max_episode_steps
    own = {
        "seed": seed,
        "epsilon_linear": config.epsilon_schedule == "linear",
        "episodes": config.episodes or _ENDLESS,
        "steps": config.steps or _ENDLESS,
        "time_limit": limit or _ENDLESS,
    }
    kinds = {bool: np.bool_, int: np.int32, float: np.float32}
    values = (own[name] if name in own else getattr(config, name) for name in Hyper._fields)
    return Hyper(*(kinds[type(value)](value) for value in values))
