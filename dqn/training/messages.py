"""What a driver and its workers say to each other, and what a driver needs of them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from gymnasium.envs.registration import EnvSpec

from dqn.training.jobs import Episodes, Finished, Job, Key

BEAT = 10.0
"""Seconds from one pulse to the next."""


class Order(NamedTuple):
    """What a driver sends: jobs to train, and those that are not to be gone on with."""

    new: list[Job]
    cancelled: list[Key]
    environments: Sequence[EnvSpec] = ()
    """Registrations that the new ones need."""


class Report(NamedTuple):
    """What a worker sends after each chunk; of the times, what has come since the last report."""

    episodes: list[Episodes]
    finished: list[Finished]
    seconds: float
    """Spent in chunks, once their programs were compiled."""
    useful: float
    """Of these, what lanes at work had as their share."""
    compiling: float
    """Spent in chunks whose programs were compiled."""


class Pulse(NamedTuple):
    """What a worker says besides, every `BEAT` seconds, so that one sees that it lives."""

    processor: float
    """Seconds of a processor that it has used so far."""


class Broken(NamedTuple):
    """A worker's last words: what went wrong in it, and where."""

    reason: str
    trace: str
    unstarted: bool = False
    """Whether that was before it had an engine, and so whatever it was given to do."""


class News(NamedTuple):
    """What a call of `advance` brought."""

    episodes: list[Episodes]
    finished: list[Finished]
    restarted: list[Key]
    """Trainings that were lost and begin anew: what was heard of them is void."""
    reports: list[Report]
    notices: list[str]
    """What a person must know of the workers, a line each."""
    workers: int = 1
    """How many there were."""


class Fleet(Protocol):
    """What the driver needs of its workers."""

    apart: bool
    """Whether they work beside this process, not in it."""

    @property
    def workers(self) -> int:
        """How many there are, or will be once they have started."""
        ...

    @property
    def room(self) -> int:
        """Jobs that could be taken in now without waiting long; 0 or less where there is none."""
        ...

    def advance(self, new: Iterable[Job], cancelled: Iterable[Key]) -> News:
        """Take in jobs and cancellations, and return what has come meanwhile, perhaps nothing.

        Every job comes back once as `Finished`; a cancelled one within a chunk, as `pruned` unless
        it had ended before.
        """
        ...

    def close(self) -> None:
        """Let go of all workers; jobs under way are lost."""
        ...
