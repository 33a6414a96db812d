"""Learning curves from episodes.parquet: of a trial's seeds, of trials by a value."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dqn.runtime.errors import RunError, first_line
from dqn.statistics.metrics import WINDOW, interval, iqm, running_mean
from sweeps.analysis.frames import ReportFrames, comparable
from sweeps.analysis.hyperparameters import Hyperparameter, regions

_POINTS = 60  # of a curve
_RESAMPLES = 201  # bands are looked at, not read off
_MOST_GROUPS, _MOST_LEVELS = 3, 5

Key = tuple[int, int]
"""(trial, seed)."""


@dataclass(frozen=True)
class Curves:
    """Running means of the returns of many trainings at the same places."""

    unit: str
    """episode, or step where trainings are as long as their steps say."""
    places: NDArray[np.float64]
    """[P]."""
    of: Mapping[int, NDArray[np.float64]]
    """By trial, [seeds, P]; NaN before the first window is full and after a training's end."""


def read_curves(tables: ReportFrames) -> Curves:
    """The curves of all trainings that were not pruned.

    `RunError` for episodes.parquet that cannot be read. 50,000 trainings of 150 episodes take some
    seconds.
    """
    base = tables.results.base
    unit = "episode" if base.episodes else "step"
    trainings = dict(_trainings(tables.results.path / "episodes.parquet", unit))
    ends = [places[-1] for places, _ in trainings.values()]
    last = float(max(ends, default=0))
    places = np.unique(np.linspace(min(WINDOW, last), last, _POINTS).round())
    kept = tables.seeds[tables.seeds["status"] != "pruned"]
    rows: dict[int, list[NDArray[np.float64]]] = {}
    for key in zip(kept["trial"], kept["seed"], strict=True):
        if key in trainings:
            rows.setdefault(key[0], []).append(_at(places, *trainings[key]))
    return Curves(unit, places, {trial: np.stack(of_one) for trial, of_one in rows.items()})


def of_trial(curves: Curves, trial: int) -> pd.DataFrame:
    """`place, value, low, high`: the IQM over the seeds of a trial and its 95 % interval."""
    return _band(curves, curves.of.get(trial, np.empty((0, len(curves.places)))), _RESAMPLES * 10)


def by_value(curves: Curves, tables: ReportFrames, hyperparameter: Hyperparameter) -> pd.DataFrame:
    """The same of the trials that share a region of a hyperparameter, with `region` and `trials`.

    As in `tables.of_regions` the band is over trials where a sampler drew them, each the mean of
    its seeds, and over trainings otherwise. At most five levels, or three regions.
    """
    trials = comparable(tables, hyperparameter)
    number, found = regions(
        hyperparameter, trials[hyperparameter.column], _MOST_GROUPS, _MOST_LEVELS
    )
    frames = []
    for n, region in enumerate(found):
        here = [curves.of[t] for t in trials["trial"][number == n] if t in curves.of]
        if not here:
            continue
        sampled = tables.design == "sampled"
        table = np.stack([_mean(one) for one in here]) if sampled else np.concatenate(here)
        frames.append(
            _band(curves, table, _RESAMPLES).assign(region=region.label, trials=len(here))
        )
    columns = ["place", "value", "low", "high", "region", "trials"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _band(curves: Curves, table: NDArray[np.float64], resamples: int) -> pd.DataFrame:
    """Where at least half of the rows of `table` [N, P] go on."""
    known = np.isfinite(table)
    enough = known.sum(0) >= max(1, len(table) / 2)
    rows = []
    for place, column, is_known in zip(
        curves.places[enough], table.T[enough], known.T[enough], strict=True
    ):
        values = column[is_known]
        low, high = interval(values, resamples=resamples)
        rows.append((place, float(iqm(values)), float(low), float(high)))
    return pd.DataFrame(rows, columns=["place", "value", "low", "high"])


def _mean(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the rows of [seeds, P], of those that go on."""
    known = np.isfinite(table)
    total = np.where(known, table, 0.0).sum(0)
    return np.divide(total, known.sum(0), out=np.full(total.shape, np.nan), where=known.any(0))


def _at(
    places: NDArray[np.float64], own: NDArray[np.float64], means: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The running mean of the last episode that had ended at each of `places`."""
    last = np.searchsorted(own, places, side="right") - 1
    inside = (last >= 0) & (places <= own[-1])
    return np.where(inside, means[np.maximum(last, 0)], np.nan)


def _trainings(
    path: Path, unit: str
) -> Iterator[tuple[Key, tuple[NDArray[np.float64], NDArray[np.float64]]]]:
    """Each training's places and running means; their episodes stand together in the table."""
    try:
        table = pq.read_table(path, columns=["trial", "seed", unit, "return"])
    except (pa.ArrowException, OSError, KeyError) as error:
        raise RunError(
            f"{path}: must be readable as Parquet, is not ({first_line(error)}); the "
            "command that wrote it sets damaged parts aside and trains what they held anew"
        ) from error
    trial, seed, place, returns = (column.to_numpy() for column in table.columns)
    changes = np.flatnonzero((np.diff(trial) != 0) | (np.diff(seed) != 0)) + 1
    starts = [0, *changes.tolist()] if len(trial) else []
    for start, end in zip(starts, [*starts[1:], len(trial)], strict=False):
        means = running_mean(returns[start:end], min(WINDOW, end - start))
        yield (int(trial[start]), int(seed[start])), (place[start:end].astype(float), means)


def groups(frame: pd.DataFrame) -> Collection[str]:
    """The regions in a frame of `by_value`, in order."""
    return list(dict.fromkeys(frame["region"]))
