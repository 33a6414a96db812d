"""A worker process: one engine behind a pipe.

It asks nobody and writes no file. When its driver is gone, however it went, the pipe ends and so
does the worker.
"""

import contextlib
import threading
import time
import traceback
from collections.abc import Iterable
from multiprocessing.connection import Connection

from dqn.runtime import compile_cache as runtime
from dqn.runtime.secrets import hidden
from dqn.training.jobs import Job, Key
from dqn.training.messages import BEAT, Broken, Order, Pulse, Report
from dqn.workers import registrations


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
            from dqn.runtime.tensorflow import import_tensorflow

            import_tensorflow()
            from dqn.training.engine import Engine

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
