"""A worker process: one engine behind a pipe.

It asks nobody and writes no file. When its driver is gone, however it went, the pipe ends and so
does the worker.
"""

import contextlib
import threading
import time
import traceback
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple

from gymnasium.envs.registration import EnvSpec

from dqn.execution import registrations, runtime
from dqn.execution.jobs import Episodes, Finished, Job, Key
from dqn.secrets import hidden

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


def serve(connection: Connection) -> None:
    """Carry out orders until the pipe ends. An error is reported and ends the worker."""
    one_at_a_time, over = threading.Lock(), threading.Event()

    def say(said: Report | Pulse | Broken) -> None:
        with one_at_a_time:
            connection.send(said)

    def beat() -> None:
        with contextlib.suppress(OSError):
            while not over.wait(BEAT):
                say(Pulse(time.process_time()))

    threading.Thread(target=beat, daemon=True).start()
    engine = None
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            runtime.prepare(quiet=True)
            from dqn.quiet import import_tensorflow

            import_tensorflow()
            from dqn.execution.engine import Engine

            engine = Engine()
            say(Pulse(time.process_time()))
            while True:
                order = _received(connection, wait=not engine.busy)
                registrations.take_in(order.environments)
                say(advance(engine, order.new, order.cancelled))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except (Exception, SystemExit) as error:  # also a user's sys.exit is heard of
            say(broken(error)._replace(unstarted=engine is None))
        finally:
            over.set()


def advance(engine, new: Iterable[Job], cancelled: Iterable[Key]) -> Report:
    """One chunk of `engine`, as it is reported."""
    before = engine.seconds, engine.useful, engine.compiling
    episodes, finished = engine.advance(new, cancelled)
    after = engine.seconds, engine.useful, engine.compiling
    return Report(episodes, finished, *(b - a for a, b in zip(before, after, strict=True)))


def broken(error: BaseException) -> Broken:
    """An error as it is told over a pipe, to be shown in one line or whole."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return Broken(hidden(reason), hidden("".join(traceback.format_exception(error))))


def _received(connection: Connection, wait: bool) -> Order:
    """All orders that have come, as one; with `wait` there is at least one."""
    new, cancelled, environments = [], [], []
    while wait or connection.poll():
        order: Order = connection.recv()
        new += order.new
        cancelled += order.cancelled
        environments += order.environments
        wait = False
    return Order(new, cancelled, environments)


def main(descriptor: int) -> None:
    """Serve the pipe of that descriptor."""
    serve(Connection(descriptor))
