"""What a crew needs of the place where its workers run, and of one of them there."""

from collections.abc import Sequence
from typing import Any, Protocol

from dqn.training.messages import Broken, Order, Pulse, Report


class GoneError(Exception):
    """A worker is no more. `blameless`: it went with its machine, whatever it had to do.

    `unstarted`: it went before it could be given anything, and another may well go the same way.
    """

    def __init__(self, reason: str, blameless: bool = False, unstarted: bool = False):
        super().__init__(reason)
        self.blameless, self.unstarted = blameless, unstarted


class Worker(Protocol):
    """One engine elsewhere, which runs `worker.serve`."""

    @property
    def ready(self) -> bool:
        """Whether it has been placed, and so can be given work."""
        ...

    def send(self, order: Order) -> None:
        """Pass an order on. That it is gone is not said here but where it is heard."""
        ...

    def hear(self) -> Sequence[Report | Pulse | Broken]:
        """All that it has said since it was last heard; raises `GoneError` where it is no more."""
        ...

    def end(self) -> str:
        """End it, whatever it is doing; how it had ended before, if it had, in a few words."""
        ...


class Site(Protocol):
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
