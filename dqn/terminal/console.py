"""Where progress is shown: live bars on a terminal and in a notebook, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from dqn.runtime.notices import notice
from dqn.runtime.secrets import hidden
from dqn.terminal.notebook import NotebookBars, in_notebook

_PAUSE = 5.0  # seconds between plain lines
_FIRST = 1.0  # seconds until the first of them
_WINDOW = 20.0  # seconds that a speed is over
_ETA_FROM = 0.05  # of the whole: before that, how long it will take is a guess
_wanted: ContextVar[bool] = ContextVar("wanted", default=True)


@contextmanager
def showing(progress: bool) -> Iterator[None]:
    """Show progress, or none: what a person must read is then a notice."""
    token = _wanted.set(progress)
    try:
        yield
    finally:
        _wanted.reset(token)


class Screen:
    """Standard error, or another console, once entered; `opening` is its first plain line."""

    def __init__(self, opening: str, *columns: ProgressColumn, console: Console | None = None):
        self._opening = opening
        own = Console(
            file=sys.stderr,
            highlight=False,
            force_jupyter=False,
            force_terminal=False if in_notebook() else None,  # its streams say that they are one
            quiet=not _wanted.get(),
        )
        self._console = console or own
        self.bars = Progress(
            *columns,
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
            speed_estimate_period=_WINDOW,
        )
        """Shown on a terminal, and in a notebook."""
        shown_there = console is None and _wanted.get() and in_notebook()
        self._notebook = NotebookBars(self.bars) if shown_there else None
        self._first: tuple[float, float] | None = None  # time and share once all is compiled

    def __enter__(self):
        self._last = time.monotonic() - _PAUSE + _FIRST
        if self._console.is_terminal:
            self.bars.start()
        if self._notebook is not None:
            self._notebook.show()
        if self._opening:
            self.line(self._opening)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._console.is_terminal:
            self.bars.stop()
        if self._notebook is not None:
            self._notebook.close()

    def notice(self, text: str) -> None:
        """A line that a person must read."""
        if self._console.quiet:
            notice(hidden(text))
        else:
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
        if not self._console.is_terminal and self._notebook is None:
            self._last = time.monotonic()
            self._console.print(hidden(text), soft_wrap=True)

    def now_and_then(self, text: str) -> None:
        """A plain line, unless there was one a moment ago; in a notebook the bars as they are."""
        if self._notebook is not None:
            self._notebook.show()
        elif time.monotonic() - self._last > _PAUSE:
            self.line(text)

    def speed(self, task: TaskID) -> float:
        """What a task of the bars gains per second; 0 while that is not known."""
        return next(bar.speed or 0.0 for bar in self.bars.tasks if bar.id == task)

    def time_left(self, share: float) -> str:
        """The time left with `share` of the whole done, since the first call; "" if too early."""
        now = time.monotonic()
        self._first = self._first or (now, share)
        gained = share - self._first[1]
        if gained <= _ETA_FROM:
            return ""
        return f" · {timedelta(seconds=int((1.0 - share) * (now - self._first[0]) / gained))} left"


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """A function that shows what is being done, to be called at each step of some seconds."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Screen("", *columns) as screen:
        task = screen.bars.add_task("")

        def show(step: str) -> None:
            screen.bars.update(task, description=step)
            screen.now_and_then(step)

        yield show
