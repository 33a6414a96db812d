"""Drawing while seeds train and once they are over: whatever comes of it, the rows are shown."""

import contextlib
import threading
import time
from collections.abc import Callable

from dqn.config import Config
from dqn.plotting import result_pictures
from dqn.runtime.notices import notice
from dqn.storage.results_dir import ResultsDir
from dqn.terminal.console import steps
from dqn.terminal.progress import RunProgress
from dqn.training.jobs import PoolUpdate

_SHARE = 0.1  # of the time, at most, goes into drawing while seeds train
_FIRST_CURVES = 20.0  # seconds; earlier ones are not worth waiting for


def draw_and_report(what: str, draw: Callable[[], list[str] | None]) -> bool:
    """Draw, and say on standard error what could not be made, a line each; False after Ctrl-C."""
    problems: list[str] = []
    ended = True
    try:
        with result_pictures.attempt("figures", problems), steps() as show:
            show(f"drawing {what} ...".replace("  ", " "))
            problems += draw() or []
    except KeyboardInterrupt:
        problems.append("stopped while drawing; the same command draws what is missing")
        ended = False
    for problem in problems:
        notice(problem)
    return ended


class DrawingProgress:
    """A `RunProgress` that draws the curves of a run now and then, too."""

    def __init__(self, view: RunProgress, folder: ResultsDir, config: Config):
        self._view, self._folder, self._config = view, folder, config
        self.begun, self.on_trial_end, self.notice = view.begun, view.on_trial_end, view.notice
        self._due = time.monotonic() + _FIRST_CURVES
        self._loading: threading.Thread | None = None

    def report(self, update: PoolUpdate) -> None:
        """As `ProgressListener.report`."""
        self._view.report(update)
        if self._loading is None:  # all is traced: from now on Python has little to do
            self._loading = threading.Thread(target=_load_pictures)
            self._loading.start()
        if not update.finished or time.monotonic() < self._due:
            return
        began = time.monotonic()
        with contextlib.suppress(Exception):  # shown by whoever draws in the end
            result_pictures.draw_curves(self._folder, self._config)
        self._due = time.monotonic() + (time.monotonic() - began) / _SHARE


def _load_pictures() -> None:
    """Import what draws, beside a training: it takes over a second."""
    with contextlib.suppress(Exception):  # raised again by whoever draws
        result_pictures.load()
