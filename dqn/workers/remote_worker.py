"""One of a crew's workers, and what it was given to do."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dqn.envs.program_key import ProgramKey
from dqn.training.jobs import Job, TrainingId
from dqn.workers.backend import Worker


@dataclass(eq=False)
class RemoteWorker:
    """One worker and what it was given."""

    worker: Worker
    jobs: dict[TrainingId, Job] = field(default_factory=dict)
    places: Counter[ProgramKey] = field(default_factory=Counter)
    """How many jobs of each shape it has."""
    known: set[ProgramKey] = field(default_factory=set)
    """The shapes it has a program for, or has been given jobs of."""
    without: set[str] = field(default_factory=set)
    """Ids of environments that it could not make while others had some: see `RemotePool`."""
    started: bool = False
    """Whether it has been heard of."""
    short: float | None = None
    """Since when it has had fewer jobs than lanes though there were jobs of other shapes."""
    cancelled: set[TrainingId] = field(default_factory=set)
    """Those of its jobs that it was told not to go on with."""
    last_heartbeat: float = 0.0
    """When it was last heard, or given work after it had none."""
    at_work: float = 0.0
    """When it was last known to do something."""
    processor: float = 0.0
    """Seconds of it that it had used by then."""

    def give(self, jobs: Sequence[Job], now: float) -> None:
        """Note what it is given."""
        if not self.jobs:
            self.last_heartbeat = self.at_work = now
        self.jobs.update((job.key, job) for job in jobs)
        self.places.update(ProgramKey.of(job.config) for job in jobs)
        self.known.update(self.places)

    def take_back(self, key: TrainingId) -> Job:
        """Note that it has a job no more."""
        job = self.jobs.pop(key)
        place = ProgramKey.of(job.config)
        self.places[place] -= 1
        if not self.places[place]:
            del self.places[place]
        self.cancelled.discard(key)
        return job

    def hung(self, now: float, frozen: float, stuck: float) -> str:
        """Why it is to be given up though it has not gone; "" where it is not.

        After `frozen` seconds without a pulse, or `stuck` seconds without being at work.
        """
        if not self.jobs or not self.worker.ready:
            return ""
        if now - self.last_heartbeat > frozen:
            return f"it gave no sign of life for {frozen:.0f} s"
        if now - self.at_work > stuck:
            return f"it did nothing for {stuck:.0f} s"
        return ""
