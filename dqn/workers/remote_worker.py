"""One worker of a remote pool, and what it was given to do."""

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
    known: set[ProgramKey] = field(default_factory=set)
    """The programs that it has, or was given jobs for."""
    without: set[str] = field(default_factory=set)
    """Ids of environments that it could not make while others had some."""
    started: bool = False
    """Whether it has reported anything."""
    short: float | None = None
    """Since when it has had fewer jobs than lanes while jobs for other programs waited."""
    cancelled: set[TrainingId] = field(default_factory=set)
    """Those of its jobs that were cancelled."""
    last_heartbeat: float = 0.0
    """When it last sent anything, or was given work after it had none."""
    at_work: float = 0.0
    """When it was last known to work."""
    processor: float = 0.0
    """Seconds of a processor that it had used by then."""

    def give(self, jobs: Sequence[Job], now: float) -> None:
        """Note what it is given."""
        if not self.jobs:
            self.last_heartbeat = self.at_work = now
        self.jobs.update((job.key, job) for job in jobs)
        self.known.update(ProgramKey.of(job.config) for job in jobs)

    def take_back(self, key: TrainingId) -> Job:
        """Note that it no longer has a job."""
        self.cancelled.discard(key)
        return self.jobs.pop(key)

    def hung(self, now: float, frozen: float, stuck: float) -> str:
        """Why it is given up though it has not ended; "" where it is not.

        After `frozen` seconds without a heartbeat, or `stuck` seconds without work.
        """
        if not self.jobs or not self.worker.ready:
            return ""
        if now - self.last_heartbeat > frozen:
            return f"it sent no heartbeat for {frozen:.0f} s"
        if now - self.at_work > stuck:
            return f"it did nothing for {stuck:.0f} s"
        return ""
