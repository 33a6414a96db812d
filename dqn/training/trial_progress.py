"""How far the seeds of one trial are: which are over, which rungs are passed."""

from collections.abc import Iterable

import numpy as np

from dqn.config import Config
from dqn.statistics.metrics import Metrics, metrics_of
from dqn.training.jobs import Job
from dqn.training.trial_source import Row, Trial


def budget_spent(config: Config, episodes, steps):
    """The share of its budget, 0 to 1, that a seed has spent; the bound that is nearer counts."""
    by_episodes = np.asarray(episodes) / config.episodes if config.episodes else 0.0
    by_steps = np.asarray(steps) / config.steps if config.steps else 0.0
    return np.minimum(1.0, np.maximum(by_episodes, by_steps))


class TrialProgress:
    """One trial that is being trained: the returns of its seeds so far."""

    def __init__(self, trial: Trial, threshold: float | None):
        self.number, self.config = trial.number, trial.config
        self.seeds: list[int] = list(trial.seeds)
        self.rows: dict[int, Row] = {}
        self.stopped = False
        """Whether it was stopped; its unfinished seeds then end as pruned."""
        self._threshold = threshold
        self._rung = 0
        # By seed, the returns of its episodes and the steps at their ends, from each chunk.
        self._episodes: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}

    @property
    def is_over(self) -> bool:
        """Whether every seed it has so far has its row."""
        return len(self.rows) == len(self.seeds)

    def missing(self) -> list[Job]:
        """Its trainings without a row."""
        return [Job(self.number, seed, self.config) for seed in self.seeds if seed not in self.rows]

    def add_episodes(self, seed: int, returns: np.ndarray, steps: np.ndarray) -> None:
        """Add episodes of one seed: their returns, and the steps of the training at their ends."""
        self._episodes.setdefault(seed, []).append((returns, steps))

    def forget(self, seed: int) -> None:
        """A seed restarts."""
        self._episodes.pop(seed, None)

    def seeds_without_episodes(self) -> list[int]:
        """Seeds that have a row but none of whose episodes are here."""
        return [seed for seed in self.rows if seed not in self._episodes]

    def rungs_passed(self, rungs: Iterable[float]) -> list[tuple[int, dict[int, Metrics]]]:
        """Every rung that all seeds have newly passed, with their metrics up to it.

        A seed's metrics are over its episodes up to and with the first that ends at the rung or
        beyond: they do not depend on how chunks fall. One that ended before has all of its own.
        """
        passed = []
        for rung, fraction in list(enumerate(rungs))[self._rung :]:
            metrics = {}
            for seed in self.seeds:
                parts = self._episodes.get(seed, [(np.zeros(0), np.zeros(0))])
                returns, steps = map(np.concatenate, zip(*parts, strict=True))
                shares = budget_spent(self.config, np.arange(1, len(returns) + 1), steps)
                reached = int(np.searchsorted(shares, fraction))
                if reached == len(returns) and seed not in self.rows:
                    return passed
                lengths = np.diff(steps, prepend=0)[: reached + 1]
                metrics[seed] = metrics_of(returns[: reached + 1], lengths, self._threshold)
            self._rung = rung + 1
            passed.append((rung, metrics))
        return passed
