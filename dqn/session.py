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
from dqn.runtime import compile_cache as runtime
from dqn.runtime.errors import RunError, TrainingError
from dqn.runtime.exit_codes import INTERRUPTED
from dqn.statistics.formatting import count
from dqn.storage.columns import Row
from dqn.storage.results_dir import Folder
from dqn.terminal.closing_table import best_of, leaderboards, unwritten
from dqn.terminal.drawing import drawn
from dqn.terminal.run_progress import RunView
from dqn.terminal.sweep_progress import SweepView
from dqn.terminal.tables import summary
from dqn.training.messages import Fleet, News
from dqn.training.scheduler import Account, Driver
from dqn.training.trial_source import Fixed, Source, Trial
from dqn.workers.local import Processes
from dqn.workers.pool import Inline, most_workers, refuse_workers, tell_bound, workers_for
from dqn.workers.registrations import bound_here
from dqn.workers.remote_pool import Crew

_SHARE = 0.1  # of the time, at most, goes into drawing while seeds are still training
_FIRST_CURVES = 20.0  # seconds; earlier ones are not worth waiting for
_SHORT = 3.0  # seconds in which to start and to end weighs more than to train: no speed is told


def train(config: Config, path: Path) -> int:
    """Train every seed of `config` that the folder `path` does not hold yet.

    Returns the exit status: 0 when all seeds are there, 130 after Ctrl-C. Raises `UserError` for a
    folder that holds another configuration or is in use, `RunError` where writing fails.
    """
    runtime.prepare()  # before TensorFlow is imported
    refuse_workers(config, [config])
    seeds = tuple(range(config.first_seed, config.first_seed + config.seeds))
    stopped, failed = False, None
    late: list[RunError] = []
    with Folder(path, config) as folder:
        finished = folder.finished()
        missing = [seed for seed in seeds if (0, seed) not in finished]
        if missing:
            source = Fixed([Trial(0, config, seeds)])
            with (
                fleet_for(config, len(missing), [config]) as fleet,
                RunView(missing, config) as view,
            ):
                drawing = _Drawing(view, folder, config)
                try:
                    stopped, _ = _driven(source, folder, fleet, drawing, view.stopping)
                except TrainingError as error:  # of some seeds: the others are there, and shown
                    failed = error
        if not stopped and failed is None:
            late += unwritten(folder.put_in_order)
        from dqn.plotting import result_pictures as pictures

        stopped |= not drawn("", lambda: pictures.draw_run(folder, config))
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
class Sweep:
    """What a sweep's folder must know of it; see `dqn.storage.results_dir.Folder`."""

    record: Mapping[str, Any]
    grows: Collection[str]
    swept: tuple[str, ...]
    """Keys and groups that differ between trials."""
    configs: tuple[Config, ...]
    """Configurations that tell what the trials will need: all of a grid's, a study's base."""
    objective: str = "mean_return"
    over: Callable[[Sequence[Row]], float] | None = None
    ordered_by: str = "IQM"
    """What `over` gives, in words."""
    defaults: Mapping[str, Any] | None = None
    """What the record says by default: that of an earlier version lacks what it did not know."""
    trials: Collection[int] | None = None
    """Numbers of all trials that this command is about; None: whatever the folder holds."""


