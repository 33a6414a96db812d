"""A worker process: one engine behind a pipe.

It writes no file. When the scheduler's process is gone, for whatever reason, the pipe ends and so
does the worker.
"""

import contextlib
import threading
import time
import traceback
from multiprocessing.connection import Connection

from dqn.runtime import compile_cache
from dqn.runtime.secrets import hidden
from dqn.training.jobs import (
    ChunkResult,
    Heartbeat,
    WorkerError,
    WorkRequest,
)
from dqn.workers import registrations

HEARTBEAT_INTERVAL = 10.0  # seconds


def serve(connection: Connection) -> None:
    """Carry out requests until the pipe ends. An error is reported and ends the worker."""
    one_at_a_time, over = threading.Lock(), threading.Event()

    def send(message: ChunkResult | Heartbeat | WorkerError) -> None:
        with one_at_a_time:
            connection.send(message)

    def beat() -> None:
        with contextlib.suppress(OSError):
            while not over.wait(HEARTBEAT_INTERVAL):
                send(Heartbeat(time.process_time()))

    threading.Thread(target=beat, daemon=True).start()
    engine = None
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            compile_cache.prepare(quiet=True)
            from dqn.runtime.tensorflow import import_tensorflow

            import_tensorflow()
            from dqn.training.engine import Engine

            engine = Engine()
            send(Heartbeat(time.process_time()))
            while True:
                request = _received(connection, wait=not engine.busy)
                registrations.take_in(request.environments)
                send(engine.advance(request.new, request.cancelled))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except (Exception, SystemExit) as error:  # a user's sys.exit too
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            trace = "".join(traceback.format_exception(error))
            send(WorkerError(hidden(reason), hidden(trace), unstarted=engine is None))
        finally:
            over.set()


def _received(connection: Connection, wait: bool) -> WorkRequest:
    """All requests that have come, as one; with `wait` there is at least one."""
    new, cancelled, environments = [], [], []
    while wait or connection.poll():
        request: WorkRequest = connection.recv()
        new += request.new
        cancelled += request.cancelled
        environments += request.environments
        wait = False
    return WorkRequest(new, cancelled, environments)
