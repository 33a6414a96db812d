"""One training that is over, as it is handed to a folder of results."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dqn.config import Config
from dqn.statistics.metrics import metrics_of
from dqn.storage.columns import Row, hyperparameters


@dataclass(frozen=True)
class FinishedTraining:
    """One finished training; the arrays are over its E episodes."""

    trial: int
    seed: int
    config: Config
    status: Literal["done", "pruned", "diverged", "failed"]
    steps: int
    """Environment steps; of a diverged training, up to the last at which all was finite."""
    returns: np.ndarray
    lengths: np.ndarray
    step: np.ndarray
    """Environment steps of the training up to the end of each episode."""
    epsilon: np.ndarray
    loss: np.ndarray
    """Mean over the episode's updates; NaN where there was none."""
    q: np.ndarray
    """Mean Q-value of the chosen actions."""
    test_returns: np.ndarray
    """Of the greedy episodes after training; empty where there were none."""
    weights: list[np.ndarray]
    seconds: float

    def episodes(self) -> dict[str, Any]:
        """Its rows of episodes.parquet: a value of each column, or an array of them [E]."""
        return {
            "trial": self.trial,
            "seed": self.seed,
            "episode": np.arange(1, len(self.returns) + 1),
            "step": self.step,
            "return": self.returns,
            "length": self.lengths,
            "epsilon": self.epsilon,
            "loss": self.loss,
            "q": self.q,
        }

    def row(self, threshold: float | None, swept: Iterable[str]) -> Row:
        """Its line of seeds.csv; `threshold` is the mean return that counts as solved."""
        row: Row = {
            "trial": self.trial,
            "seed": self.seed,
            **hyperparameters(self.config, swept),
            "status": self.status,
            "steps": self.steps,
            "episodes": len(self.returns),
            **metrics_of(self.returns, self.lengths, threshold, self.test_returns),
            "seconds": round(self.seconds, 3),
        }
        return {name: None if cell != cell else cell for name, cell in row.items()}  # NaN: a blank
