"""What a person sees while seeds train: live bars on a terminal, plain lines anywhere else."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn

from dqn.config import Config
from dqn.statistics.formatting import count
from dqn.statistics.metrics import WINDOW
from dqn.terminal.console import Screen
from dqn.training.messages import PoolUpdate
from dqn.training.trial_progress import TrialProgress, budget_spent

_BARS = 12  # seeds shown at once


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
        columns = (
            TextColumn("{task.description:>9}"),
            BarColumn(24),
            TextColumn("{task.fields[text]}"),
        )
        opening = f"training {count(len(self._seeds), 'seed')}; compiling the program ..."
        super().__init__(opening, *columns, console=console)
        self._all = self.bars.add_task("all", total=1.0, text="compiling the program ...")
        self._steps = self.bars.add_task("", total=None, visible=False)
        self._seed_bars: dict[int, TaskID] = {}

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
        hide_over = len(self._seeds) > _BARS
        begun = [
            n for n, seed in self._seeds.items() if seed.step and not (seed.over and hide_over)
        ]
        for number in self._seed_bars.keys() - begun[:_BARS]:
            self.bars.remove_task(self._seed_bars.pop(number))
        for number in begun[:_BARS]:
            if number not in self._seed_bars:
                self._seed_bars[number] = self.bars.add_task(f"seed {number}", total=1.0, text="")
            seed = self._seeds[number]
            share = seed.share(self._config)
            self.bars.update(self._seed_bars[number], completed=share, text=str(seed))
