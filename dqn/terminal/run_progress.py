"""What a person sees while seeds train: live bars on a terminal, plain lines anywhere else."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn

from dqn.config import Config
from dqn.statistics.formatting import count
from dqn.terminal.progress import Progress, clock
from dqn.training.jobs import PoolUpdate
from dqn.training.trial_progress import TrialProgress, budget_spent

WINDOW = 10  # episodes of the running mean
_BARS = 12  # seeds shown at once


@dataclass
class _Seed:
    """How far one seed is."""

    episode: int = 0
    step: int = 0
    epsilon: float = 1.0
    last: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    over: bool = False

    def share(self, config: Config) -> float:
        """The share of the budget that is spent, 0 to 1; the nearer bound counts."""
        return 1.0 if self.over else float(budget_spent(config, self.episode, self.step))

    def __str__(self) -> str:
        mean = np.mean(self.last) if self.last else np.nan
        return f"episode {self.episode:>5,} · mean {mean:7.1f} · epsilon {self.epsilon:.2f}"


class RunProgress(Progress):
    """Follows the seeds of one configuration."""

    def __init__(self, seeds: Iterable[int], config: Config, console: Console | None = None):
        self._config = config
        self._seeds = {seed: _Seed(epsilon=config.epsilon_start) for seed in seeds}
        columns = (
            TextColumn("{task.description:>9}"),
            BarColumn(24),
            TextColumn("{task.fields[text]}"),
        )
        opening = f"training {count(len(self._seeds), 'seed')}; compiling the program ..."
        super().__init__(opening, *columns, console=console)
        self._all = self._bars.add_task("all", total=1.0, text="compiling the program ...")
        self._seed_bars: dict[int, TaskID] = {}
        self._began: tuple[float, int] | None = None  # time and steps once compiled

    def begun(self, progress: TrialProgress) -> None:
        """Nothing to show: there is one trial."""

    def on_trial_end(self, progress: TrialProgress) -> None:
        """Nothing to show: there is one trial."""

    def report(self, update: PoolUpdate) -> None:
        """As `ProgressListener.report`."""
        for _, number in update.restarted:
            self._seeds[number] = _Seed(epsilon=self._config.epsilon_start)
        for episodes in update.episodes:
            seed = self._seeds[episodes.key[1]]
            seed.episode += len(episodes.returns)
            seed.step, seed.epsilon = int(episodes.step[-1]), float(episodes.epsilon[-1])
            seed.last.extend(episodes.returns.tolist())
        for result in update.finished:
            seed = self._seeds[result.job.seed]
            seed.over, seed.step = True, result.steps
            self._screen.line(
                f"seed {result.job.seed} {result.status} · {seed} · {seed.step:,} steps"
            )
        for number, seed in self._seeds.items():
            self._draw(number, seed)
        summary = self._summary()
        self._bars.update(self._all, completed=self._share(), text=summary)
        self._screen.now_and_then(summary)

    def _draw(self, number: int, seed: _Seed) -> None:
        if seed.over and number in self._seed_bars and len(self._seeds) > _BARS:
            self._bars.remove_task(self._seed_bars.pop(number))
        elif (
            seed.step
            and number not in self._seed_bars
            and len(self._seed_bars) < _BARS
            and not seed.over
        ):
            self._seed_bars[number] = self._bars.add_task(f"seed {number}", total=1.0, text="")
        if number in self._seed_bars:
            share = seed.share(self._config)
            self._bars.update(self._seed_bars[number], completed=share, text=str(seed))

    def _share(self) -> float:
        return float(np.mean([seed.share(self._config) for seed in self._seeds.values()]))

    def _summary(self) -> str:
        over = sum(seed.over for seed in self._seeds.values())
        text = f"{over} of {count(len(self._seeds), 'seed')} done"
        now, share = time.monotonic(), self._share()
        steps = sum(seed.step for seed in self._seeds.values())
        if self._began is None:  # the time before was the compiler's and would spoil the speed
            self._began = now, steps
        left = self._seconds_left(share)
        if left is not None:
            began, steps_then = self._began
            text += f" · {(steps - steps_then) / (now - began):,.0f} steps/s · {clock(left)} left"
        return text
