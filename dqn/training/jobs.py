"""Jobs, what comes of them, and the messages in which both travel: plain records, no tensors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol

import numpy as np
from gymnasium.envs.registration import EnvSpec

from dqn.config import Config
from dqn.statistics.episode_columns import EPISODE_COLUMNS

TrainingId = tuple[int, int]
"""(trial, seed)."""

LANES = 16
"""Lanes of a block: 8, or 128, have three quarters of its speed (`benchmarks --scaling`)."""


@dataclass(frozen=True)
class Job:
    """One training to do: a (trial, seed) with its configuration."""

    trial: int
    seed: int
    config: Config

    @property
    def key(self) -> TrainingId:
        """(trial, seed), unique among the jobs of an engine."""
        return self.trial, self.seed


@dataclass(frozen=True)
class EpisodeBatch:
    """Episodes of one training that ended in one chunk, oldest first; arrays over episodes."""

    key: TrainingId
    step: np.ndarray
    returns: np.ndarray
    lengths: np.ndarray
    epsilon: np.ndarray
    loss: np.ndarray
    q: np.ndarray

    @classmethod
    def of(cls, key: TrainingId, *records: np.ndarray) -> "EpisodeBatch":
        """From records float32 [episodes, columns] as a block writes them: counts are bits."""
        nothing = np.zeros((0, len(EPISODE_COLUMNS)), np.float32)
        step, returns, length, *others = np.concatenate([nothing, *records]).T  # EPISODE_COLUMNS
        step, length = (bits.copy().view(np.int32) for bits in (step, length))
        return cls(key, step, returns, length, *others)


Status = Literal["done", "pruned", "diverged", "failed"]


@dataclass(frozen=True)
class Finished:
    """One training that is over, whole."""

    job: Job
    status: Status
    steps: int
    """Environment steps; of a diverged training, up to the update that was not finite."""
    episodes: EpisodeBatch
    test_returns: np.ndarray
    """Of the greedy episodes after training; empty where it is not `done`."""
    weights: list[np.ndarray]
    """[in, out] and [out] in turn, as in `dqn.agents.networks`; the last finite ones."""
    seconds: float
    """The training's share of the time its block ran."""
    reason: str = ""
    """Why it failed, in one line; of one that did not, what its environment gave that is odd."""
    unmade: bool = False
    """Whether it failed before its first step, as its environment could not be made or reset."""

    @property
    def key(self) -> TrainingId:
        """(trial, seed)."""
        return self.job.key

    @classmethod
    def failed(cls, job: Job, reason: str, unmade: bool = False) -> "Finished":
        """A training that cannot be run at all; what it had done is not kept."""
        return replace(cls.pruned(job), status="failed", reason=reason, unmade=unmade)

    @classmethod
    def pruned(cls, job: Job) -> "Finished":
        """A training that is cancelled, of which nothing is kept."""
        return cls(job, "pruned", 0, EpisodeBatch.of(job.key), np.zeros(0, np.float32), [], 0.0)


class WorkRequest(NamedTuple):
    """What a pool sends to a worker: jobs to train, and jobs to cancel."""

    new: list[Job]
    cancelled: list[TrainingId]
    environments: Sequence[EnvSpec] = ()
    """Registrations that the new jobs need."""
    sources: Mapping[str, str] = {}
    """Of the components of one's own that they need: hashes by import path."""


class ChunkResult(NamedTuple):
    """What an engine gives, and a worker sends, after each chunk."""

    episodes: list[EpisodeBatch]
    finished: list[Finished]
    seconds: float = 0.0
    """That the chunk took, where it compiled nothing."""
    useful: float = 0.0
    """Of these, the share of lanes that trained."""
    compiling: float = 0.0
    """Seconds that it took where it compiled a program."""


class Heartbeat(NamedTuple):
    """Sent every few seconds: the worker is alive."""

    processor: float
    """Seconds of a processor that it has used so far."""


class WorkerError(NamedTuple):
    """A worker's last message: what went wrong in it, and where."""

    reason: str
    trace: str
    unstarted: bool = False
    """Whether that was before it had an engine, and so has nothing to do with any job."""


Report = ChunkResult | Heartbeat | WorkerError
"""What a worker sends."""


class PoolUpdate(NamedTuple):
    """What a call of `WorkerPool.advance` returns."""

    episodes: list[EpisodeBatch]
    finished: list[Finished]
    restarted: list[TrainingId]
    """Trainings that were lost and restart: their earlier episodes are void."""
    chunk_results: list[ChunkResult]
    notices: list[str]
    """What a person must know about the workers, a line each."""
    workers: int = 1
    """How many there were."""


class WorkerPool(Protocol):
    """What the scheduler needs of its workers."""

    is_remote: bool
    """Whether they run outside this process."""

    @property
    def workers(self) -> int:
        """How many there are, or will be once they have started."""
        ...

    @property
    def free_slots(self) -> int:
        """Jobs that could be added now without a long wait; may be negative."""
        ...

    def advance(self, new: Iterable[Job], cancelled: Iterable[TrainingId]) -> PoolUpdate:
        """Add jobs, cancel others, and return what workers reported meanwhile, perhaps nothing.

        Every job comes back once as `Finished`; a cancelled one within a chunk, as `pruned` unless
        it had ended before.
        """
        ...

    def close(self) -> None:
        """End all workers; unfinished jobs are lost."""
        ...
