"""What a remote pool needs of the place where its workers run, and of a worker there."""

from collections.abc import Sequence
from typing import Any, Protocol

from dqn.training.messages import ChunkResult, Heartbeat, WorkerError, WorkRequest


class WorkerLostError(Exception):
    """A worker is gone. `node_lost`: its machine is, so that its trainings are not to blame.

    `unstarted`: it ended before it was given anything, and another may well end the same way.
    """

    def __init__(self, reason: str, node_lost: bool = False, unstarted: bool = False):
        super().__init__(reason)
        self.node_lost, self.unstarted = node_lost, unstarted


class Worker(Protocol):
    """One engine elsewhere, which runs `worker.serve`."""

    @property
    def ready(self) -> bool:
        """Whether it has been placed, and so can be given work."""
        ...

    def send(self, request: WorkRequest) -> None:
        """Pass a request on. Whether the worker is gone shows in `poll`."""
        ...

    def poll(self) -> Sequence[ChunkResult | Heartbeat | WorkerError]:
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
