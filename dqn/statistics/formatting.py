"""Each kind of value as text, once for all tables, sentences and messages."""

from collections.abc import Iterable
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # formatting is imported before NumPy is needed
    from dqn.statistics.metrics import Metric

NONE = "-"
"""What stands where there is no value."""
_PLAIN = 1e-4, 1e5  # numbers in between are written without an exponent


def count(n: int, what: str) -> str:
    """How many of what, in words."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def format_number(value: float, figures: int) -> str:
    """A number rounded to so many figures; whole ones and usual ones are without an exponent."""
    text = f"{value:.{figures}g}"
    rounded = float(text)
    whole = rounded.is_integer() and abs(rounded) < 1e9
    if whole or _PLAIN[0] <= abs(rounded) < _PLAIN[1]:
        return f"{Decimal(repr(rounded)):f}".removesuffix(".0")
    return text


def format_setting(value: Any) -> str:
    """A hyperparameter's value in as few characters as tell it from its neighbours."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if value != value:
            return NONE
        whole = value.is_integer() and abs(value) < 1e9
        return f"{value:.0f}" if whole else format_number(value, 4)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(format_setting, value))}]"
    return str(value)


def format_metric(value: float | None, metric: "Metric") -> str:
    """A metric in as many digits as mean something; - where there is no finite number."""
    if value is None or not isfinite(value):
        return NONE
    whole = metric.is_episode and value == int(value)
    return f"{value:.{0 if whole else metric.digits}f}"


def format_interval(low: float | None, high: float | None) -> str:
    """An interval that stands alone, in three figures; - where there is none."""
    if low is None or high is None or not (isfinite(low) and isfinite(high)):
        return NONE
    return f"{_short(low)}{'–' if low >= 0 else ' to '}{_short(high)}"


def _short(end: float) -> str:
    return f"{end:.0f}" if abs(end) >= 100 else f"{end:.3g}" if abs(end) >= 1 else f"{end:.2f}"


def format_estimate(
    value: float | None, ends: Iterable[float | None] | None, digits: int, none: str = NONE
) -> str:
    """A number and its interval, "value [low, high]"; without what is missing or not finite."""
    if value is None or not isfinite(value):
        return none
    known = [end for end in ends or () if end is not None and isfinite(end)]
    interval = f" [{known[0]:z.{digits}f}, {known[1]:z.{digits}f}]" if len(known) == 2 else ""
    return f"{value:z.{digits}f}{interval}"


def format_share(value: float) -> str:
    """A share in per cent; - where there is none."""
    return f"{value:.0%}" if isfinite(value) else NONE


def format_p_value(p: float | None) -> str:
    """A p-value in three digits; - where there is none."""
    return NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
