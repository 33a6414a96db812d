"""What a person sees while seeds train: live bars on a terminal, plain lines elsewhere."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, TextColumn

from dqn.config import Config
from dqn.statistics.formatting import Estimate, count
from dqn.statistics.metrics import METRICS, WINDOW
from dqn.storage.results_dir import ResultsDir
from dqn.storage.trials import named, trial_row
from dqn.terminal.console import Screen
from dqn.training.jobs import PoolUpdate
from dqn.training.trial_progress import TrialProgress, budget_spent

_BARS = 12  # seeds shown at once
_TEXT = "{task.fields[text]}"
_PAUSE = 0.2  # seconds between looks at the bar of a sweep


@dataclass
class _Seed:
    """How far one seed is."""

    epsilon: float
    episode: int = 0
    step: int = 0
    last: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    over: bool = False

    def share(self, config: Config) -> float:
        """The share of the budget that is spent, 0 to 1; the nearer bound counts."""
        return 1.0 if self.over else float(budget_spent(config, self.episode, self.step))

    def __str__(self) -> str:
        mean = np.mean(self.last) if self.last else np.nan
        return f"episode {self.episode:>5,} · mean {mean:7.1f} · epsilon {self.epsilon:.2f}"


class RunProgress(Screen):
    """Follows the seeds of one configuration."""

    def __init__(self, seeds: Iterable[int], config: Config, console: Console | None = None):
        self._config = config
        self._seeds = {seed: _Seed(config.epsilon_start) for seed in seeds}
        opening = f"training {count(len(self._seeds), 'seed')}; compiling the program ..."
        columns = TextColumn("{task.description:>9}"), BarColumn(24), TextColumn(_TEXT)
        super().__init__(opening, *columns, console=console)
        self._all = self.bars.add_task("all", total=1.0, text="compiling the program ...")
        self._steps = self.bars.add_task("", total=None, visible=False)
        self._seed_bars = {
            seed: self.bars.add_task(f"seed {seed}", total=1.0, text="", visible=False)
            for seed in self._seeds
        }
        self._shown: list[int] = []

    def begun(self, progress: TrialProgress) -> None:
        """Nothing to show: there is one trial."""

    def on_trial_end(self, progress: TrialProgress) -> None:
        """Nothing to show: there is one trial."""

    def report(self, update: PoolUpdate) -> None:
        """As `ProgressListener.report`."""
        for _, number in update.restarted:
            self._seeds[number] = _Seed(self._config.epsilon_start)
        for episodes in update.episodes:
            seed = self._seeds[episodes.key[1]]
            seed.episode += len(episodes.returns)
            seed.step, seed.epsilon = int(episodes.step[-1]), float(episodes.epsilon[-1])
            seed.last.extend(episodes.returns.tolist())
        for result in update.finished:
            seed = self._seeds[result.job.seed]
            seed.over, seed.step = True, result.steps
            self.line(f"seed {result.job.seed} {result.status} · {seed} · {seed.step:,} steps")
        self._draw_seeds()
        share = float(np.mean([seed.share(self._config) for seed in self._seeds.values()]))
        self.bars.update(self._steps, completed=sum(seed.step for seed in self._seeds.values()))
        over = sum(seed.over for seed in self._seeds.values())
        summary = f"{over} of {count(len(self._seeds), 'seed')} done"
        if left := self.time_left(share):
            summary += f" · {self.speed(self._steps):,.0f} steps/s{left}"
        self.bars.update(self._all, completed=share, text=summary)
        self.now_and_then(summary)

    def _draw_seeds(self) -> None:
        """A bar for each seed that has begun; of many seeds, for some that are not over."""
        before, many = self._shown, len(self._seeds) > _BARS
        begun = [n for n, seed in self._seeds.items() if seed.step and not (seed.over and many)]
        self._shown = begun[:_BARS]
        for number in {*before, *self._shown}:
            seed, bar, shown = self._seeds[number], self._seed_bars[number], number in self._shown
            share = seed.share(self._config)
            self.bars.update(bar, completed=share, text=str(seed), visible=shown)


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
        opening = f"{count(total, 'trial')} of {count(base.seeds, 'seed')}; starting ..."
        super().__init__(opening, BarColumn(24), TextColumn(_TEXT), console=console)
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
        trials = self._folder.best_trials()
        rows = {task: self._folder.rows_of(trial) for task, trial in trials.items()}
        best = {task: (own[0]["trial"], len(own)) for task, own in rows.items()}
        if best == self._best:
            return
        self._best = best
        text, name = [], self._folder.objective
        for task, own in rows.items():
            if value := Estimate.in_row(trial_row(own, ()), name).text(METRICS[name].digits, ""):
                trial = f"{task} " * (len(rows) > 1) + named(trials[task])
                text.append(f"{trial}, {name} {value}, {count(len(own), 'seed')}")
        if text:
            self._best_line = f"best so far: {'; '.join(text)}"
            self.above(self._best_line)
