"""All that a report is made from, computed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dqn.runtime.errors import RunError
from dqn.storage.reader import Results
from dqn.storage.trials import BASELINE
from sweeps.analysis.frames import ReportFrames, effects, of_regions, report_frames
from sweeps.analysis.hyperparameters import Hyperparameter
from sweeps.analysis.importance import importance
from sweeps.analysis.learning_curves import Curves, read_curves
from sweeps.analysis.validation import TABLE, read_table

FOLDER = "figures"

Finding = Mapping[str, Any]
"""A row of validation.csv, and its `name`."""


@dataclass(frozen=True)
class ReportData:
    """Tables, curves, and what follows from them."""

    folder: Path
    """Of the figures."""
    tables: ReportFrames
    curves: Curves | None
    no_curves: str
    """Why there are none."""
    findings: Sequence[Finding]
    """Of a validation by the same metric, in order of the claims."""
    importance: pd.DataFrame | None
    method: str
    """What the importance means, or why there is none."""
    by_hyperparameter: Mapping[str, pd.DataFrame]
    """`tables.of_regions` by hyperparameter, the hyperparameters that matter most first."""
    effects: pd.DataFrame

    @property
    def best(self) -> int:
        """The trial that is recommended after validation; else the first in rank."""
        held = [one["trial"] for one in self.findings if one["recommended"]]
        known = [n for n in held if n in self.tables.results.rows]
        return known[0] if known else int(self.tables.trials["trial"].iloc[0])

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        """Those that matter most first."""
        by_name = {
            hyperparameter.name: hyperparameter for hyperparameter in self.tables.hyperparameters
        }
        return [by_name[name] for name in self.by_hyperparameter]


def report_data(results: Results, metric: str, folder: Path | None = None) -> ReportData:
    """All of it; its figures go to `folder`, by default that of the results.

    Raises `RunError` for a damaged validation.csv; damaged episodes cost the curves alone.
    """
    tables = report_frames(results, metric)
    try:
        curves, no_curves = read_curves(tables), ""
    except RunError as error:
        curves, no_curves = None, str(error)
    ranking, method = (None, "") if not tables.hyperparameters else importance(tables)
    frames = {
        hyperparameter.name: of_regions(tables, hyperparameter)
        for hyperparameter in tables.hyperparameters
    }
    moved = effects(frames)
    order = (moved if ranking is None else ranking)["hyperparameter"]
    findings = [
        {**one, "name": BASELINE if one["trial"] is None else f"trial {one['trial']}"}
        for one in read_table(results.path / TABLE)
        if one["metric"] == metric
    ]
    return ReportData(
        folder or results.path / FOLDER, tables, curves, no_curves, findings, ranking, method,
        {name: frames[name] for name in order}, moved,
    )  # fmt: skip


def failing(data: ReportData, most: int = 4) -> pd.DataFrame:
    """Regions of what matters most, if any of their trainings diverged or collapsed."""
    frames = list(data.by_hyperparameter.values())[:most]
    if not frames:
        return pd.DataFrame()
    frame = pd.concat(frames, ignore_index=True)
    frame = frame.loc[frame["trainings"] > 0]
    shares = frame[["diverged", "collapsed"]].to_numpy(float)
    return frame if np.any(shares > 0) else frame.iloc[:0]
