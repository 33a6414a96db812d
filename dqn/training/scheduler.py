"""Takes trials from a source, keeps a pool of workers busy with their seeds, owns all writing.

What is finished is on disk before anything else happens, so the same command resumes one that was
stopped, with the same result. Runs, grids and studies differ in their source and what is shown.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from threading import Event
from typing import Protocol

from dqn.runtime.errors import TrainingError
from dqn.statistics.formatting import count
from dqn.storage.finished import FinishedTraining
from dqn.storage.results_dir import ResultsDir
from dqn.storage.trials import named, retried
from dqn.training.jobs import Finished, Job, PoolUpdate, TrainingId, WorkerPool
from dqn.training.time_limit import TimeLimit
from dqn.training.trial_progress import TrialProgress
from dqn.training.trial_source import Trial, TrialSource


class ProgressListener(Protocol):
    """What shows a person the progress."""

    def begun(self, progress: TrialProgress) -> None:
        """A trial has begun or resumed; some or all of its seeds may be over already."""

    def report(self, update: PoolUpdate) -> None:
        """Workers have reported; what is finished is on disk."""

    def on_trial_end(self, progress: TrialProgress) -> None:
        """A trial is over."""

    def notice(self, text: str) -> None:
        """A line that a person must read."""


@dataclass
class Timing:
    """Where the time went, in seconds."""

    wall: float = 0.0
    """From the first chunk that compiled nothing to the last."""
    scheduler: float = 0.0
    """Of this process's processor, without what an engine in it used."""
    busy: float = 0.0
    """Of all workers together, in chunks that compiled nothing."""
    useful: float = 0.0
    """Of `busy`, the share of lanes that trained."""
    steps: int = 0
    """Environment steps of episodes that ended in these chunks."""
    compiling: float = 0.0
    """Of all workers together, in the other chunks since `wall` began."""
    offered: float = 0.0
    """Of all workers together, in chunks or waiting: `wall` for each."""

    @property
    def utilisation(self) -> float:
        """Of what was offered, the share of lanes that trained."""
        return self.useful / self.offered


