"""A folder of results: the same files for a run, a grid and a study, whole at every moment.

A training is finished by one file: a part of episodes.parquet, with its row and its episodes, which
is put in place whole. Its weights, if they are the best so far, are there before. seeds.csv follows
from the parts, trials.csv from seeds.csv; it is written anew, a fiftieth of the time at most.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from dqn.config import Config, EnvConfig
from dqn.runtime.atomic_write import remove_temporaries
from dqn.runtime.errors import RunError, UserError
from dqn.storage import format_version, machines, manifest
from dqn.storage.best_weights import Best, BestWeights
from dqn.storage.columns import Row, hyperparameters, is_same_cell
from dqn.storage.episodes import read_episodes
from dqn.storage.finished import FinishedTraining
from dqn.storage.lock import Lock
from dqn.storage.older_formats import carry_over
from dqn.storage.opening import open_tables
from dqn.storage.ranking import Ranking
from dqn.storage.seeds import env_columns
from dqn.storage.seeds_text import RowId
from dqn.storage.thresholds import Thresholds
from dqn.storage.trial_table import TrialTable
from dqn.storage.trials import retried


class ResultsDir:
    """Creates the folder of results at `path`, or resumes the one that is there.

    A run has one configuration, `config`. A sweep has many trials around it: `sweep` is a record of
    plain values of what is swept, kept in sweep.yaml; `growable_keys` names those of its keys,
    dotted, that a later command may raise; `swept` the configuration's keys and groups that differ
    between trials, so that the tables have a column for each; `objective` the metric trials are
    ordered by, by what `over` gives of a trial's rows, by default the IQM; `defaults` what `sweep`
    says where the record of an earlier version says nothing.

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
        growable_keys: Collection[str] = (),
        swept: Iterable[str] = (),
        objective: str = "mean_return",
        over: Callable[[Sequence[Row]], float] | None = None,
        defaults: Mapping[str, Any] | None = None,
    ):
        self.path = path
        self.objective, self._over = objective, over
        self._swept = tuple(swept)
        self._wanted = range(config.first_seed, config.first_seed + config.seeds)
        self._key = "hydra.run.dir" if sweep is None else "hydra.sweep.dir"
        self._thresholds = Thresholds(config)
        try:
            found = format_version.refuse_unfit(path, self._key)
            path.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(path)
            with ExitStack() as undone:
                undone.callback(self._lock.close)
                remove_temporaries(path, ("episodes.parquet", "figures"))
                self.identity = manifest.check_or_write(
                    path, config, sweep, growable_keys, defaults
                )
                """Of a sweep: 32 hexadecimal digits, made once with its folder; None of a run."""
                self._open(config, sweep, found)
                undone.pop_all()
        except OSError as error:
            raise UserError(
                f"{path}: the folder of results must be writable, is not "
                f"({error.strerror or error}); choose another with {self._key}=FOLDER"
            ) from error

    def _open(self, config: Config, sweep: Mapping[str, Any] | None, found: int) -> None:
        def base(columns: Iterable[str]) -> Row:
            # What trials differed in before counts too, whatever a command says by now.
            env = [name for name in columns if name.startswith("env.")]
            return hyperparameters(config, (*self._swept, *env))

        is_said = False
        if found < format_version.FORMAT:
            there = env_columns(self.path / "seeds.csv")
            varied = manifest.varied(self.path, sweep, (*self._swept, *there))
            is_said = carry_over(self.path, base(there), varied, self._computed)
        self._seeds, self._episodes = open_tables(
            self.path, base, self._computed, self._lock.was_killed, is_said
        )
        self._swept = (*self._swept, *(n for n in self._seeds.columns if n.startswith("env.")))
        format_version.check_or_write(self.path)
        machines.record_machine(self.path)
        self._weights = BestWeights(self.path, self._seeds.rows)
        self._index()

    def _index(self) -> None:
        """What is known of each trial, from the rows."""
        self._of_trial: dict[int, list[Row]] = defaultdict(list)
        for (trial, _), row in self._seeds.rows.items():
            self._of_trial[trial].append(row)
        self._best_closed: dict[str, int] = {}
        self._trials = TrialTable(
            self.path / "trials.csv",
            self._seeds.hyperparameters,
            Ranking(self._wanted, self.objective, self._over),
            self._of_trial,
        )

    def _computed(self, row: Row, episodes: pd.DataFrame) -> Row:
        try:
            return self._thresholds.computed(row, episodes)
        except (UserError, ValueError):  # the row is no configuration
            return {}

    def __enter__(self) -> "ResultsDir":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Bring trials.csv up to date and let others write."""
        if self._lock.closed:
            return
        with closing(self._lock), _writing(self.path):
            if not self._trials.is_written:
                self._trials.write()

    def add(self, *results: FinishedTraining) -> None:
        """Put finished trainings on disk; once this returns, no kill loses one.

        One that has a line already is refused, unless it is to be trained again: see `finished`.
        That line goes then, and so do those of the trial's trainings that were given up.
        """
        keys = [(result.trial, result.seed) for result in results]
        again = {key for trial, _ in keys for key in retried(self._of_trial.get(trial, ()))}
        for i, (trial, seed) in enumerate(keys):
            is_there = (trial, seed) in self._seeds.rows and (trial, seed) not in again
            if is_there or (trial, seed) in keys[:i]:
                raise RunError(f"{self.path}: trial {trial} seed {seed} is in seeds.csv already")
        rows = [result.row(self.threshold(result.config.env), self._swept) for result in results]
        again = {key for key in again if key in keys or self.row(*key)["status"] == "pruned"}
        with _writing(self.path):
            self._weights.forget(again)
            self._episodes.remove(again)
            best = self._weights.save_if_best(rows, [result.weights for result in results])
            episodes = (result.episodes() for result in results)
            self._episodes.add(list(zip(rows, episodes, strict=True)))
            if again:
                self._seeds.write()
            else:
                self._seeds.append(rows)
            self._weights.commit(best)
            for trial, seed in again:
                self._of_trial[trial] = [r for r in self._of_trial[trial] if r["seed"] != seed]
            for trial, seed in keys:
                self._of_trial[trial].append(self._seeds.rows[trial, seed])
            for trial in {trial for trial, _ in keys}:
                self._trials.update(trial)
            self._trials.write_if_due()

    def close_trial(self, number: int) -> None:
        """Say that a trial is over: all its rows are here, no further seed of it will be added.

        The networks of trials that are over are removed, but for the best one's of each task. To be
        called again for each of them after reopening.
        """
        ranking = self._trials.ranking
        if number not in ranking:
            return
        best = self._best_closed.get(task := ranking.task(number))
        if number == best:
            return
        loser = number
        if best is None or ranking.is_better(number, best):
            self._best_closed[task], loser = number, best
        with _writing(self.path):
            if loser is not None:
                self._weights.drop(loser)

    def forget(self, keys: Collection[RowId]) -> None:
        """Remove finished trainings; the same command as before trains them again.

        Raises `KeyError` where one is not here.
        """
        if unknown := set(keys) - self._seeds.rows.keys():
            raise KeyError(min(unknown))
        with _writing(self.path):
            self._episodes.remove(keys)
            self._seeds.write()
            self._weights.forget(keys)
            self._index()

    def put_in_order(self) -> None:
        """Order seeds.csv by trial and seed: what it says then does not tell who ended first."""
        with _writing(self.path):
            if self._seeds.order(sorted(self._seeds.rows)):
                self._seeds.write()

    def finished(self) -> set[RowId]:
        """The (trial, seed) pairs that need no training.

        Those that failed are tried again, and those that were given up with them.
        """
        again = (key for rows in self._of_trial.values() for key in retried(rows))
        return self._seeds.rows.keys() - set(again)

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
        """trials.csv: one row a trial, task by task, the best first."""
        return self._trials.frame()

    def episodes(self, trial: int | None = None) -> pd.DataFrame:
        """episodes.parquet: one row an episode of every finished training, or of one trial's."""
        return read_episodes(self._episodes.path, trial)

    def best_trials(self) -> dict[str, int]:
        """The number of the trial that trials.csv has first of each task, by the task's id.

        The best by the objective of those all of whose seeds are done or diverged; of the
        others only where there is none.
        """
        return self._trials.ranking.best()

    def best(self, trial: int | None = None) -> Best | None:
        """The best training of `trial`, by default the best trial's, or None where there is none.

        Where the weights of the best trial were lost, those of the best trial whose are not.
        """
        if trial is not None:
            return self._weights.load(trial)
        for candidate in self._trials.ranking.order(self._weights.trials):
            if (best := self._weights.load(candidate)) is not None:
                return best
        return None

    def add_same(self, number: int, original: int) -> None:
        """Say that trial `number` has no rows of its own, as it is the same as `original`."""
        self._trials.add_same(number, original)

    def refuse_other(self, number: int, config: Config) -> None:
        """Raise `UserError` where a trial has rows of another configuration than `config`."""
        for row in self._of_trial.get(number, ()):
            own = [name for name in row if name.startswith("env.")]
            for name, cell in hyperparameters(config, own).items():
                if name in row and not is_same_cell(name, row[name], cell):
                    raise UserError(
                        f"{self.path}: trial {number} must have {name}={cell}, as this command "
                        f"says, got {row[name]} in seeds.csv; choose another folder with "
                        f"{self._key}=FOLDER"
                    )

    def threshold(self, env: EnvConfig) -> float | None:
        """The mean return that counts as solved in `env`; None where there is none."""
        return self._thresholds.of(env)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path}: writing failed ({error.strerror or error}); what was finished before is "
            "safe, and the same command resumes"
        ) from error
