"""What a sweep varied: its hyperparameters, and the regions that the values of one fall into."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dqn.statistics.formatting import format_number, format_setting
from dqn.storage.columns import COLUMN_OF_KEY, Cell, columns_of
from dqn.storage.reader import Results

_MOST_LEVELS = 8  # different numbers up to which each is a level of its own
_FEWEST = 6  # trials in a region of a hyperparameter that has no levels
_MOST_REGIONS = 6
_LOG_FROM = 20.0  # largest over smallest level, from which levels stand on a logarithmic axis


@dataclass(frozen=True)
class Hyperparameter:
    """A hyperparameter that differs between trials."""

    name: str
    """As a command line has it."""
    column: str
    """In seeds.csv."""
    levels: tuple[Cell, ...]
    """Its values in order; empty where there are too many to tell apart."""
    numeric: bool
    """Whether all values are finite numbers, so that they have places on an axis."""
    log: bool
    """Whether that axis is logarithmic: it was sampled so, or its levels are far apart."""

    def places(self, values: Iterable[Any]) -> NDArray[np.float64]:
        """Where `values` are on its axis: numbers as they are, others by their level."""
        if self.numeric:
            return np.array(list(values), float)
        return np.array([self.levels.index(plain_cell(value)) for value in values], float)


@dataclass(frozen=True)
class Region:
    """One level of a hyperparameter, or the values from `low` to `high` on its axis."""

    label: str
    low: float
    high: float


def hyperparameters_of(results: Results) -> list[Hyperparameter]:
    """The columns of seeds.csv in which trials differ, those that the sweep names first."""
    firsts = [rows[0] for rows in results.rows.values()]
    key_of = {column: key for key, column in COLUMN_OF_KEY.items()}
    params = (results.sweep or {}).get("params") or {}
    names = list(params)
    made = [
        _hyperparameter(key_of.get(column, column), column, values, params)
        for column in firsts[0]
        if column not in columns_of(()) and len(values := {row[column] for row in firsts}) > 1
    ]
    return sorted(made, key=lambda one: names.index(one.name) if one.name in names else len(names))


def regions(
    hyperparameter: Hyperparameter,
    values: Iterable[Any],
    most: int = _MOST_REGIONS,
    most_levels: int = _MOST_LEVELS,
) -> tuple[NDArray[np.int64], list[Region]]:
    """The region of each of `values` [trials], by its number, and the regions in order.

    The levels where there are at most `most_levels`, or the values are no numbers. Else regions of
    equally many trials, six or more in each and `most` regions at most; equal values stay together.
    """
    places, levels = hyperparameter.places(values), hyperparameter.levels
    if levels and (len(levels) <= most_levels or not hyperparameter.numeric):
        known = hyperparameter.places(levels).tolist()
        labels = map(format_setting, levels)
        return np.searchsorted(known, places), list(map(Region, labels, known, known))
    count = min(most, max(1, len(places) // _FEWEST))
    inner = np.quantile(places, np.linspace(0, 1, count + 1)[1:-1], method="lower")
    _, number = np.unique(np.searchsorted(np.unique(inner), places), return_inverse=True)
    found = []
    for n in range(number.max(initial=-1) + 1):
        ends = places[number == n].min(), places[number == n].max()
        label = " to ".join(dict.fromkeys(format_number(end, 3) for end in ends))
        found.append(Region(label, *ends))
    return number, found


def _hyperparameter(name: str, column: str, values: set[Cell], params: Any) -> Hyperparameter:
    numeric = all(type(value) in (int, float) and math.isfinite(value) for value in values)  # pyright: ignore[reportArgumentType]
    swept = str(params.get(name)) if isinstance(params, dict) else ""
    spread = numeric and swept.startswith(("tag", "interval", "int("))  # not from a list
    few = not numeric or (len(values) <= _MOST_LEVELS and not spread)
    levels = tuple(sorted(values, key=order)) if few else ()
    log = numeric and swept.startswith("tag(log")
    if numeric and not spread and not swept.startswith("range"):
        low, high = min(map(float, values)), max(map(float, values))  # pyright: ignore[reportArgumentType]
        log = low > 0 and high / low >= _LOG_FROM
    return Hyperparameter(name, column, levels, numeric, log)


def order(value: Cell) -> tuple[bool, float, Sequence[float], str]:
    """Numbers by size, networks ("64x64") by widths, other text by its letters; blank last."""
    if isinstance(value, int | float):
        return False, float(value), (), ""
    text = "" if value is None else value
    is_network = all(map(str.isdecimal, text.split("x")))
    return value is None, math.inf, [*map(float, text.split("x"))] if is_network else [], text


def plain_cell(value: Any) -> Cell:
    """A value of a frame as it was in seeds.csv: plain Python, None for none."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value
