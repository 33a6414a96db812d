"""What a person sees while a sweep runs: two live lines on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, TextColumn

from dqn.config import Config
from dqn.statistics.formatting import count, format_estimate
from dqn.statistics.metrics import METRICS
from dqn.storage.columns import Row
from dqn.storage.results_dir import ResultsDir
from dqn.storage.trials import named, trial_row
from dqn.terminal.progress import Progress, clock
from dqn.training.jobs import PoolUpdate
from dqn.training.trial_progress import TrialProgress

_WINDOW = 20.0  # seconds that speed and load are over
_PAUSE = 0.2  # seconds between looks at them


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


class SweepProgress(Progress):
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
        self._bar = self._bars.add_task("", total=1.0, text="loading TensorFlow, compiling ...")
        self._best_line, self._best = "", {}
        self._outdated = False  # the best trial: sought once a report, however many trials ended
        self._recent: list[tuple[float, int, float, int]] = []
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
        now = time.monotonic()
        if self._outdated:
            self._find_best()
        for result in update.finished:
            self.trained += 1
            self.steps += result.steps
            if result.status == "pruned":
                self._saved += max(0, self._usual() - result.steps)
            else:
                self._whole += 1
                self._whole_steps += result.steps
        useful = sum(report.useful for report in update.chunk_results)
        stepped = sum(int(e.lengths.sum()) for e in update.episodes)
        self._recent.append((now, update.workers, useful, stepped))
        self._recent = [entry for entry in self._recent if entry[0] > now - _WINDOW]
        if update.episodes:
            self._seconds_left(self._share())
        if now < self._shown_at + _PAUSE:
            return
        self._shown_at = now
        text = self._summary(now)
        self._bars.update(self._bar, completed=self._share(), text=text)
        self._screen.now_and_then(f"{text}\n{self._best_line}" if self._best_line else text)

    def _share(self) -> float:
        wanted = self.counts.total * self._seeds
        under_way = (self.trained + self._before) / wanted if wanted else 1.0
        return min(1.0, max(under_way, self.counts.over / max(1, self.counts.total)))

    def _usual(self) -> int:
        """Steps of a seed that is not pruned, on average."""
        return self._whole_steps // self._whole if self._whole else 0

    def _summary(self, now: float) -> str:
        text = str(self.counts)
        first = self._recent[0][0]
        if now - first > 1.0:
            after = self._recent[1:]
            workers = sum(entry[1] for entry in after) / len(after) if after else 1
            useful = sum(entry[2] for entry in after) / (workers * (now - first))
            speed = sum(entry[3] for entry in after) / (now - first)
            text += f" · utilisation {100 * useful:.0f} %" if useful else ""
            text += f" · {speed:,.0f} steps/s"
        if self._saved:
            text += f" · {100 * self._saved / (self._saved + self.steps):.0f} % of steps saved"
        left = self._seconds_left(self._share()) if self._first else None
        if left is not None:
            text += f" · {clock(left)} left"
        return text

    def _find_best(self) -> None:
        self._outdated = False
        best = self._folder.best_trials()
        rows = {trial: self._folder.rows_of(trial) for trial in best.values()}
        now = {trial: len(own) for trial, own in rows.items()}
        if now == self._best:
            return
        self._best = now
        text = [
            f"{task} " * (len(best) > 1) + value
            for task, trial in best.items()
            if (value := self._value(rows[trial]))
        ]
        if text:
            self._best_line = f"best so far: {'; '.join(text)}"
            self._screen.above(self._best_line)

    def _value(self, rows: Sequence[Row]) -> str:
        """A trial and its value; "" where that is not finite."""
        row, name = trial_row(rows, ()), self._folder.objective
        value, *ends = (row[name + end] for end in ("", "_low", "_high"))
        if value is None:
            return ""
        text = format_estimate(value, ends, METRICS[name].digits)  # pyright: ignore[reportArgumentType]
        return f"{named(int(row['trial'] or 0))}, {name} {text}, {count(len(rows), 'seed')}"
