"""A run: one configuration and what its seeds came to, as tables, figures and networks."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dqn.config import Config
from dqn.config.fields import override_text
from dqn.runtime.errors import RunError, UserError
from dqn.statistics.formatting import Estimate, count
from dqn.statistics.metrics import METRICS
from dqn.storage.best_weights import Best, read_best
from dqn.storage.columns import Row
from dqn.storage.layout import shown_path
from dqn.storage.safe_yaml import differences
from dqn.storage.trials import named, trial_row
from dqn.terminal.tables import seed_table
from dqn.trained import tables
from dqn.trained.folder import Folder
from dqn.trained.python_calls import python_call
from dqn.trained.views import heading, table

if TYPE_CHECKING:
    from dqn.trained.played import Played
    from dqn.trained.run_plots import RunPlots

_METRICS = ("mean_return", "best_return", "final_return", "test_return", "solved_at")
_SHOWN = 10  # rows of a table in a notebook
_METRIC = "mean_return"


class Run(Folder):
    """One configuration that was trained with several seeds: a run, or one trial of a sweep.

    `dqn.train` and `dqn.load` give one. It reads the folder when it is asked for something, so it
    is up to date while the folder grows.

    >>> import dqn
    >>> run = dqn.load("outputs/runs/a")
    >>> run.seeds[["seed", "status", "episodes"]]
       seed status  episodes
    0     0   done        20
    1     1   done        20
    >>> run.config.lr
    0.002
    """

    def __init__(self, path: str | Path, trial: int | None = None):
        super().__init__(path)
        self._trial = trial
        self._again: dict[int, Best] = {}
        results = self.results
        if trial is not None:
            self._trial = int(results.trial(trial)[0]["trial"] or 0)
        elif results.sweep is not None:
            raise UserError(
                f"{path}: must hold a run, holds a sweep; write dqn.load({str(path)!r})"
            )

    @property
    def trial(self) -> int:
        """The number of the trial; 0 of a run."""
        return self._trial or 0

    @property
    def name(self) -> str:
        """The name of the folder, and of a sweep's the trial's number behind it."""
        return self.path.name if self._trial is None else f"{self.path.name}:{self._trial}"

    @property
    def address(self) -> str:
        """What `python -m sweeps compare` calls it: the folder, or DIR:TRIAL of a sweep's trial."""
        return str(self.path) if self._trial is None else f"{self.path}:{self._trial}"

    @property
    def config(self) -> Config:
        """The configuration it was trained with."""
        return self.results.base if self._trial is None else self.results.config(self._trial)

    @property
    def seeds(self) -> pd.DataFrame:
        """One row for each seed that has ended, as in seeds.csv."""
        return tables.seeds_table(self._rows, self.results.base)

    @property
    def trials(self) -> pd.DataFrame:
        """One row for all seeds, as in trials.csv: of each metric the IQM and its 95 % interval."""
        results = self.results
        own = [self.trial] if self.trial in results.rows else []
        return tables.trials_table(results, own).head(1)  # those like it have rows of a sweep

    @property
    def episodes(self) -> pd.DataFrame:
        """One row for each episode, as in episodes.parquet."""
        return self.results.episodes(self.trial)

    @property
    def plot(self) -> "RunPlots":
        """Its figures: `plot.returns()`, `plot.losses()`, `plot.q_values()`."""
        from dqn.trained.run_plots import RunPlots

        return RunPlots(self)

    def model(self, seed: int | None = None, *, progress: bool = True) -> Any:
        """The network of a seed as a Keras model: observations [N, D] to Q-values [N, A].

        By default that of the best seed, which is kept. That of any other seed, and of a trial that
        is not the best, is trained again, bit for bit, which a line says. Raises `UserError` for a
        seed that is not there or did not train to its end.
        """
        best = self.network(seed, progress=progress)
        from dqn.agents.networks import trained_network

        return trained_network(self.config, best.weights).to_keras(best.weights)

    def play(self, seed: int | None = None, *, progress: bool = True) -> "Played":
        """One greedy episode of a seed's network; a notebook shows it as an animation.

        `seed` as in `model`; it also fixes the start. Raises `EnvError` where the environment
        cannot be played.
        """
        best = self.network(seed, progress=progress)
        from dqn.trained.run_plots import played

        return played(self.config, best)

    def network(self, seed: int | None = None, *, progress: bool = True) -> Best:
        """The weights of a seed's network, arrays in the order of the Keras model's."""
        results, rows = self.results, self._rows
        if seed is not None and seed in self._again:
            return self._again[seed]
        kept = read_best(self.path, self.trial, rows)
        if not rows and kept is None:
            raise UserError(f"{self.path}: no seed has ended yet; let it go on, and ask again")
        if kept is not None and seed in (None, kept.seed):
            return kept
        if seed is None:
            ended = [row for row in rows if row["status"] in ("done", "diverged")]
            seed = int((ended or rows)[0]["seed"] or 0)
        from dqn.trained.again import is_same, recorded, train_again

        old = recorded(results, self.trial, seed)
        with python_call(progress) as tell:
            tell(f"the network of seed {seed} was not kept: it is trained again")
            new, best = train_again(results, self.trial, seed)
            free = ("trial", "seconds")
            if not all(is_same(old[name], new[name]) for name in old if name not in free):
                tell(f"seed {seed} trained again is not the same: another machine or version")
        if best is None:
            raise RunError(f"{self.path}: seed {seed} has left no network, as it {old['status']}")
        self._again[seed] = best
        return best

    @property
    def _rows(self) -> Sequence[Row]:
        return self.results.rows.get(self.trial, [])

    def __repr__(self) -> str:
        return f"Run({self.address_here}: {self._summary()})"

    @property
    def address_here(self) -> str:
        """`address`, as it is written from the current folder."""
        number = "" if self._trial is None else f":{self._trial}"
        return f"{shown_path(self.path)}{number}"

    def _summary(self) -> str:
        rows, config = self._rows, self.config
        text = f"{config.env.id}, {len(rows)} of {count(self.results.base.seeds, 'seed')}"
        if rows:
            value = Estimate.in_row(trial_row(rows, ()), _METRIC).text(METRICS[_METRIC].digits)
            text += f", {METRICS[_METRIC].title} {value}"
        return text

    def _repr_html_(self) -> str:
        keys = ", ".join(
            f"{name}={override_text(value)}"
            for name, _, value in differences(Config().to_mapping(), self.config.to_mapping())
            if name not in ("seeds", "first_seed", "workers", "name")
        )
        rows = list(self._rows)
        more = f"<p>and {count(len(rows) - _SHOWN, 'more seed')}: .seeds</p>"
        title = "Run" if self._trial is None else f"Run, {named(self.trial)}"
        return (
            heading(title, f"{self.address_here}: {self._summary()}")
            + (heading("other than the exercise's", keys) if keys else "")
            + table(*seed_table(rows[:_SHOWN], _METRICS))
            + more * (len(rows) > _SHOWN)
        )
