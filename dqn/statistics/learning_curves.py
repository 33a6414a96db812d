"""A learning curve: what trainings have come to at each episode or step, together: pure NumPy.

Each training alone is a running mean of its episodes. Together they are a table [N, P]: what each
of N trainings had come to by each of P places, NaN where it does not count. A statistic is drawn as
far as half of them count: further on it would be about the few that lasted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dqn.statistics.metrics import WINDOW, interval, iqm, running_mean

AfterEnd = Literal["by status", "left out"]
"""What a training counts as at places after its end: by its status (done, as what it had last come
to; diverged or failed, as worse than every other; pruned, as nothing) or always as nothing."""


@dataclass(frozen=True, slots=True)
class TrainingCurve:
    """One training of E episodes."""

    x: NDArray[np.float64]
    """[E], the number of each episode, or the steps by its end."""
    y: NDArray[np.float64]
    """[E], what it had come to by then."""
    end: float
    """Where the training ended, if not with its last episode."""
    status: str = "done"


def smoothed(values: ArrayLike) -> NDArray[np.float64]:
    """Running means of a training's `values` [E]; one that is too short has one, at its end."""
    values = np.asarray(values, float)
    return running_mean(values, min(WINDOW, max(1, values.size)))


def table_of(
    curves: Sequence[TrainingCurve], places: NDArray[np.float64], after_end: AfterEnd
) -> NDArray[np.float64]:
    """What each training had last come to by each of `places` [P]: [N, P]."""
    table = np.full((len(curves), places.size), np.nan)
    for row, curve in zip(table, curves, strict=True):
        known = np.searchsorted(curve.x, places, side="right")
        row[:] = np.append(np.nan, curve.y)[known]
        status = curve.status if after_end == "by status" else "pruned"
        if status != "done":
            row[places > curve.end] = np.nan if status == "pruned" else -np.inf
    return table


def quartiles(curves: Sequence[NDArray[np.float64]], fewest: int = 1) -> NDArray[np.float64]:
    """Episode, lower quartile, median and upper quartile of `curves` by episode, [4, drawn].

    A training is left out after its end; where fewer than `fewest` count nothing is drawn.
    """
    places = np.arange(1.0, max(map(len, curves), default=0) + 1.0)
    own = [TrainingCurve(places[: len(curve)], curve, len(curve)) for curve in curves]
    table = table_of(own, places, "left out")
    drawn = _is_drawn(table, fewest)
    if not drawn.any():
        return np.empty((4, 0))
    three = np.nanquantile(table[:, drawn], [0.25, 0.5, 0.75], axis=0)
    return np.stack([places[drawn], *three])


def iqms(table: NDArray[np.float64], resamples: int | None = None) -> NDArray[np.float64]:
    """IQM over trainings and the ends of its 95 % interval, [3, P]; NaN where not drawn.

    Without `resamples` there is no interval.
    """
    three = np.full((3, table.shape[1]), np.nan)
    for places, rows in _alike(~np.isnan(table), _is_drawn(table)):
        sample = table[np.ix_(rows, places)].T
        three[0, places] = iqm(sample)
        if resamples:
            three[1:, places] = interval(sample, resamples=resamples)
    return three


def _is_drawn(table: NDArray[np.float64], fewest: int = 1) -> NDArray[np.bool_]:
    return (~np.isnan(table)).sum(0) >= max(fewest, len(table) / 2)


def _alike(
    counts: NDArray[np.bool_], drawn: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Places at which the same trainings count, with those trainings."""
    if not drawn.any():
        return
    which, kind = np.unique(counts[:, drawn], axis=1, return_inverse=True)
    for number, column in enumerate(which.T):
        # NumPy 2.0 gives `kind` a second axis.
        yield np.flatnonzero(drawn)[kind.ravel() == number], np.flatnonzero(column)
