"""How far the seeds of one trial are: which are over, which rungs are passed."""

from collections.abc import Iterable

import numpy as np

from dqn.config import Config
from dqn.statistics.metrics import Metrics, metrics_of
from dqn.training.jobs import EpisodeBatch, Job, TrainingId
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
        self._returns: dict[int, list[np.ndarray]] = {}
        self._steps: dict[int, list[np.ndarray]] = {}

    @property
    def is_over(self) -> bool:
        """Whether every seed it has so far has its row."""
        return len(self.rows) == len(self.seeds)

    def missing(self) -> list[Job]:
        """Its trainings without a row."""
        return [Job(self.number, seed, self.config) for seed in self.seeds if seed not in self.rows]

    def unfinished(self) -> list[TrainingId]:
        """The (trial, seed) of those."""
        return [job.key for job in self.missing()]

    def add_episodes(self, episodes: EpisodeBatch) -> None:
        """Add the episodes of one seed from one chunk."""
        seed = episodes.key[1]
        self._returns.setdefault(seed, []).append(episodes.returns)
        self._steps.setdefault(seed, []).append(episodes.step)

    def forget(self, seed: int) -> None:
        """A seed restarts."""
        self._returns.pop(seed, None)
        self._steps.pop(seed, None)

    def seeds_without_episodes(self) -> list[int]:
        """Seeds that have a row but none of whose episodes are here."""
        return [seed for seed in self.rows if seed not in self._returns]

    def recall(self, seed: int, returns: np.ndarray, steps: np.ndarray) -> None:
        """The episodes of a seed that ended in an earlier session."""
        self._returns[seed], self._steps[seed] = [returns], [steps]

    def rungs_passed(self, rungs: Iterable[float]) -> list[tuple[int, dict[int, Metrics]]]:
        """Every rung that all seeds have newly passed, with their metrics up to it.

        A seed's metrics are over its episodes up to and with the first that ends at the rung or
        beyond: they do not depend on how chunks fall. One that ended before has all of its own.
        """
        passed = []
        for rung, fraction in list(enumerate(rungs))[self._rung :]:
            metrics = {}
            for seed in self.seeds:
                returns = np.concatenate(self._returns.get(seed, [np.zeros(0)]))
                steps = np.concatenate(self._steps.get(seed, [np.zeros(0)]))
                shares = budget_spent(self.config, np.arange(1, len(returns) + 1), steps)
                reached = int(np.searchsorted(shares, fraction))
                if reached == len(returns) and seed not in self.rows:
                    return passed
                metrics[seed] = metrics_of(returns[: reached + 1], self._threshold)
            self._rung = rung + 1
            passed.append((rung, metrics))
        return passed
