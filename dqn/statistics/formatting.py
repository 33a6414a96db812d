"""Numbers and counts as a person reads them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

_PLAIN = 1e-4, 1e5  # numbers in between are written without an exponent


def count(n: int, what: str) -> str:
    """How many of what, in words."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def setting(value: Any) -> str:
    """A hyperparameter in as few characters as tell it from its neighbours."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if pd.isna(value):
            return "-"
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e9 else figures(value, 4)
    return str(value)


def figures(value: float, most: int) -> str:
    """A number rounded to `most` figures; whole ones and usual ones are without an exponent."""
    text = f"{value:.{most}g}"
    rounded = float(text)
    whole = rounded.is_integer() and abs(rounded) < 1e9
    if whole or _PLAIN[0] <= abs(rounded) < _PLAIN[1]:
        return np.format_float_positional(rounded, trim="-")
    return text


def interval_of(trial: Mapping[Any, Any], metric: str) -> str:
    """The interval of a metric in a row of trials.csv, or - where there is none."""
    low, high = trial[f"{metric}_low"], trial[f"{metric}_high"]
    if pd.isna(low) or pd.isna(high):
        return "-"
    return f"{_short(low)}{'–' if low >= 0 else ' to '}{_short(high)}"


def _short(end: float) -> str:
    """Three figures are enough for the end of an interval."""
    return f"{end:.0f}" if abs(end) >= 100 else f"{end:.3g}" if abs(end) >= 1 else f"{end:.2f}"


def number(value: float, metric: str) -> str:
    """A metric in as many digits as mean something."""
    if pd.isna(value):
        return "-"
    return f"{value:.2f}" if metric == "collapse" else f"{value:.1f}"
