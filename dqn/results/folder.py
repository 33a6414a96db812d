"""A folder of results: the same files for a run, a grid and a study, whole at every moment.

The order of writing makes a kill at any moment harmless: a training's episodes first, then its
weights if they are the best so far, then its line in seeds.csv, which says that all of it is there;
what has no line is removed when the folder is opened again, and that seed is trained again.
trials.csv follows from seeds.csv and is written anew, a twentieth of the time at most.
"""

import csv
import fcntl
import os
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from dqn.config import Config, EnvConfig
from dqn.envs import host
from dqn.errors import RunError, UserError
from dqn.results.atomic import replacing, sweep
from dqn.results.best import Best, BestWeights
from dqn.results.composed import keep_config
from dqn.results.episodes import Episodes
from dqn.results.seeds import Cell, Seeds, hyperparameters
from dqn.results.stats import metrics_of
from dqn.results.trials import best_first, columns, trial_row


@dataclass(frozen=True)
class SeedResult:
    """One finished training; the arrays are over its E episodes."""

    trial: int
    seed: int
    config: Config
    status: Literal["done", "pruned", "diverged"]
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


class Folder:
    """Creates the folder of results at `path`, or goes on with the one that is there.

    To be closed, or used with `with`. Raises `UserError` where the folder cannot be written,
    another process is writing to it, or it holds another configuration than `config`; `RunError`
    where a file in it is damaged, and where writing fails later (a full disk).
    """

    def __init__(self, path: Path, config: Config):
        self.path = path
        self._thresholds: dict[str, float | None] = {}
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / ".lock").open("a")
        except OSError as error:
            raise _not_writable(path, error) from error
        try:
            self._take_lock()
            sweep(path)
            keep_config(path / "config.yaml", config)
            self._seeds = Seeds(path / "seeds.csv", hyperparameters(config))
            episodes = {key: int(row["episodes"] or 0) for key, row in self._seeds.rows.items()}
            self._episodes = Episodes(path / "episodes.parquet", episodes)
            self._best = BestWeights(path, self._seeds.rows)
            self._rows_of: dict[int, list[dict[str, Cell]]] = defaultdict(list)
            for (trial, _), row in self._seeds.rows.items():
                self._rows_of[trial].append(row)
            self._trials: dict[int, dict[str, Cell]] = {}
            self._stale = set(self._rows_of)
            self._write_trials()
        except OSError as error:
            self._lock.close()
            raise _not_writable(path, error) from error
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Bring trials.csv up to date and let others write."""
        if self._lock.closed:
            return
        try:
            self._write_trials()
        except OSError as error:
            raise _failed(self.path, error) from error
        finally:
            self._lock.close()

    def add(self, result: SeedResult) -> None:
        """Put one finished training on disk; once this returns, no kill loses it."""
        key = result.trial, result.seed
        if key in self._seeds.rows:
            raise RunError(f"{self.path}: trial {key[0]} seed {key[1]} is in seeds.csv already")
        row = self._row(result)
        try:
            self._episodes.add(
                *key,
                step=result.step,
                length=result.lengths,
                epsilon=result.epsilon,
                loss=result.loss,
                q=result.q,
                **{"return": result.returns},
            )
            is_best = self._best.save_if_best(row, result.weights)
            self._seeds.add(row)
            if is_best:
                self._best.settle(row)
            self._rows_of[result.trial].append(self._seeds.rows[key])
            self._stale.add(result.trial)
            if time.monotonic() >= self._write_trials_from:
                self._write_trials()
        except OSError as error:
            raise _failed(self.path, error) from error

    def finished(self) -> set[tuple[int, int]]:
        """The (trial, seed) pairs that need no training, whatever their status."""
        return set(self._seeds.rows)

    def rows(self) -> pd.DataFrame:
        """seeds.csv: one row a finished training, in the order they ended."""
        return self._seeds.frame()

    def trials(self) -> pd.DataFrame:
        """trials.csv: one row a trial, best first."""
        self._aggregate()
        names = columns(self._seeds.hyperparameters)
        return pd.DataFrame(sorted(self._trials.values(), key=best_first), columns=list(names))

    def episodes(self) -> pd.DataFrame:
        """episodes.parquet: one row an episode of every finished training."""
        frame = self._episodes.frame()
        # Ctrl-C may have come between a training's episodes and its line in seeds.csv.
        keys = pd.MultiIndex.from_arrays([frame["trial"], frame["seed"]])
        return frame.loc[keys.isin(list(self._seeds.rows))]

    def best(self) -> Best | None:
        """The training whose network is kept, or None before the first."""
        return self._best.load()

    def _row(self, result: SeedResult) -> dict[str, Cell]:
        threshold = self._threshold(result.config.env)
        return {
            "trial": result.trial,
            "seed": result.seed,
            **hyperparameters(result.config),
            "status": result.status,
            "steps": result.steps,
            "episodes": len(result.returns),
            **asdict(metrics_of(result.returns, threshold, result.test_returns)),
            "seconds": round(result.seconds, 3),
        }

    def _threshold(self, env: EnvConfig) -> float | None:
        if env.solved_return is not None:
            return env.solved_return
        if env.id not in self._thresholds:
            self._thresholds[env.id] = host.describe(env).solved_return
        return self._thresholds[env.id]

    def _aggregate(self) -> None:
        for trial in self._stale:
            self._trials[trial] = trial_row(self._rows_of[trial], self._seeds.hyperparameters)
        self._stale.clear()

    def _write_trials(self) -> None:
        start = time.monotonic()
        self._aggregate()
        with replacing(self.path / "trials.csv") as temporary, temporary.open("w") as file:
            names = columns(self._seeds.hyperparameters)
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(sorted(self._trials.values(), key=best_first))
        now = time.monotonic()
        self._write_trials_from = now + 20 * (now - start)

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            process = (self.path / ".lock").read_text() or "unknown"
            raise UserError(
                f"{self.path}: one run at a time may write here, process {process} does; wait for "
                "it, or choose another folder with name=NAME"
            ) from error
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()


def _not_writable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path}: the folder of results must be writable, is not ({error.strerror or error}); "
        "choose another with hydra.run.dir=FOLDER"
    )


def _failed(path: Path, error: OSError) -> RunError:
    return RunError(
        f"{path}: writing failed ({error.strerror or error}); what was finished before is safe, "
        "the same command goes on from there"
    )
