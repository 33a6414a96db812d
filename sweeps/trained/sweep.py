"""A sweep: the trials of a grid or a study, as tables, figures, and what follows from them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dqn.config import Config
from dqn.runtime.errors import UserError
from dqn.statistics.formatting import ENDS, count, format_setting
from dqn.statistics.metrics import METRICS
from dqn.storage.episodes import read_episodes
from dqn.storage.layout import shown_path
from dqn.storage.reader import Results
from dqn.terminal.tables import interval_cell, metric_cell
from dqn.trained import tables
from dqn.trained.folder import Folder
from dqn.trained.python_calls import python_call
from dqn.trained.run import Run
from dqn.trained.views import heading, stopped, table
from sweeps.analysis.hyperparameters import hyperparameters_of
from sweeps.analysis.objective import objective_of

if TYPE_CHECKING:
    from sweeps.report.data import ReportData
    from sweeps.trained.sweep_plots import SweepPlots

_SHOWN = 10  # trials in a notebook


class Sweep(Folder):
    """The trials of a grid or a study: `sweeps.grid`, `sweeps.tune` and `dqn.load` give one.

    It reads the folder when it is asked for something, so it is up to date while the folder grows.

    >>> import dqn
    >>> sweep = dqn.load("outputs/sweeps/grid")
    >>> sweep.trials[["trial", "lr", "status"]].sort_values("trial", ignore_index=True)
       trial     lr status
    0      0  0.001   done
    1      1  0.010   done
    >>> sweep.best.config.lr in (0.001, 0.01)
    True
    """

    def __init__(self, path: str | Path):
        super().__init__(path)
        if self.results.sweep is None:
            raise UserError(f"{path}: must hold a grid or a study, holds a run; write dqn.load")

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name

    @property
    def kind(self) -> str:
        """`grid` or `study`; `validation` of a folder of held-out seeds."""
        return str((self.results.sweep or {}).get("kind", "grid"))

    @property
    def config(self) -> Config:
        """What the trials were made from."""
        return self.results.base

    @property
    def objective(self) -> str:
        """The metric that trials are ordered by."""
        return self.results.objective

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial, the best first, as in trials.csv: of each metric IQM and interval."""
        made = self._once("trials", lambda found: tables.trials_table(found, _order(found)))
        return made.copy()

    @property
    def seeds(self) -> pd.DataFrame:
        """One row a training that has ended, as in seeds.csv."""
        results = self.results
        rows = [row for number in sorted(results.rows) for row in results.rows[number]]
        return tables.seeds_table(rows, results.base)

    @property
    def episodes(self) -> pd.DataFrame:
        """One row an episode, as in episodes.parquet."""
        return read_episodes(self.path / "episodes.parquet")

    @property
    def best(self) -> Run:
        """The best trial by now, by what the sweep is after.

        Raises `UserError` before the first has ended, and of several tasks, whose returns do not
        compare.
        """
        results = self._begun()
        if len(results.tasks) > 1:
            raise UserError(
                f"{self.path}: the best trial is one of one task, this sweep has "
                f"{', '.join(results.tasks)}; take one with .trial(n), of those in .trials"
            )
        return Run(self.path, _order(results)[0])

    def trial(self, number: int) -> Run:
        """One trial; raises `UserError` for one that is not there."""
        self._begun()
        return Run(self.path, number)

    def importance(self, metric: str | None = None) -> pd.DataFrame:
        """How much each hyperparameter matters, those that matter most first.

        `share` of all importance by PED-ANOVA and `chance`, what one that does nothing stays below
        95 times in 100: NaN where there are too few trials, or they are a grid's. `effect` is how
        far the metric (by default the objective) moves from the worst to the best values. What the
        numbers mean is in `.attrs["method"]`.
        """
        data = self.report_data(metric)
        found = data.effects.set_index("hyperparameter")
        shares = data.importance
        columns = ["share", "chance"]
        if shares is None:
            found[columns] = float("nan")
        else:
            found = shares.set_index("hyperparameter").join(found)
        found = found[[*columns, "effect"]].reset_index()
        found.attrs["method"] = data.method
        return found

    def validate(
        self,
        top: int = 5,
        seeds: int = 50,
        *,
        workers: int | str | None = None,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Train the `top` best trials and the exercise on `seeds` new seeds; the same as a table.

        One row a trial, the exercise's last (its `trial` is blank): `claimed` is the score on the
        seeds it was chosen by, `held_out` that on the new ones, `optimism` the difference,
        `improvement` the probability to beat the exercise, each with its interval; `recommended`
        is the row with the best lower bound. validation.csv and recommended.yaml say it too. What
        was trained before is not trained again. Raises as `dqn.train`.
        """
        for key, value, least in (("top", top, 1), ("seeds", seeds, 2)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UserError(f"{key} must be a whole number >= {least}, got {value}", key, value)
        from sweeps.analysis.held_out import WorkerOptions, validate_trials
        from sweeps.analysis.validation import records_of

        base = self.results.base
        on = WorkerOptions(workers, base.fleet, base.ray_address)
        with python_call(progress):
            found = validate_trials(self.path, top, seeds, on, say=lambda text: None)
        if found is None:
            raise stopped(self.path, "trainings on new seeds")
        frame = pd.DataFrame(records_of(found))
        whole = {"trial": "Int64", "claimed_rank": "Int64", "held_out_rank": "Int64"}
        names = [name + end for name in _ESTIMATES for end in ENDS]
        return frame.astype({**whole, **dict.fromkeys(names, "float64")})

    def report(self, metric: str | None = None, *, progress: bool = True) -> Path:
        """Write report.html and its figures into the folder; the path of the page."""
        from sweeps.commands.report import PAGE, report

        self._metric(metric)
        with python_call(progress):
            report(argparse.Namespace(folder=self.path, metric=metric))
        return self.path / PAGE

    def report_data(self, metric: str | None = None) -> "ReportData":
        """What a report by `metric`, by default the objective, is made from."""
        from sweeps.report.data import report_data

        self._begun()
        name = self._metric(metric)
        return self._once(f"report {name}", lambda found: report_data(found, name))

    @property
    def plot(self) -> "SweepPlots":
        """Its figures: `plot.curves()`, `plot.importance()`, `plot.influence("lr")`."""
        from sweeps.trained.sweep_plots import SweepPlots

        return SweepPlots(self)

    def _begun(self) -> Results:
        if not (results := self.results).rows:
            raise UserError(f"{self.path}: no training has ended yet; let it go on, and ask again")
        return results

    def _metric(self, metric: str | None) -> str:
        if metric is not None and metric not in METRICS:
            known = ", ".join(METRICS)
            raise UserError(f"metric must be one of {known}, got {metric}", "metric", metric)
        return metric or self.objective

    def _summary(self) -> str:
        results = self.results
        ended = len(results.rows) + len(results.same_as)
        asked = (results.sweep or {}).get("n_trials")
        of = f" of {asked}" if asked and asked > ended else ""
        text = f"{self.kind}, {ended:,}{of} {'trial' if ended == 1 else 'trials'}, "
        text += f"{', '.join(results.tasks) or results.base.env.id}, "
        text += count(results.base.seeds, "seed")
        if results.rows and len(results.tasks) == 1:
            row = self.trials.iloc[0].to_dict()
            found = f"{metric_cell(row, self.objective)} [{interval_cell(row, self.objective)}]"
            text += f", best: trial {row['trial']}, {METRICS[self.objective].title} {found}"
        return text

    def __repr__(self) -> str:
        return f"Sweep({shown_path(self.path)}: {self._summary()})"

    def _repr_html_(self) -> str:
        text = heading("Sweep", f"{shown_path(self.path)}: {self._summary()}")
        if not (results := self.results).rows:
            return text
        keys = [one.column for one in hyperparameters_of(results)]
        metric, trials = METRICS[self.objective], self.trials
        titles = ["trial", *keys, "status", "seeds", metric.title, "95 % interval"]
        rows = [
            [
                str(row["trial"]), *(format_setting(row[key]) for key in keys), row["status"],
                str(row["seeds_done"]), metric_cell(row, self.objective),
                interval_cell(row, self.objective),
            ]
            for row in trials.head(_SHOWN).to_dict("records")
        ]  # fmt: skip
        more = len(trials) - _SHOWN
        return (
            text
            + table(titles, rows)
            + f"<p>and {count(more, 'more trial')}: .trials</p>" * (more > 0)
        )


_ESTIMATES = ("claimed", "held_out", "optimism", "improvement")


def _order(results: Results) -> list[int]:
    """Numbers of the trials, the best first."""
    return results.ranked(objective_of(results).of_rows) if results.rows else []
