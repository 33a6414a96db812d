"""All that a report is made from, computed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dqn.runtime.errors import RunError
from dqn.statistics.metrics import METRICS, Metric
from dqn.storage.reader import Results
from sweeps.analysis.frames import ReportFrames, effects, of_regions, report_frames
from sweeps.analysis.hyperparameters import Hyperparameter
from sweeps.analysis.importance import importance
from sweeps.analysis.learning_curves import Curves, read_curves
from sweeps.analysis.validation import TABLE, ValidatedTrial, read_table

FOLDER = "figures"


@dataclass(frozen=True)
class ReportData:
    """Tables, curves, and what follows from them."""

    folder: Path
    """Of the figures."""
    tables: ReportFrames
    curves: Curves | None
    no_curves: str
    """Why there are none."""
    validated: Sequence[ValidatedTrial]
    """Of a validation by the same metric, in order of the search scores."""
    importance: pd.DataFrame | None
    method: str
    """What the importance means, or why there is none."""
    by_hyperparameter: Mapping[str, pd.DataFrame]
    """`tables.of_regions` by hyperparameter, the hyperparameters that matter most first."""
    effects: pd.DataFrame

    @property
    def metric(self) -> Metric:
        """What trials are ordered and judged by."""
        return METRICS[self.tables.metric]

    @property
    def recommended(self) -> ValidatedTrial | None:
        """What is recommended after validation, if it has a score on the new seeds."""
        scored = (trial for trial in self.validated if trial.held_out_score.value is not None)
        return next((trial for trial in scored if trial.recommended), None)

    @property
    def best(self) -> int:
        """The trial that is recommended after validation; else the first in rank."""
        trial = self.recommended.trial if self.recommended else None
        return trial if trial in self.tables.results.rows else self.first  # pyright: ignore[reportReturnType]

    @property
    def leaders(self) -> list[int]:
        """All trials, best first: the order of rank, but what is recommended comes before all."""
        ranked = self.tables.trials["trial"].tolist()
        return sorted(ranked, key=lambda trial: trial != self.best)

    @property
    def first(self) -> int:
        """The first trial in rank."""
        return int(self.tables.trials["trial"].iloc[0])

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        """Those that matter most first."""
        order = list(self.by_hyperparameter)
        return sorted(self.tables.hyperparameters, key=lambda param: order.index(param.name))


def report_data(results: Results, metric: str, folder: Path | None = None) -> ReportData:
    """All of it; its figures go to `folder`, by default that of the results.

    Raises `RunError` for a damaged validation.csv; damaged episodes cost the curves alone.
    """
    tables = report_frames(results, metric)
    try:
        curves, no_curves = read_curves(tables), ""
    except RunError as error:
        curves, no_curves = None, str(error)
    ranking, method = importance(tables) if tables.hyperparameters else (None, "")
    frames = {param.name: of_regions(tables, param) for param in tables.hyperparameters}
    moved = effects(frames)
    order = (moved if ranking is None else ranking)["hyperparameter"]
    validated = read_table(results.path / TABLE, metric)
    return ReportData(
        folder or results.path / FOLDER, tables, curves, no_curves, validated, ranking, method,
        {name: frames[name] for name in order}, moved,
    )  # fmt: skip
