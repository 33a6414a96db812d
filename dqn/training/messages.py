"""Messages between the scheduler and its workers, and what the scheduler needs of a pool."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from gymnasium.envs.registration import EnvSpec

from dqn.training.jobs import EpisodeBatch, Finished, Job, TrainingId

HEARTBEAT_INTERVAL = 10.0
"""Seconds between heartbeats."""


class WorkRequest(NamedTuple):
    """What a pool sends to a worker: jobs to train, and jobs to cancel."""

    new: list[Job]
    cancelled: list[TrainingId]
    environments: Sequence[EnvSpec] = ()
    """Registrations that the new jobs need."""


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
    """Sent every `HEARTBEAT_INTERVAL` seconds: the worker is alive."""

    processor: float
    """Seconds of a processor that it has used so far."""


class WorkerError(NamedTuple):
    """A worker's last message: what went wrong in it, and where."""

    reason: str
    trace: str
    unstarted: bool = False
    """Whether that was before it had an engine, and so has nothing to do with any job."""


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
