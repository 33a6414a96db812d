"""What a run and a sweep show alike while they train: bars on a terminal, plain lines elsewhere."""

import time

from rich.console import Console
from rich.progress import ProgressColumn

from dqn.terminal.console import Screen

_ETA_FROM = 0.05  # of the whole: before that, how long it will take is a guess


class Progress:
    """A screen from the moment it is entered with `with`, and the time that is left.

    Subclasses say how it goes: `report`, and where trials matter `begun` and `on_trial_end`.
    """

    def __init__(self, opening: str, *columns: ProgressColumn, console: Console | None = None):
        self._opening, self._screen = opening, Screen(*columns, console=console)
        self.stopping, self.notice = self._screen.stopping, self._screen.notice
        self._bars = self._screen.bars
        self._first: tuple[float, float] | None = None  # time and share once all is compiled

    def __enter__(self):
        self._screen.__enter__()
        self._screen.line(self._opening)
        return self

    def __exit__(self, *exception: object) -> None:
        self._screen.__exit__(*exception)

    def _seconds_left(self, share: float) -> float | None:
        """As much as `share` of the whole is done now; None while it is too early to tell.

        The first call begins the count: the time before was the compiler's.
        """
        now = time.monotonic()
        if self._first is None:
            self._first = now, share
        began, share_then = self._first
        gained = share - share_then
        return (1.0 - share) * (now - began) / gained if gained > _ETA_FROM else None


def clock(seconds: float) -> str:
    """Seconds as a clock shows them: 1:02:03 or 2:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
