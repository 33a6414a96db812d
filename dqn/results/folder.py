"""A folder of results: the same files for a run, a grid and a study, whole at every moment.

The order of writing makes a kill at any moment harmless: a training's episodes first, then its
weights if they are the best so far, then its line in seeds.csv, which says that all of it is there;
what has no line is removed when the folder is opened again, and that seed is trained again.
trials.csv follows from seeds.csv and is written anew, a fiftieth of the time at most.
"""

import csv
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dqn.config import Config, EnvConfig
from dqn.envs import host
from dqn.errors import RunError, UserError
from dqn.results import composed, machines
from dqn.results.atomic import refuse_links, remove_temporaries, replacing
from dqn.results.best import Best, BestWeights
from dqn.results.columns import Row, hyperparameters
from dqn.results.episodes import Episodes
from dqn.results.lock import Lock
from dqn.results.seeds import Key, Seeds
from dqn.results.training import SeedResult
from dqn.results.trials import Standing, columns, standing, trial_rows

__all__ = ["Folder", "SeedResult"]


class Folder:
    """Creates the folder of results at `path`, or goes on with the one that is there.

    A run has one configuration, `config`. A sweep has many trials around it: `sweep` is a record of
    plain values of what is swept, kept in sweep.yaml; `grows` names those of its keys, dotted, that
    a later command may raise; `swept` the configuration's keys and groups that differ between
    trials, so that the tables have a column for each; `objective` the metric trials are ordered by,
    by what `over` gives of a trial's rows, by default the IQM.

    To be closed, or used with `with`. Raises `UserError` where the folder cannot be written,
    another process is writing to it, or it holds another configuration or sweep; `RunError` where
    config.yaml or sweep.yaml is damaged, and where writing fails later (a full disk). Tables and
    weights that are damaged are set aside and made anew: standard error says so.

    Adding trainings costs the same however many there are, and of several at once hardly more than
    of one; ending a trial, a comparison with the best before it. Opening grows with their number:
    2,000 trials of 10 seeds and 150 episodes take 1 s on one core, most of it seeds.csv. The first
    trials.csv afterwards takes half a second more.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        sweep: Mapping[str, Any] | None = None,
        *,
        grows: Collection[str] = (),
        swept: Iterable[str] = (),
        objective: str = "mean_return",
        over: Callable[[Sequence[Row]], float] | None = None,
    ):
        self.path = path
        self.objective, self._over = objective, over
        self._swept = tuple(swept)
        self._wanted = range(config.first_seed, config.first_seed + config.seeds)
        self._key = "hydra.run.dir" if sweep is None else "hydra.sweep.dir"
        self._thresholds: dict[str, float | None] = {}
        try:
            path.mkdir(parents=True, exist_ok=True)
            refuse_links(path)
            self._lock = Lock(path)
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            remove_temporaries(path)
            self.identity = composed.keep(path, config, sweep, grows)
            """Of a sweep: 32 hexadecimal digits, made once with its folder; None of a run."""
            machines.keep(path)
            self._open(hyperparameters(config, self._swept))
        except OSError as error:
            self._lock.close()
            raise self._not_writable(error) from error
        except BaseException:
            self._lock.close()
            raise

    def _open(self, hyperparameters: Iterable[str]) -> None:
        self._seeds = Seeds(self.path / "seeds.csv", hyperparameters)
        counts = {key: int(row["episodes"] or 0) for key, row in self._seeds.rows.items()}
        parts, as_written = self.path / "episodes.parquet", self._seeds.is_as_written
        self._episodes = Episodes(parts, counts, as_written)
        if self._episodes.changed:
            self._seeds.set_aside(self._episodes.changed)
        if self._episodes.lost:
            self._seeds.remove(self._episodes.lost)
        self._weights = BestWeights(self.path, self._seeds.rows)
        self._of_trial: dict[int, list[Row]] = defaultdict(list)
        for (trial, _), row in self._seeds.rows.items():
            self._of_trial[trial].append(row)
        self._standing = {trial: self._stand(rows) for trial, rows in self._of_trial.items()}
        self._best_closed: int | None = None
        self._trials: dict[int, Row] = {}
        self._stale = set(self._of_trial)
        self._is_written, self._write_trials_from = False, 0.0
        if not (self.path / "trials.csv").exists():
            self._write_trials()

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Bring trials.csv up to date and let others write."""
        if self._lock.closed:
            return
        try:
            if not self._is_written:
                self._write_trials()
        except OSError as error:
            raise _failed(self.path, error) from error
        finally:
            self._lock.close()

    def add(self, *results: SeedResult) -> None:
        """Put finished trainings on disk; once this returns, no kill loses one."""
        keys = [(result.trial, result.seed) for result in results]
        for i, (trial, seed) in enumerate(keys):
            if (trial, seed) in self._seeds.rows or (trial, seed) in keys[:i]:
                raise RunError(f"{self.path}: trial {trial} seed {seed} is in seeds.csv already")
        rows = [result.row(self.threshold(result.config.env), self._swept) for result in results]
        try:
            sums = [self._seeds.checksum(row) for row in rows]
            self._episodes.add(*(result.episodes() for result in results), checksums=sums)
            best = self._weights.save_if_best(rows, [result.weights for result in results])
            self._seeds.add(*rows)
            self._weights.settle(best)
            for trial, seed in keys:
                self._of_trial[trial].append(self._seeds.rows[trial, seed])
            for trial in {trial for trial, _ in keys}:
                self._standing[trial] = self._stand(self._of_trial[trial])
                self._stale.add(trial)
            self._is_written = False
            if time.monotonic() >= self._write_trials_from:
                self._write_trials()
        except OSError as error:
            raise _failed(self.path, error) from error

    def close_trial(self, number: int) -> None:
        """Say that a trial is over: all its rows are here, no further seed of it will be added.

        The networks of trials that are over are removed, but for the best one's. To be called again
        for each of them after reopening.
        """
        best = self._best_closed
        if number == best or number not in self._standing:
            return
        loser = number
        if best is None or self._standing[number] < self._standing[best]:
            self._best_closed, loser = number, best
        try:
            if loser is not None:
                self._weights.drop(loser)
        except OSError as error:
            raise _failed(self.path, error) from error

    def put_in_order(self) -> None:
        """Order seeds.csv by trial and seed: what it says then does not tell who ended first."""
        try:
            self._seeds.sort()
        except OSError as error:
            raise _failed(self.path, error) from error

    def finished(self) -> set[Key]:
        """The (trial, seed) pairs that need no training, whatever their status."""
        return set(self._seeds.rows)

    def row(self, trial: int, seed: int) -> Row:
        """One line of seeds.csv; raises `KeyError` where there is none."""
        return self._seeds.rows[trial, seed]

    def rows_of(self, trial: int) -> list[Row]:
        """A trial's lines of seeds.csv, in the order they ended."""
        return list(self._of_trial.get(trial, ()))

    def rows(self) -> pd.DataFrame:
        """seeds.csv: one row a finished training."""
        return self._seeds.frame()

    def trials(self) -> pd.DataFrame:
        """trials.csv: one row a trial, best first."""
        self._aggregate()
        names = columns(self._seeds.hyperparameters)
        frame = pd.DataFrame(self._in_order(), columns=list(names))
        metrics = names[names.index("seeds_done") + 1 :]
        return frame.astype(dict.fromkeys(metrics, float))  # one of blanks alone would be object

    def episodes(self, trial: int | None = None) -> pd.DataFrame:
        """episodes.parquet: one row an episode of every finished training, or of one trial's."""
        frame = self._episodes.frame(trial)
        # Ctrl-C may have come between a training's episodes and its line in seeds.csv.
        keys = pd.MultiIndex.from_arrays([frame["trial"], frame["seed"]])
        return frame.loc[keys.isin(list(self._seeds.rows))]

    def best_trial(self) -> int | None:
        """The number of the trial that trials.csv has first, or None before the first.

        The best by the objective of those all of whose seeds are done or diverged; of the
        others only where there is none.
        """
        return min(self._standing, key=self._standing.__getitem__, default=None)

    def best(self, trial: int | None = None) -> Best | None:
        """The best training of `trial`, by default the best trial's, or None where there is none.

        Where the weights of the best trial were lost, those of the best trial whose are not.
        """
        if trial is not None:
            return self._weights.load(trial)
        for candidate in sorted(self._weights.trials, key=self._standing.__getitem__):
            if (best := self._weights.load(candidate)) is not None:
                return best
        return None

    def _stand(self, rows: list[Row]) -> Standing:
        return standing(rows, self._wanted, self.objective, self._over)

    def _in_order(self) -> list[Row]:
        return [
            self._trials[trial] for trial in sorted(self._trials, key=self._standing.__getitem__)
        ]

    def threshold(self, env: EnvConfig) -> float | None:
        """The mean return that counts as solved in `env`; None where there is none."""
        if env.solved_return is not None:
            return env.solved_return
        if env.id not in self._thresholds:
            self._thresholds[env.id] = host.describe(env).solved_return
        return self._thresholds[env.id]

    def _aggregate(self) -> None:
        stale = [self._of_trial[trial] for trial in self._stale]
        rows = trial_rows(stale, self._seeds.hyperparameters)
        self._trials.update(zip(self._stale, rows, strict=True))
        self._stale.clear()

    def _write_trials(self) -> None:
        start = time.monotonic()
        self._aggregate()
        with (
            replacing(self.path / "trials.csv") as temporary,
            temporary.open("w", encoding="utf-8") as file,
        ):
            names = columns(self._seeds.hyperparameters)
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([row[name] for name in names] for row in self._in_order())
        self._is_written = True
        now = time.monotonic()
        self._write_trials_from = now + 50 * (now - start)

    def _not_writable(self, error: OSError) -> UserError:
        return UserError(
            f"{self.path}: the folder of results must be writable, is not "
            f"({error.strerror or error}); choose another with {self._key}=FOLDER"
        )


def _failed(path: Path, error: OSError) -> RunError:
    return RunError(
        f"{path}: writing failed ({error.strerror or error}); what was finished before is safe, "
        "the same command goes on from there"
    )
