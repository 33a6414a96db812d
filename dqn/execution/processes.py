"""Workers in processes on this machine, each behind a pipe."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait

from dqn.execution.site import GoneError
from dqn.execution.worker import Broken, Order, Pulse, Report


class Process:
    """One worker, `python -m dqn.execution.worker`."""

    ready = True

    def __init__(self):
        self.line, theirs = multiprocessing.Pipe()
        command = [sys.executable, "-m", "dqn.execution.worker", str(theirs.fileno())]
        path = os.pathsep.join(part or os.getcwd() for part in sys.path)
        # Ctrl-C is the driver's to hear; a mask is inherited, and holds from the start on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            self.process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=os.environ | {"PYTHONPATH": path}
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()  # or its end would not be the pipe's end

    def send(self, order: Order) -> None:
        """As `site.Worker.send`."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.line.send(order)

    def hear(self) -> Sequence[Report | Pulse | Broken]:
        """As `site.Worker.hear`."""
        said = []
        try:
            while self.line.poll():
                said.append(self.line.recv())
        except (EOFError, OSError):
            if not said:  # else its end is heard next time
                raise GoneError("") from None
        return said

    def end(self) -> str:
        """As `site.Worker.end`."""
        self.line.close()
        self.process.kill()
        return _how_it_ended(self.process.wait())


class Processes:
    """`capacity` of them."""

    def __init__(self, capacity: int):
        self.capacity = capacity

    def start(self) -> Process:
        """As `site.Site.start`."""
        return Process()

    def wait(self, workers: Sequence[Process], seconds: float) -> Sequence[Process]:
        """As `site.Site.wait`."""
        by_line: dict[object, Process] = {one.line: one for one in workers}
        lines: list[Connection] = [one.line for one in workers]
        return [by_line[line] for line in wait(lines, seconds)]

    def close(self) -> None:
        """Nothing is held."""


def _how_it_ended(status: int) -> str:
    """The end of a process that said nothing."""
    if status >= 0:
        return f"it ended with status {status}"
    killed = " (out of memory?)" if -status == signal.SIGKILL else ""
    return f"it was ended by {signal.Signals(-status).name}{killed}"
