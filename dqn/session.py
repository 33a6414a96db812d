"""One command from its folder to its closing table: a run of one configuration, or a sweep."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dqn.config import Config
from dqn.runtime import compile_cache
from dqn.runtime.errors import RunError, TrainingError
from dqn.runtime.exit_codes import INTERRUPTED, TIME_IS_UP
from dqn.runtime.interrupts import ctrl_c
from dqn.runtime.notices import notice
from dqn.statistics.formatting import count
from dqn.storage import components
from dqn.storage.columns import Row
from dqn.storage.layout import shown_path
from dqn.storage.machines import record_speed
from dqn.storage.results_dir import ResultsDir
from dqn.terminal.drawing import DrawingProgress, draw_and_report
from dqn.terminal.progress import RunProgress, SweepProgress
from dqn.terminal.tables import best_of, leaderboards, summary, unwritten
from dqn.tracking.progress import TrackingProgress
from dqn.training.jobs import LANES, WorkerPool
from dqn.training.scheduler import ProgressListener, Scheduler, Timing
from dqn.training.time_limit import TimeLimit
from dqn.training.trial_source import FixedTrials, Trial, TrialSource
from dqn.workers.pool import before_training
from dqn.workers.pool_choice import pool_for

_SHORT = 3.0  # seconds; a shorter time is mostly start and end, so no speed is shown


Say = Callable[[str], None]
"""What takes the text that a command ends with."""


def train(
    config: Config,
    path: Path,
    say: Say = print,
    opened: Callable[[ResultsDir], None] = lambda folder: None,
) -> int:
    """Train every seed of `config` that the folder `path` does not hold yet.

    Returns the exit status: 0 when all seeds are there, 130 after Ctrl-C. `say` gets the table and
    what else a command ends with; `opened` is called once the folder is there. Raises `UserError`
    for what cannot be trained, for a folder that holds another configuration or is in use,
    `RunError` where writing fails.
    """
    compile_cache.prepare()  # before TensorFlow is imported
    before_training(config, [config])
    seeds = tuple(range(config.first_seed, config.first_seed + config.seeds))
    ending = _Ending()
    with ResultsDir(path, config) as folder:
        opened(folder)
        finished = folder.finished()
        missing = [seed for seed in seeds if (0, seed) not in finished]
        if missing:
            _record_components(path, [config])
            source = FixedTrials([Trial(0, config, seeds)])
            with (
                pool_for(config, len(missing), [config]) as pool,
                RunProgress(missing, config) as progress,
            ):
                view = DrawingProgress(progress, folder, config)
                ending.train(source, folder, pool, view, progress.stopping, config.tracking)
        if not ending.stopped and ending.failed is None:
            ending.write(folder.put_in_order)
        from dqn.plotting import result_pictures

        ending.draw("", lambda: result_pictures.draw_run(folder, config))
        rows, trials = folder.rows(), folder.trials()
        ending.write(folder.close)
    if len(rows):
        say(summary(rows, trials.iloc[0].to_dict()))
    if not missing:
        say("all seeds are already trained; nothing to do")
    if more := len(set(rows["seed"].tolist()) - set(seeds)):
        say(f"the table also has {count(more, 'seed')} of earlier commands")
    if ending.stopped:
        done = len(set(seeds) & set(rows["seed"].tolist()))
        say(f"stopped: {done} of {count(len(seeds), 'seed')} saved")
    return ending.status(f"results: {shown_path(path)}", say)


@dataclass(frozen=True)
class SweepSpec:
    """What a sweep's folder must know of it; see `dqn.storage.results_dir.ResultsDir`."""

    record: Mapping[str, Any]
    growable_keys: Collection[str]
    swept: tuple[str, ...]
    """Keys and groups that differ between trials."""
    configs: tuple[Config, ...]
    """Configurations that tell what the trials will need: all of a grid's, a study's base.

    And of a study, those that have components of one's own.
    """
    objective: str = "mean_return"
    over: Callable[[Sequence[Row]], float] | None = None
    ordered_by: str = "IQM"
    """What `over` gives, in words."""
    defaults: Mapping[str, Any] | None = None
    """What the record says by default: that of an earlier version lacks what it did not know."""
    trials: Collection[int] | None = None
    """Numbers of all trials that this command is about; None: whatever the folder holds."""
    corners: Sequence[Config] | None = None
    """Of a study, the configurations that bound its space: see `before_training`."""
    unless_warned: bool = False
    """Whether traps are named only where this process has named none."""
    limit: TimeLimit = field(default_factory=TimeLimit)
    """When to stop, as after Ctrl-C but for the exit status."""


