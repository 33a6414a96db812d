"""What a crew needs of the place where its workers run, and of one of them there."""

from collections.abc import Sequence
from typing import Any, Protocol

from dqn.training.messages import ChunkResult, Heartbeat, WorkerError, WorkRequest


class WorkerLostError(Exception):
    """A worker is no more. `node_lost`: it went with its machine, whatever it had to do.

    `unstarted`: it went before it could be given anything, and another may well go the same way.
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

    def send(self, order: WorkRequest) -> None:
        """Pass an order on. That it is gone is not said here but where it is heard."""
        ...

    def poll(self) -> Sequence[ChunkResult | Heartbeat | WorkerError]:
        """All that it has sent since; raises `WorkerLostError` where it is no more."""
        ...

    def end(self) -> str:
        """End it, whatever it is doing; how it had ended before, if it had, in a few words."""
        ...


class Backend(Protocol):
    """Where workers run."""

    @property
    def capacity(self) -> int:
        """How many workers there are to be. It may change: machines come and go."""
        ...

    def start(self) -> Worker:
        """A new one, which may take a while to be ready."""
        ...

    def wait(self, workers: Sequence[Any], seconds: float) -> Sequence[Any]:
        """Those of `workers` that have something to say, as soon as there is one."""
        ...

    def close(self) -> None:
        """Let go of whatever is held beside the workers."""
        ...
