"""Where a command shows its progress: live bars on a terminal, plain lines anywhere else."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

from dqn.runtime.secrets import hidden

_PAUSE = 5.0  # seconds between plain lines
_FIRST = 1.0  # seconds until the first of them


class Screen:
    """Standard error, or another console, from the moment it is entered with `with`."""

    def __init__(self, *columns: ProgressColumn, console: Console | None = None):
        self._console = console or Console(file=sys.stderr, highlight=False)
        self.bars = Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        )
        """Shown on a terminal alone."""

    def __enter__(self) -> "Screen":
        self._last = time.monotonic() - _PAUSE + _FIRST
        self.bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bars.stop()

    def notice(self, text: str) -> None:
        """A line that a person must read."""
        self._console.print(hidden(text), soft_wrap=True)

    def stopping(self) -> None:
        """Say that Ctrl-C was received."""
        self._console.print("stopping after this chunk; Ctrl-C again stops at once")

    def above(self, text: str) -> None:
        """A line that stays above the bars, where there are any."""
        if self._console.is_terminal:
            self._console.print(text)

    def line(self, text: str) -> None:
        """A plain line, where there are no bars."""
        if not self._console.is_terminal:
            self._last = time.monotonic()
            self.notice(text)

    def now_and_then(self, text: str) -> None:
        """A plain line, unless there was one a moment ago."""
        if time.monotonic() - self._last > _PAUSE:
            self.line(text)


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """A function that shows what is being done, to be called at each step of some seconds."""
    screen = Screen(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with screen:
        task = screen.bars.add_task("")

        def show(step: str) -> None:
            screen.bars.update(task, description=step)
            screen.now_and_then(step)

        yield show
