"""Workers in processes on this machine, and both ends of the pipes to them.

A worker writes no file. When the scheduler's process is gone the pipe ends, and so does the worker.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

import dqn
from dqn.config import components
from dqn.runtime import compile_cache
from dqn.runtime.errors import RunError
from dqn.runtime.secrets import hidden
from dqn.training.jobs import Heartbeat, Report, WorkerError, WorkRequest
from dqn.workers import registrations
from dqn.workers.backend import WorkerLostError

HEARTBEAT_INTERVAL = 10.0  # seconds

# The scheduler's process says where modules are found: no folder comes before, and this package is
# its own, whatever else has its name. Until the package is there, only text can be sent.
_START = """
import sys
try:
    import importlib.util, json
    sys.path[:] = json.loads(sys.argv[3])
    spec = importlib.util.spec_from_file_location("dqn", sys.argv[4])
    sys.modules["dqn"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["dqn"])
    from dqn.workers import local
except BaseException as error:
    from multiprocessing.connection import Connection
    Connection(int(sys.argv[2])).send(f"{type(error).__name__}: {error}")
    sys.exit(1)
local.serve(local.Connection(int(sys.argv[2])))
"""
_FAULTS = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV}


class LocalWorker:
    """One worker, in a Python of its own; `RunError` where no further process can be had."""

    ready = True

    def __init__(self):
        self._has_reported = False
        # As Python itself does, without what is no text: it finds no module there.
        path = [part or os.getcwd() for part in sys.path if isinstance(part, str)]
        arguments = [json.dumps(path), dqn.__file__]
        try:
            self.line, theirs = multiprocessing.Pipe()
        except OSError as error:
            raise _none_left(error) from error
        command = [sys.executable, "-P", "-c", _START, "dqn.workers.local"]
        # The scheduler's process handles Ctrl-C; a mask is inherited, and holds from the start.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            self.process = subprocess.Popen(
                [*command, str(theirs.fileno()), *arguments],
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
            )
        except OSError as error:
            self.line.close()
            raise _none_left(error) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()  # or its end would not be the pipe's end

    def send(self, request: WorkRequest) -> None:
        """As `backend.Worker.send`."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.line.send(request)

    def poll(self) -> Sequence[Report]:
        """As `backend.Worker.poll`."""
        text = []
        try:
            while self.line.poll():
                one = self.line.recv()
                text.append(WorkerError(one, "", unstarted=True) if isinstance(one, str) else one)
        except (EOFError, OSError):
            if not text:  # else its end is seen next time
                raise WorkerLostError("", unstarted=self._has_not_started()) from None
        self._has_reported |= any(not isinstance(one, WorkerError) for one in text)
        return text

    def _has_not_started(self) -> bool:
        """Whether it ended by itself before it reported anything."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self.process.wait(timeout=1.0)
            return not self._has_reported and (status >= 0 or -status in _FAULTS)
        return False

    def end(self) -> str:
        """As `backend.Worker.end`."""
        self.line.close()
        self.process.kill()
        if (status := self.process.wait()) >= 0:
            return f"it exited with status {status}"
        killed = " (out of memory?)" if -status == signal.SIGKILL else ""
        return f"it was killed by {signal.Signals(-status).name}{killed}"


class LocalBackend:
    """`capacity` of them."""

    def __init__(self, capacity: int):
        self.capacity = capacity

    def start(self) -> LocalWorker:
        """As `backend.Backend.start`."""
        return LocalWorker()

    def wait(self, workers: Sequence[LocalWorker], seconds: float) -> Sequence[LocalWorker]:
        """As `backend.Backend.wait`."""
        by_line: dict[Any, LocalWorker] = {one.line: one for one in workers}
        return [by_line[line] for line in wait(list(by_line), seconds)]

    def close(self) -> None:
        """Nothing to release."""


def _none_left(error: OSError) -> RunError:
    return RunError(
        f"the system cannot start another worker ({error.strerror or error}); write fewer with "
        "workers=, 0 trains in this process"
    )


def serve(connection: Connection) -> None:
    """Carry out requests until the pipe ends. An error is reported and ends the worker."""
    one_at_a_time, over = threading.Lock(), threading.Event()

    def send(message: Report) -> None:
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
                components.expect(request.sources)
                send(engine.chunk(request.new, request.cancelled))
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
    new, cancelled, environments, sources = [], [], [], {}
    while wait or connection.poll():
        request: WorkRequest = connection.recv()
        new += request.new
        cancelled += request.cancelled
        environments += request.environments
        sources |= request.sources
        wait = False
    return WorkRequest(new, cancelled, environments, sources)