class Scheduler:
    """One command's trainings, from the first trial to the last."""

    def __init__(
        self, source: TrialSource, folder: ResultsDir, pool: WorkerPool, view: ProgressListener
    ):
        self._source, self._folder, self._pool, self._view = source, folder, pool, view
        self._trials: dict[int, TrialProgress] = {}
        self._followers: dict[int, list[Trial]] = {}  # by the number of the trial they repeat
        self._new: list[Job] = []
        self._cancelled: list[TrainingId] = []
        self.timing = Timing()
        self._failures: list[str] = []  # of the only trial there is: its seeds without a row

    def run(self, asked: Event, limit: TimeLimit | None = None) -> bool:
        """Train until the source has no more trials, or `asked` is set or time is up: then True.

        Raises `RunError` where writing fails, and `TrainingError` in the end where seeds of the
        only trial there is failed: all others of it have been trained.
        """
        began, limit = None, limit or TimeLimit()
        while True:
            processor = time.process_time()
            self._begin_trials()
            if not self._trials:
                return False
            if asked.is_set() or limit.is_over:
                return True
            new, cancelled, self._new, self._cancelled = self._new, self._cancelled, [], []
            asking = time.process_time()
            update = self._pool.advance(new, cancelled)
            engine = 0.0 if self._pool.is_remote else time.process_time() - asking
            try:
                self._take(update)
            except TrainingError:  # what was saved is reported all the same
                self._view.report(update)
                raise
            self._view.report(update)
            self.timing.scheduler += time.process_time() - processor - engine
            now = time.perf_counter()
            if began is None and self.timing.busy:
                began = now - self.timing.busy / update.workers
            wall = now - began if began else 0.0
            self.timing.offered += (wall - self.timing.wall) * update.workers
            self.timing.wall = wall

    def _begin_trials(self) -> None:
        """Take trials while the pool has free slots for their seeds."""
        while self._pool.free_slots > len(self._new):
            trial = self._source.next()
            if trial is None:
                return
            self._folder.refuse_other(trial.number, trial.config)
            if trial.same_as is None:
                progress = TrialProgress(trial, self._folder.threshold(trial.config.env))
                self._trials[trial.number] = progress
                self._view.begun(progress)
                self._train(progress, progress.seeds)
            elif trial.same_as in self._trials:
                self._followers.setdefault(trial.same_as, []).append(trial)
            else:
                self._end_same(trial, trial.same_as)

    def _train(self, progress: TrialProgress, seeds: Sequence[int]) -> None:
        """Have seeds of a trial trained that have no rows on disk, or are to be `retried`."""
        on_disk = {row["seed"]: row for row in self._folder.rows_of(progress.number)}
        for _, seed in retried(on_disk.values()):
            del on_disk[seed]
        rows = {seed: on_disk[seed] for seed in seeds if seed in on_disk}
        progress.rows.update(rows)
        if any(row["status"] == "pruned" for row in rows.values()):
            # It was pruned in an earlier session, which ended before all its rows were written.
            progress.stopped = True
            self._save([Finished.pruned(job) for job in progress.missing()])
        else:
            new = progress.missing()
            if new and self._source.rungs and (lacking := progress.seeds_without_episodes()):
                episodes = self._folder.episodes(progress.number)  # of an earlier session
                for seed in lacking:
                    mine = episodes[episodes["seed"] == seed]
                    progress.add_episodes(seed, mine["return"].to_numpy(), mine["step"].to_numpy())
            self._new += new
            for row in rows.values():
                self._continue(progress, self._source.keep_after_seed(progress.number, row))
        self._advance(progress)

    def _take(self, update: PoolUpdate) -> None:
        for report in update.chunk_results:
            if self.timing.busy:
                self.timing.compiling += report.compiling
            self.timing.busy += report.seconds
            self.timing.useful += report.useful
            if report.seconds:
                self.timing.steps += sum(int(of.lengths.sum()) for of in report.episodes)
        for trial, seed in update.restarted:
            self._trials[trial].forget(seed)
        for notice in update.notices:
            self._view.notice(notice)
        changed = set()
        for episodes in update.episodes:
            number, seed = episodes.key
            self._trials[number].add_episodes(seed, episodes.returns, episodes.step)
            changed.add(number)
        changed.update(result.job.trial for result in update.finished)
        for result in self._save(update.finished):
            progress = self._trials[result.job.trial]
            failed = result.status == "failed"
            if result.reason and not (failed and progress.stopped):
                of_trial = f"{named(progress.number)} failed: " if failed else ""
                self._view.notice(of_trial + result.reason)
            if result.status != "pruned":
                row = progress.rows[result.job.seed]
                keep = self._source.keep_after_seed(progress.number, row)
                self._continue(progress, keep and not failed)
        for number in sorted(changed):
            progress = self._trials[number]
            for rung, metrics in progress.rungs_passed(self._source.rungs):
                if not progress.stopped:
                    self._continue(progress, self._source.keep_at_rung(number, rung, metrics))
            self._advance(progress)

    def _continue(self, progress: TrialProgress, keep: bool) -> None:
        if not keep and not progress.stopped:
            progress.stopped = True
            self._cancelled += [job.key for job in progress.missing()]

    def _advance(self, progress: TrialProgress) -> None:
        """Ask for more seeds of a trial whose seeds are over, or end it."""
        if not progress.is_over:
            return
        if self._failures:
            first, *others = self._failures
            more = f"; and {count(len(others), 'more seed')} failed" if others else ""
            raise TrainingError(first + more)
        rows = list(progress.rows.values())
        more = () if progress.stopped else self._source.next_stage_seeds(progress.number, rows)
        if more:
            progress.seeds += more
            self._train(progress, more)
            return
        self._folder.close_trial(progress.number)
        self._source.on_trial_end(progress.number, rows)
        del self._trials[progress.number]
        self._view.on_trial_end(progress)
        for trial in self._followers.pop(progress.number, ()):
            self._end_same(trial, progress.number)

    def _end_same(self, trial: Trial, original: int) -> None:
        """End a trial whose configuration was trained already, under an earlier number."""
        rows = self._folder.rows_of(original)
        progress = TrialProgress(trial, None)
        progress.rows = {int(row["seed"] or 0): row for row in rows}
        self._view.begun(progress)
        self._folder.add_same(trial.number, original)
        self._source.on_trial_end(trial.number, rows)
        self._view.on_trial_end(progress)

    def _save(self, results: Sequence[Finished]) -> Sequence[Finished]:
        """Write the rows of trainings and all that belongs to them; those that have rows."""
        kept = []
        for result in results:
            if result.status == "failed" and self._source.total == 1:
                self._failures.append(result.reason)
                self._trials[result.job.trial].seeds.remove(result.job.seed)
            else:
                kept.append(result)
        if kept:
            self._folder.add(*map(_as_written, kept))
        for trial, seed in (result.key for result in kept):
            self._trials[trial].rows[seed] = self._folder.row(trial, seed)
        return kept


def _as_written(result: Finished) -> FinishedTraining:
    """The same, flat: of its job, its episodes and itself what has a field there."""
    known = vars(result.job) | vars(result.episodes) | vars(result)
    return FinishedTraining(**{field.name: known[field.name] for field in fields(FinishedTraining)})
