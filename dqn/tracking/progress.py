"""Between the scheduler and what shows its progress: a tracker hears of each training, too."""

from types import TracebackType

from dqn.config import Config
from dqn.storage.columns import Row, hyperparameters
from dqn.storage.results_dir import ResultsDir
from dqn.tracking.background import BackgroundTracker
from dqn.tracking.tracker import TrackedTraining
from dqn.training.jobs import Finished, PoolUpdate, TrainingId
from dqn.training.scheduler import ProgressListener
from dqn.training.trial_progress import TrialProgress

_SHORT = 1.0  # seconds, after a second Ctrl-C


class TrackingProgress:
    """A `ProgressListener` around `view`, with the tracker `name`; None passes everything on.

    To be used with `with`: leaving it closes the tracker, within a bounded time.
    """

    def __init__(self, view: ProgressListener, folder: ResultsDir, name: str | None):
        self._view, self._folder = view, folder
        self.notice = view.notice
        self._tracker = BackgroundTracker(name, folder.path, view.notice) if name else None
        self._configs: dict[int, Config] = {}
        self._over: list[int] = []  # trials whose last episodes come with the next report
        self._begun: dict[TrainingId, TrackedTraining] = {}
        if self._tracker is not None:
            self._env = [name for name in folder.rows().columns if name.startswith("env.")]

    def __enter__(self) -> "TrackingProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._tracker is not None:
            self._tracker.close(_SHORT if isinstance(error, KeyboardInterrupt) else None)

    @property
    def cost(self) -> str:
        """One line on the time that tracking took; "" where nothing was tracked."""
        return "" if self._tracker is None else self._tracker.cost

    def begun(self, progress: TrialProgress) -> None:
        """As `ProgressListener.begun`."""
        self._configs[progress.number] = progress.config
        self._view.begun(progress)

    def on_trial_end(self, progress: TrialProgress) -> None:
        """As `ProgressListener.on_trial_end`."""
        self._over.append(progress.number)
        self._view.on_trial_end(progress)

    def report(self, update: PoolUpdate) -> None:
        """As `ProgressListener.report`."""
        self._view.report(update)
        if self._tracker is not None:
            for key in update.restarted:  # the next episodes of it are its first
                self._begun.pop(key, None)
            for episodes in update.episodes:
                if len(episodes.returns):
                    self._tracker.log(self._started(episodes.key), episodes)
            for result in update.finished:
                self._tracker.finish(self._started(result.key), self._row(result))
                del self._begun[result.key]
            self._tracker.tell()
        for number in self._over:
            self._configs.pop(number, None)
        self._over.clear()

    def _started(self, key: TrainingId) -> TrackedTraining:
        assert self._tracker is not None
        if key not in self._begun:
            cells = hyperparameters(self._configs[key[0]], self._env)
            self._begun[key] = TrackedTraining(*key, cells)
            self._tracker.start(self._begun[key])
        return self._begun[key]

    def _row(self, result: Finished) -> Row:
        try:
            return self._folder.row(*result.key)
        except KeyError:  # a seed of the only trial there is that failed has none
            return {"status": result.status}
