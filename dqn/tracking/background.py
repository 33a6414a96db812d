"""A tracker in a thread of its own: however slow it is or whatever it raises, training goes on.

What waits is bounded: beyond that episodes are left out, the final rows are not. So is the time
that a command waits for the rest at its end. Each of these costs one line, and
`python -m sweeps export` sends what is missing.
"""

import contextlib
import queue
import shlex
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dqn.runtime.errors import first_line
from dqn.statistics.formatting import count
from dqn.storage.columns import Row
from dqn.tracking import TRACKERS
from dqn.tracking.tracker import TrackedFolder, TrackedTraining, Tracker
from dqn.training.jobs import EpisodeBatch

MOST_WAITING = 100_000
"""Episodes: some 10 MB."""
PATIENCE = 30.0
"""Seconds that a command waits at its end for what is under way."""
_SHOWN_AFTER = 2.0
_LOOK = 0.1  # seconds


class BackgroundTracker:
    """The tracker `name` for the results folder `folder`; no method of it raises or waits long.

    `notice` gets the lines for a person, in the thread of whoever calls a method.
    """

    def __init__(self, name: str, folder: Path, notice: Callable[[str], None]):
        self._name, self._folder, self._notice = name, folder, notice
        self._title = TRACKERS[name].title
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._sent = self._taken = 0  # episodes
        self._is_full = self._is_over = False
        self._starting = self._busy = self._wall = 0.0  # seconds
        self._began = time.perf_counter()
        self._thread = threading.Thread(target=self._run, name=f"tracking={name}", daemon=True)
        self._thread.start()

    def start(self, training: TrackedTraining) -> None:
        """Begin the run of a training, soon."""
        self._send(lambda tracker: tracker.start(training))

    def log(self, training: TrackedTraining, episodes: EpisodeBatch) -> None:
        """Add episodes to a run, unless too many wait already."""
        number = len(episodes.returns)
        if self._sent + number - self._taken <= MOST_WAITING:
            self._send(lambda tracker: tracker.log(training, episodes), number)
        elif not (self._is_full or self._is_over):
            self._is_full = True
            self._notice(f"{self._title} is slower than training: curves get gaps; {self._later}")

    def finish(self, training: TrackedTraining, row: Row) -> None:
        """End a run."""
        self._send(lambda tracker: tracker.finish(training, row))

    def _send(self, call: Callable[[Tracker], None], episodes: int = 0) -> None:
        if not self._is_over:
            self._sent += episodes
            self._calls.put(_Call(call, episodes))

    def tell(self) -> None:
        """Pass on what there is to say since the last call."""
        while not self._lines.empty():
            self._notice(self._lines.get())

    def close(self, patience: float | None = None) -> None:
        """End all runs, within `patience` seconds (by default `PATIENCE`) or until Ctrl-C."""
        self._calls.put(None)
        began, is_shown = time.monotonic(), False
        deadline = began + (PATIENCE if patience is None else patience)
        try:
            while self._thread.is_alive() and time.monotonic() < deadline:
                self._thread.join(_LOOK)
                self.tell()
                if not is_shown and time.monotonic() > began + _SHOWN_AFTER:
                    is_shown = True
                    left = count(self._sent - self._taken, "episode")
                    self._notice(
                        f"waiting up to {deadline - began:.0f} s for {self._title}, {left} left; "
                        "Ctrl-C does not wait"
                    )
        except KeyboardInterrupt:
            pass  # everything of ours is on disk
        self._wall = time.perf_counter() - self._began
        self.tell()
        if self._thread.is_alive():
            self._is_over = True  # should it wake up
            self._notice(f"{self._title} has not ended: the rest is left out; {self._later}")

    @property
    def cost(self) -> str:
        """One line on the time it took, once it is closed; "" where it has taken nothing."""
        if not self._taken:
            return ""
        micros, share = 1e6 * self._busy / self._taken, 100 * self._busy / self._wall
        return (
            f"tracking: {count(self._taken, 'episode')} in {self._title}, {micros:,.0f} µs each, "
            f"{share:.1f} % of the time; {self._starting:.1f} s to start"
        )

    @property
    def _later(self) -> str:
        folder = shlex.quote(str(self._folder))
        name = self._name + " --out FOLDER" * (self._name == "tensorboard")
        return f"python -m sweeps export {folder} --to {name} sends all of it later"

    def _run(self) -> None:
        tracker = None
        try:
            tracker = TRACKERS[self._name](TrackedFolder.at(self._folder))
            self._starting = time.perf_counter() - self._began
            self._lines.put(f"{self._title}: {tracker.where}")
            while (call := self._calls.get()) is not None and not self._is_over:
                self._do(tracker, call)
            self._do(tracker, _Call(lambda tracker: tracker.close()))
        except BaseException as error:  # SystemExit too: it is a library's
            self._is_over = True
            self._lines.put(self._said_of(error))
            with contextlib.suppress(BaseException):  # what is open, where that still works
                if tracker is not None:
                    tracker.close()

    def _do(self, tracker: Tracker, call: "_Call") -> None:
        began = time.perf_counter()
        try:
            call.do(tracker)
            self._taken += call.episodes
        finally:
            self._busy += time.perf_counter() - began

    def _said_of(self, error: BaseException) -> str:
        package = TRACKERS[self._name].package
        asked, on = f"tracking={self._name}", "training goes on without it"
        if isinstance(error, ModuleNotFoundError):
            return f"{asked} needs {self._title}: pip install {package}; {on}"
        return f"{asked} failed ({first_line(error)}); {on}; {self._later}"


class _Call(NamedTuple):
    """What the tracker is to do, and of how many episodes it then hears."""

    do: Callable[[Tracker], None]
    episodes: int = 0