def sweep(
    base: Config,
    path: Path,
    about: SweepSpec,
    make_source: Callable[[ResultsDir], TrialSource],
    say: Say = print,
) -> tuple[int, Timing]:
    """Train what a source gives, into the folder `path`; the exit status, and where time went.

    The status is 0 when all is done, 1 when a trial failed, 130 after Ctrl-C, `TIME_IS_UP` where
    the limit stopped it. `say` gets what a command ends with, tables first. Raises as `train`.
    """
    compile_cache.prepare()
    before_training(base, about.configs, about.corners, about.unless_warned)
    ending = _Ending()
    with compile_cache.nothing_collected():
        opened = ResultsDir(
            path,
            base,
            about.record,
            growable_keys=about.growable_keys,
            swept=about.swept,
            objective=about.objective,
            over=about.over,
            defaults=about.defaults,
        )
    with opened as folder:
        with compile_cache.nothing_collected():
            made = make_source(folder)
        with contextlib.closing(made) as source:
            finished = [
                n for n, _ in folder.finished() if about.trials is None or n in about.trials
            ]
            jobs = source.total * base.seeds - len(finished)
            if jobs:
                _record_components(path, about.configs)
            with (
                pool_for(base, jobs, about.configs) as pool,
                SweepProgress(folder, source.total, base) as view,
            ):
                stopping, limit = view.stopping, about.limit
                ending.train(source, folder, pool, view, stopping, base.tracking, limit)
        if not ending.stopped:
            ending.write(folder.put_in_order)
        from dqn.plotting import result_pictures

        if view.trained or not result_pictures.is_best_whole(folder):
            ending.draw("the best trial", lambda: result_pictures.draw_best_trial(folder, base))
        trials, best = folder.trials(), folder.best_trials()
        if about.trials is not None:  # those that this command is about
            trials = trials[trials["trial"].isin(list(about.trials))]
        ending.write(folder.close)
    begun = len(trials)
    if ending.stopped:
        trials = trials[trials["trial"].isin(list(view.ended))]
    if len(trials):
        over = about.over
        value_of = None if over is None else lambda n: over(folder.rows_of(n))
        say(leaderboards(trials, about.swept, about.objective, about.ordered_by, value_of))
    failed = trials.loc[trials["same_as"].isna(), "status"].tolist().count("failed")
    if failed:
        say(f"{failed} of {len(trials)} trials failed: their rows in seeds.csv say failed")
    if ending.stopped:
        parts = f", {begun - len(trials)} more in part" if begun > len(trials) else ""
        why = "time is up" if ending.is_time_up else "stopped"
        say(f"{why}: {view.counts.over} of {source.total} trials saved{parts}")
        if ending.is_time_up and not view.trained:
            say("nothing was trained to its end in that time: a longer one gets further")
    elif not view.trained and ending.failed is None:
        say("all trials are already trained; nothing to do")
    elif ending.timing.busy:
        say(_render_timing(ending.timing, view.trained, view.steps, ending.workers))
    where = "; ".join([f"results: {shown_path(path)}", *best_of(best)])
    return ending.status(where, say, int(failed > 0)), ending.timing


class _Ending:
    """How a command comes to its end: stopped or not, and what went wrong on the way."""

    def __init__(self):
        self.stopped, self.workers, self.timing = False, 0, Timing()
        self.is_time_up = False
        """Whether that is why it stopped."""
        self.failed: TrainingError | None = None
        """Of some seeds: the others are there, and shown."""
        self._unwritten: list[RunError] = []
        self._cost = ""  # of tracking

    def train(
        self,
        source: TrialSource,
        folder: ResultsDir,
        pool: WorkerPool,
        view: ProgressListener,
        stopping: Callable[[], None],
        tracking: str | None,
        limit: TimeLimit | None = None,
    ) -> None:
        """Train what `source` gives, until Ctrl-C or the limit."""
        tracked = TrackingProgress(view, folder, tracking)
        scheduler = Scheduler(source, folder, pool, tracked)
        try:
            with tracked, ctrl_c(stopping) as asked:
                self.stopped = scheduler.run(asked, limit)
                self.is_time_up = self.stopped and not asked.is_set()
            self.timing = scheduler.timing
        except TrainingError as error:
            self.failed = error
        self._cost = tracked.cost
        self.workers, timing = pool.workers, self.timing
        record_speed(folder.path, timing.steps, timing.busy, LANES * timing.useful)

    def write(self, write: Callable[[], None]) -> None:
        """Write what follows from rows that are on disk; what goes wrong is raised in the end."""
        self._unwritten += unwritten(write)

    def draw(self, what: str, draw: Callable[[], list[str] | None]) -> None:
        """Draw, until Ctrl-C."""
        if not draw_and_report(what, draw):
            self.stopped, self.is_time_up = True, False

    def status(self, where: str, say: Say, status: int = 0) -> int:
        """The exit status once all is shown, but for `where` the results are."""
        say("\n".join(filter(None, [self._cost, where])))
        if self.failed is not None or self._unwritten:
            raise self.failed or self._unwritten[-1]
        if self.is_time_up:
            return TIME_IS_UP
        return INTERRUPTED if self.stopped else status


def _record_components(path: Path, configs: Iterable[Config]) -> None:
    """Record the sources of components of one's own; say which have changed."""
    for line in components.record(path, configs):
        notice(line)


def _render_timing(timing: Timing, trainings: int, steps: int, workers: int) -> str:
    """One line on where the time went."""
    done = f"{count(trainings, 'training')}, {steps:,} steps"
    if timing.wall < _SHORT:
        return done
    compiling = 100 * timing.compiling / timing.offered
    compiled = f", compiling {compiling:.0f} %" if timing.compiling else ""
    share = 100 * timing.scheduler / (timing.scheduler + timing.busy)
    return (
        f"{done} in {timing.wall:,.0f} s: {steps / timing.wall:,.0f} steps/s "
        f"on {count(workers, 'worker')}; utilisation {100 * timing.utilisation:.0f} %{compiled}, "
        f"scheduler {share:.1f} %"
    )
