"""What goes into an engine and what comes out: plain records, no tensors."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from dqn.config import Config
from dqn.statistics.episode_columns import EPISODE_COLUMNS

TrainingId = tuple[int, int]
"""(trial, seed)."""

# A block of 16 is the fastest (`python -m benchmarks --scaling`): with 8 lanes and with 128 it has
# three quarters of that speed. And 16 fill with few seeds and return soon.
LANES = 16
"""Lanes a block has."""


@dataclass(frozen=True)
class Job:
    """One training to do: a (trial, seed) with its configuration."""

    trial: int
    seed: int
    config: Config

    @property
    def key(self) -> TrainingId:
        """(trial, seed), unique among the jobs of an engine."""
        return self.trial, self.seed


@dataclass(frozen=True)
class EpisodeBatch:
    """Episodes of one training that ended in one chunk, oldest first; arrays over episodes."""

    key: TrainingId
    step: np.ndarray
    returns: np.ndarray
    lengths: np.ndarray
    epsilon: np.ndarray
    loss: np.ndarray
    q: np.ndarray

    @classmethod
    def of(cls, key: TrainingId, records: np.ndarray) -> "EpisodeBatch":
        """From records float32 [episodes, columns] as a block writes them: counts are bits."""
        step, returns, length, *others = records.T  # EPISODE_COLUMNS
        step, length = (bits.copy().view(np.int32) for bits in (step, length))
        return cls(key, step, returns, length, *others)


Status = Literal["done", "pruned", "diverged", "failed"]


@dataclass(frozen=True)
class Finished:
    """One training that is over, whole."""

    job: Job
    status: Status
    steps: int
    """Environment steps; of a diverged training, up to the update that was not finite."""
    episodes: EpisodeBatch
    test_returns: np.ndarray
    """Of the greedy episodes after training; empty where it is not `done`."""
    weights: list[np.ndarray]
    """[in, out] and [out] in turn, as in `dqn.agents.networks`; the last finite ones."""
    seconds: float
    """The training's share of the time its block ran."""
    reason: str = ""
    """Why it failed, in one line; of one that did not, what its environment gave that is odd."""
    unmade: bool = False
    """Whether it failed before its first step, as its environment could not be made or reset."""

    @property
    def key(self) -> TrainingId:
        """(trial, seed)."""
        return self.job.key

    @classmethod
    def failed(cls, job: Job, reason: str, unmade: bool = False) -> "Finished":
        """A training that cannot be run at all; what it had done is not kept."""
        return replace(cls.pruned(job), status="failed", reason=reason, unmade=unmade)

    @classmethod
    def pruned(cls, job: Job) -> "Finished":
        """A training that is cancelled, of which nothing is kept."""
        records = np.zeros((0, len(EPISODE_COLUMNS)), np.float32)
        nothing = np.zeros(0, np.float32)
        return cls(job, "pruned", 0, EpisodeBatch.of(job.key, records), nothing, [], 0.0)
