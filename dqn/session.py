"""One command from its folder to its closing table: a run of one configuration, or a sweep."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dqn.config import Config
from dqn.config.fields import AUTO
from dqn.config.interpolation import looked_up
from dqn.envs import exclusive
from dqn.runtime import compile_cache
from dqn.runtime.errors import RunError, TrainingError
from dqn.runtime.exit_codes import INTERRUPTED
from dqn.statistics.formatting import count
from dqn.storage.columns import Row
from dqn.storage.results_dir import ResultsDir
from dqn.terminal.closing_table import best_of, leaderboards, unwritten
from dqn.terminal.drawing import draw_and_report
from dqn.terminal.run_progress import RunProgress
from dqn.terminal.sweep_progress import SweepProgress
from dqn.terminal.tables import summary
from dqn.training.messages import PoolUpdate, WorkerPool
from dqn.training.scheduler import Scheduler, Timing
from dqn.training.trial_source import FixedTrials, Trial, TrialSource
from dqn.workers.local import LocalBackend
from dqn.workers.pool import InProcessPool, max_workers, print_bound, refuse_workers, worker_count
from dqn.workers.registrations import bound_here
from dqn.workers.remote_pool import RemotePool

_SHARE = 0.1  # of the time, at most, goes into drawing while seeds are still training
_FIRST_CURVES = 20.0  # seconds; earlier ones are not worth waiting for
_SHORT = 3.0  # seconds in which to start and to end weighs more than to train: no speed is told


def train(config: Config, path: Path) -> int:
    """Train every seed of `config` that the folder `path` does not hold yet.

    Returns the exit status: 0 when all seeds are there, 130 after Ctrl-C. Raises `UserError` for a
    folder that holds another configuration or is in use, `RunError` where writing fails.
    """
    compile_cache.prepare()  # before TensorFlow is imported
    refuse_workers(config, [config])
    seeds = tuple(range(config.first_seed, config.first_seed + config.seeds))
    stopped, failed = False, None
    late: list[RunError] = []
    with ResultsDir(path, config) as folder:
        finished = folder.finished()
        missing = [seed for seed in seeds if (0, seed) not in finished]
        if missing:
            source = FixedTrials([Trial(0, config, seeds)])
            with (
                pool_for(config, len(missing), [config]) as fleet,
                RunProgress(missing, config) as view,
            ):
                drawing = _Drawing(view, folder, config)
                try:
                    stopped, _ = _driven(source, folder, fleet, drawing, view.stopping)
                except TrainingError as error:  # of some seeds: the others are there, and shown
                    failed = error
        if not stopped and failed is None:
            late += unwritten(folder.put_in_order)
        from dqn.plotting import result_pictures

        stopped |= not draw_and_report("", lambda: result_pictures.draw_run(folder, config))
        rows, trials = folder.rows(), folder.trials()
        late += unwritten(folder.close)
    if len(rows):
        print(summary(rows, trials.iloc[0].to_dict()))
    if not missing:
        print("all seeds were trained before: nothing was left to do")
    if more := len(set(rows["seed"].tolist()) - set(seeds)):
        print(f"the table has {count(more, 'seed')} of earlier commands besides the {len(seeds)}")
    if stopped:
        done = len(set(seeds) & set(rows["seed"].tolist()))
        print(f"stopped with {done} of {count(len(seeds), 'seed')} trained and saved")
    print(f"results: {_shown(path)}")
    if failed is not None or late:
        raise failed or late[-1]
    return INTERRUPTED if stopped else 0


@dataclass(frozen=True)
class SweepSpec:
    """What a sweep's folder must know of it; see `dqn.storage.results_dir.ResultsDir`."""

    record: Mapping[str, Any]
    growable_keys: Collection[str]
    swept: tuple[str, ...]
    """Keys and groups that differ between trials."""
    configs: tuple[Config, ...]
    """Configurations that tell what the trials will need: all of a grid's, a study's base."""
    objective: str = "mean_return"
    over: Callable[[Sequence[Row]], float] | None = None
    ordered_by: str = "IQM"
    """What `on_trial_end` gives, in words."""
    defaults: Mapping[str, Any] | None = None
    """What the record says by default: that of an earlier version lacks what it did not know."""
    trials: Collection[int] | None = None
    """Numbers of all trials that this command is about; None: whatever the folder holds."""


