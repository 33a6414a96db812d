"""What a driver and its workers say to each other, and what a driver needs of them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from gymnasium.envs.registration import EnvSpec

from dqn.training.jobs import EpisodeBatch, Finished, Job, TrainingId

HEARTBEAT_INTERVAL = 10.0
"""Seconds from one pulse to the next."""


class WorkRequest(NamedTuple):
    """What a driver sends: jobs to train, and those that are not to be gone on with."""

    new: list[Job]
    cancelled: list[TrainingId]
    environments: Sequence[EnvSpec] = ()
    """Registrations that the new ones need."""


class ChunkResult(NamedTuple):
    """What a worker sends after each chunk; of the times, what has come since the last report."""

    episodes: list[EpisodeBatch]
    finished: list[Finished]
    seconds: float
    """Spent in chunks, once their programs were compiled."""
    useful: float
    """Of these, what lanes at work had as their share."""
    compiling: float
    """Spent in chunks whose programs were compiled."""


class Heartbeat(NamedTuple):
    """Sent every `HEARTBEAT_INTERVAL` seconds, so that one sees that a worker lives."""

    processor: float
    """Seconds of a processor that it has used so far."""


class WorkerError(NamedTuple):
    """A worker's last words: what went wrong in it, and where."""

    reason: str
    trace: str
    unstarted: bool = False
    """Whether that was before it had an engine, and so whatever it was given to do."""


class PoolUpdate(NamedTuple):
    """What a call of `advance` brought."""

    episodes: list[EpisodeBatch]
    finished: list[Finished]
    restarted: list[TrainingId]
    """Trainings that were lost and begin anew: what was heard of them is void."""
    chunk_results: list[ChunkResult]
    notices: list[str]
    """What a person must know of the workers, a line each."""
    workers: int = 1
    """How many there were."""


class WorkerPool(Protocol):
    """What the driver needs of its workers."""

    is_remote: bool
    """Whether they work beside this process, not in it."""

    @property
    def workers(self) -> int:
        """How many there are, or will be once they have started."""
        ...

    @property
    def free_slots(self) -> int:
        """Jobs that could be taken in now without waiting long; 0 or less where there is none."""
        ...

    def advance(self, new: Iterable[Job], cancelled: Iterable[TrainingId]) -> PoolUpdate:
        """Take in jobs and cancellations, and return what has come meanwhile, perhaps nothing.

        Every job comes back once as `Finished`; a cancelled one within a chunk, as `pruned` unless
        it had ended before.
        """
        ...

    def close(self) -> None:
        """Let go of all workers; jobs under way are lost."""
        ...