def sweep(
    base: Config, path: Path, about: Sweep, make_source: Callable[[Folder], Source]
) -> tuple[int, Account]:
    """Train what a source gives, into the folder `path`; the exit status, and where time went.

    The status is 0 when all is done, 1 when a trial failed, 130 after Ctrl-C. Raises as `train`.
    """
    runtime.prepare()
    refuse_workers(base, about.configs)
    account, stopped, lost = Account(), False, None
    late: list[RunError] = []
    with runtime.nothing_collected():
        opened = Folder(
            path,
            base,
            about.record,
            grows=about.grows,
            swept=about.swept,
            objective=about.objective,
            over=about.over,
            defaults=about.defaults,
        )
    with opened as folder:
        with runtime.nothing_collected():
            made = make_source(folder)
        with contextlib.closing(made) as source:
            finished = [
                n for n, _ in folder.finished() if about.trials is None or n in about.trials
            ]
            jobs = source.total * base.seeds - len(finished)
            with (
                fleet_for(base, jobs, about.configs) as fleet,
                SweepView(folder, source.total, base) as view,
            ):
                try:
                    stopped, account = _driven(source, folder, fleet, view, view.stopping)
                except TrainingError as error:  # of some seeds: the others are there, and shown
                    lost = error
                workers = fleet.workers
        if not stopped:
            late += unwritten(folder.put_in_order)
        from dqn.plotting import result_pictures as pictures

        if view.trained or not pictures.is_best_whole(folder):
            stopped |= not drawn("the best trial", lambda: pictures.draw_best_trial(folder, base))
        trials, best = _of(about, folder.trials()), folder.best_trials()
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
        print(_told(account, view.trained, view.steps, workers))
    print("; ".join([f"results: {_shown(path)}", *best_of(best)]))
    if lost is not None or late:
        raise lost or late[-1]
    return (INTERRUPTED if stopped else int(failed > 0)), account


def _of(about: Sweep, trials: Any) -> Any:
    """Rows of trials.csv that the command is about."""
    return trials if about.trials is None else trials[trials["trial"].isin(list(about.trials))]


def _driven(
    source: Source, folder: Folder, fleet: Fleet, view: Any, stopping: Callable[[], None]
) -> tuple[bool, Account]:
    driver = Driver(source, folder, fleet, view)
    with _ctrl_c(stopping) as asked:
        stopped = driver.run(asked)
    return stopped, driver.account


@contextmanager
def fleet_for(config: Config, jobs: int, configs: Collection[Config]) -> Iterator[Fleet]:
    """The fleet that `config` asks for, of a size for `jobs` trainings like `configs`."""
    fleet: Fleet = Inline()
    alone = jobs > 1 and len([one for one in configs if exclusive.is_alone(one)]) > 0
    if config.fleet == "ray" and jobs:
        from dqn.workers.ray import Cluster

        most = most_workers(jobs, configs) if config.workers == AUTO else int(config.workers)
        fleet = Crew(Cluster(looked_up(config.ray_address, "ray_address"), most))
    elif not alone and (workers := workers_for(config.workers, jobs, configs)):
        if env_id := bound_here(configs):
            tell_bound(env_id)
        else:
            fleet = Crew(Processes(workers))
    try:
        yield fleet
    finally:
        fleet.close()


class _Drawing:
    """A view that draws the curves of a run now and then, too."""

    def __init__(self, view: RunView, folder: Folder, config: Config):
        self._view, self._folder, self._config = view, folder, config
        self.begun, self.over, self.notice = view.begun, view.over, view.notice
        self._due = time.monotonic() + _FIRST_CURVES
        self._loading: threading.Thread | None = None

    def report(self, news: News) -> None:
        self._view.report(news)
        if self._loading is None:  # all is traced: from now on Python has little to do
            self._loading = threading.Thread(target=_load_pictures)
            self._loading.start()
        if not news.finished or time.monotonic() < self._due:
            return
        began = time.monotonic()
        with contextlib.suppress(Exception):  # whoever draws in the end says what is wrong
            from dqn.plotting import result_pictures as pictures

            pictures.draw_curves(self._folder, self._config)
        self._due = time.monotonic() + (time.monotonic() - began) / _SHARE


def _load_pictures() -> None:
    """Import what draws, beside a training: it takes over a second."""
    with contextlib.suppress(Exception):  # whoever draws meets it again
        from dqn.plotting import result_pictures as pictures

        pictures.load()


def _told(account: Account, trainings: int, steps: int, workers: int) -> str:
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