def sweep(
    base: Config, path: Path, about: SweepSpec, make_source: Callable[[ResultsDir], TrialSource]
) -> tuple[int, Timing]:
    """Train what a source gives, into the folder `path`; the exit status, and where time went.

    The status is 0 when all is done, 1 when a trial failed, 130 after Ctrl-C. Raises as `train`.
    """
    compile_cache.prepare()
    refuse_workers(base, about.configs)
    account, stopped, lost = Timing(), False, None
    late: list[RunError] = []
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
            with (
                pool_for(base, jobs, about.configs) as fleet,
                SweepProgress(folder, source.total, base) as view,
            ):
                try:
                    stopped, account = _driven(source, folder, fleet, view, view.stopping)
                except TrainingError as error:  # of some seeds: the others are there, and shown
                    lost = error
                workers = fleet.workers
        if not stopped:
            late += unwritten(folder.put_in_order)
        from dqn.plotting import result_pictures

        if view.trained or not result_pictures.is_best_whole(folder):
            stopped |= not draw_and_report(
                "the best trial", lambda: result_pictures.draw_best_trial(folder, base)
            )
        trials, best = _of_trials(about, folder.trials()), folder.best_trials()
        late += unwritten(folder.close)
    begun = len(trials)
    if stopped:
        trials = trials[trials["trial"].isin(view.ended)]
    if len(trials):
        over = about.over
        value_of = None if over is None else lambda n: over(folder.rows_of(n))
        print(leaderboards(trials, about.swept, about.objective, about.ordered_by, value_of))
    failed = trials.loc[trials["same_as"].isna(), "status"].tolist().count("failed")
    if failed:
        print(f"{failed} of {len(trials)} trials failed: their rows in seeds.csv say failed")
    if stopped:
        parts = f", and of {begun - len(trials)} more some seeds" if begun > len(trials) else ""
        print(f"stopped with {view.counts.over} of {source.total} trials done and saved{parts}")
    elif not view.trained and lost is None:
        print("all trials were trained before: nothing was left to do")
    elif account.busy:
        print(_render_timing(account, view.trained, view.steps, workers))
    print("; ".join([f"results: {_shown(path)}", *best_of(best)]))
    if lost is not None or late:
        raise lost or late[-1]
    return (INTERRUPTED if stopped else int(failed > 0)), account


def _of_trials(about: SweepSpec, trials: Any) -> Any:
    """Rows of trials.csv that the command is about."""
    return trials if about.trials is None else trials[trials["trial"].isin(list(about.trials))]


def _driven(
    source: TrialSource,
    folder: ResultsDir,
    fleet: WorkerPool,
    view: Any,
    stopping: Callable[[], None],
) -> tuple[bool, Timing]:
    driver = Scheduler(source, folder, fleet, view)
    with _ctrl_c(stopping) as asked:
        stopped = driver.run(asked)
    return stopped, driver.account


@contextmanager
def pool_for(config: Config, jobs: int, configs: Collection[Config]) -> Iterator[WorkerPool]:
    """The fleet that `config` asks for, of a size for `jobs` trainings like `configs`."""
    fleet: WorkerPool = InProcessPool()
    alone = jobs > 1 and len([one for one in configs if exclusive.is_exclusive(one)]) > 0
    if config.fleet == "ray" and jobs:
        from dqn.workers.ray import RayBackend

        most = max_workers(jobs, configs) if config.workers == AUTO else int(config.workers)
        fleet = RemotePool(RayBackend(looked_up(config.ray_address, "ray_address"), most))
    elif not alone and (workers := worker_count(config.workers, jobs, configs)):
        if env_id := bound_here(configs):
            print_bound(env_id)
        else:
            fleet = RemotePool(LocalBackend(workers))
    try:
        yield fleet
    finally:
        fleet.close()


class _Drawing:
    """A view that draws the curves of a run now and then, too."""

    def __init__(self, view: RunProgress, folder: ResultsDir, config: Config):
        self._view, self._folder, self._config = view, folder, config
        self.begun, self.on_trial_end, self.notice = view.begun, view.on_trial_end, view.notice
        self._due = time.monotonic() + _FIRST_CURVES
        self._loading: threading.Thread | None = None

    def report(self, update: PoolUpdate) -> None:
        self._view.report(update)
        if self._loading is None:  # all is traced: from now on Python has little to do
            self._loading = threading.Thread(target=_load_pictures)
            self._loading.start()
        if not update.finished or time.monotonic() < self._due:
            return
        began = time.monotonic()
        with contextlib.suppress(Exception):  # whoever draws in the end says what is wrong
            from dqn.plotting import result_pictures

            result_pictures.draw_curves(self._folder, self._config)
        self._due = time.monotonic() + (time.monotonic() - began) / _SHARE


def _load_pictures() -> None:
    """Import what draws, beside a training: it takes over a second."""
    with contextlib.suppress(Exception):  # whoever draws meets it again
        from dqn.plotting import result_pictures

        result_pictures.load()


def _render_timing(account: Timing, trainings: int, steps: int, workers: int) -> str:
    """One line on where the time went."""
    useful, compiling = (
        100 * seconds / account.offered for seconds in (account.useful, account.compiling)
    )
    compiled = f", compiling {compiling:.0f} %" if account.compiling else ""
    share = 100 * account.driver / (account.driver + account.busy)
    done = f"{count(trainings, 'training')}, {steps:,} steps"
    if account.wall < _SHORT:
        return done
    return (
        f"{done} in {account.wall:,.0f} s: {steps / account.wall:,.0f} steps/s "
        f"on {count(workers, 'worker')}; lanes at work {useful:.0f} % of their time"
        f"{compiled}, driver {share:.1f} %"
    )


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


@contextmanager
def _ctrl_c(heard: Callable[[], None]) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (or SIGTERM) sets; a second Ctrl-C acts as it always does."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number, frame) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        heard()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
