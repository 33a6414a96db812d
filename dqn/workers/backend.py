"""What a remote pool needs of the place where its workers run, and what it notes of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dqn.envs.program_key import ProgramKey
from dqn.training.jobs import Job, Report, TrainingId, WorkRequest


class WorkerLostError(Exception):
    """A worker is gone. `node_lost`: its machine is, so that its trainings are not to blame.

    `unstarted`: it ended before it was given anything, and another may well end the same way.
    """

    def __init__(self, reason: str, node_lost: bool = False, unstarted: bool = False):
        super().__init__(reason)
        self.node_lost, self.unstarted = node_lost, unstarted


class Worker(Protocol):
    """One engine elsewhere, which runs `local.serve`."""

    @property
    def ready(self) -> bool:
        """Whether it has been placed, and so can be given work."""
        ...

    def send(self, request: WorkRequest) -> None:
        """Pass a request on. Whether the worker is gone shows in `poll`."""
        ...

    def poll(self) -> Sequence[Report]:
        """All that it has sent since; raises `WorkerLostError` where it is gone."""
        ...

    def end(self) -> str:
        """End it, whatever it is doing; in a few words how it had ended before, if it had."""
        ...


class Backend(Protocol):
    """Where workers run."""

    @property
    def capacity(self) -> int:
        """How many workers there should be. It may change: machines come and go."""
        ...

    def start(self) -> Worker:
        """A new one, which may take a while to be ready."""
        ...

    def wait(self, workers: Sequence[Any], seconds: float) -> Sequence[Any]:
        """Those of `workers` that have reported, as soon as there is one."""
        ...

    def close(self) -> None:
        """Release whatever is held besides the workers."""
        ...


@dataclass(eq=False)
class RemoteWorker:
    """One worker and what it was given."""

    worker: Worker
    jobs: dict[TrainingId, Job] = field(default_factory=dict)
    programs: Counter[ProgramKey] = field(default_factory=Counter)
    """How many jobs for each program it has, and 0 for those of which it has none any more."""
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
        self.programs.update(ProgramKey.of(job.config) for job in jobs)

    def take_back(self, key: TrainingId) -> Job:
        """Note that it no longer has a job."""
        job = self.jobs.pop(key)
        self.programs[ProgramKey.of(job.config)] -= 1
        self.cancelled.discard(key)
        return job
