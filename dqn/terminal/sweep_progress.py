"""What a person sees while a sweep runs: two live lines on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, TextColumn

from dqn.config import Config
from dqn.statistics.formatting import Estimate, count
from dqn.statistics.metrics import METRICS
from dqn.storage.columns import Row
from dqn.storage.results_dir import ResultsDir
from dqn.storage.trials import named, trial_row
from dqn.terminal.console import Screen
from dqn.training.messages import PoolUpdate
from dqn.training.trial_progress import TrialProgress

_PAUSE = 0.2  # seconds between looks at the bars


@dataclass
class TrialCounts:
    """Trials by how they stand."""

    total: int
    running: int = 0
    over: int = 0
    pruned: int = 0
    failed: int = 0

    def __str__(self) -> str:
        text = f"{self.over:,} of {self.total:,} trials done · {self.running} running"
        text += f" · {self.pruned} pruned" if self.pruned else ""
        return text + (f" · {self.failed} failed" if self.failed else "")


class SweepProgress(Screen):
    """Follows a sweep."""

    def __init__(
        self, folder: ResultsDir, total: int, base: Config, console: Console | None = None
    ):
        self._folder, self._seeds = folder, base.seeds
        self.counts = TrialCounts(total)
        self.ended: set[int] = set()
        """Numbers of the trials that are over."""
        self.trained = self.steps = 0
        """Trainings that ended in this command, and their environment steps."""
        self._saved = 0  # steps that pruned seeds did not take
        self._whole = self._whole_steps = 0  # seeds that were not pruned, and their steps
        self._before = 0  # rows that were on disk already
        columns = (BarColumn(24), TextColumn("{task.fields[text]}"))
        opening = f"{count(total, 'trial')} of {count(base.seeds, 'seed')}; starting ..."
        super().__init__(opening, *columns, console=console)
        self._bar = self.bars.add_task("", total=1.0, text="loading TensorFlow, compiling ...")
        self._stepped = self.bars.add_task("", total=None, visible=False)
        self._useful = self.bars.add_task("", total=None, visible=False)  # seconds of each worker
        self._best_line, self._best = "", {}
        self._outdated = False  # the best trial: sought once a report, however many trials ended
        self._shown_at = -_PAUSE

    def begun(self, progress: TrialProgress) -> None:
        """A trial has begun."""
        self.counts.running += 1
        self._before += len(self._folder.rows_of(progress.number))

    def on_trial_end(self, progress: TrialProgress) -> None:
        """A trial is over."""
        self.counts.running -= 1
        self.counts.over += 1
        self.ended.add(progress.number)
        statuses = {str(row["status"]) for row in progress.rows.values()}
        self.counts.failed += "failed" in statuses
        self.counts.pruned += "pruned" in statuses and "failed" not in statuses
        self._outdated = True

    def report(self, update: PoolUpdate) -> None:
        """As `ProgressListener.report`."""
        if self._outdated:
            self._find_best()
        for result in update.finished:
            self.trained += 1
            self.steps += result.steps
            if result.status == "pruned":
                usual = self._whole_steps // max(1, self._whole)
                self._saved += max(0, usual - result.steps)
            else:
                self._whole += 1
                self._whole_steps += result.steps
        useful = sum(report.useful for report in update.chunk_results)
        self.bars.advance(self._useful, useful / max(1, update.workers))
        self.bars.advance(self._stepped, sum(int(e.lengths.sum()) for e in update.episodes))
        left = self.time_left(self._share()) if update.episodes or self._first else ""
        if time.monotonic() < self._shown_at + _PAUSE:
            return
        self._shown_at = time.monotonic()
        text = self._summary() + left
        self.bars.update(self._bar, completed=self._share(), text=text)
        self.now_and_then(f"{text}\n{self._best_line}" if self._best_line else text)

    def _share(self) -> float:
        wanted = self.counts.total * self._seeds
        under_way = (self.trained + self._before) / wanted if wanted else 1.0
        return min(1.0, max(under_way, self.counts.over / max(1, self.counts.total)))

    def _summary(self) -> str:
        text = str(self.counts)
        useful, steps = self.speed(self._useful), self.speed(self._stepped)
        text += f" · utilisation {100 * useful:.0f} %" if useful else ""
        text += f" · {steps:,.0f} steps/s" if steps else ""
        if self._saved:
            text += f" · {100 * self._saved / (self._saved + self.steps):.0f} % of steps saved"
        return text

    def _find_best(self) -> None:
        self._outdated = False
        rows = {
            task: self._folder.rows_of(trial) for task, trial in self._folder.best_trials().items()
        }
        best = {task: (own[0]["trial"], len(own)) for task, own in rows.items()}
        if best == self._best:
            return
        self._best = best
        text = [
            f"{task} " * (len(rows) > 1) + value
            for task, own in rows.items()
            if (value := self._value(own))
        ]
        if text:
            self._best_line = f"best so far: {'; '.join(text)}"
            self.above(self._best_line)

    def _value(self, rows: Sequence[Row]) -> str:
        """A trial and its value; "" where that is not finite."""
        row, name = trial_row(rows, ()), self._folder.objective
        text = Estimate.in_row(row, name).text(METRICS[name].digits, none="")
        trial = f"{named(int(row['trial'] or 0))}, {name} {text}, {count(len(rows), 'seed')}"
        return trial if text else ""
