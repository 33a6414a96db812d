"""Each kind of value as text, once for all tables, sentences and messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # formatting is imported before NumPy is needed
    from dqn.statistics.metrics import Metric

NONE = "-"
"""What stands where there is no value."""
ENDS = ("", "_low", "_high")
"""What follows a metric's name in the columns of its value and of the ends of its interval."""
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


@dataclass(frozen=True)
class Estimate:
    """A number and the ends of its 95 % interval; None for what is not known or not finite."""

    value: float | None = None
    ends: tuple[float, float] | None = None

    @classmethod
    def of(
        cls, value: float | None, low: float | None = None, high: float | None = None
    ) -> "Estimate":
        """From three numbers, finite or not."""
        value = value if value is not None and isfinite(value) else None
        if low is None or high is None or not (isfinite(low) and isfinite(high)):
            return cls(value)
        return cls(value, (low, high))

    @classmethod
    def in_row(cls, row: Mapping[Any, Any], name: str) -> "Estimate":
        """From the columns `name`, NAME_low and NAME_high of a row."""
        return cls.of(*(row[name + end] for end in ENDS))

    def plain(self, name: str) -> dict[str, float | None]:
        """As columns of these names."""
        low, high = self.ends or (None, None)
        return {name: self.value, f"{name}_low": low, f"{name}_high": high}

    def text(self, digits: int, none: str = NONE) -> str:
        """As "value [low, high]", without an interval where there is none."""
        if self.value is None:
            return none
        ends = "" if self.ends is None else " [{:z.{n}f}, {:z.{n}f}]".format(*self.ends, n=digits)
        return f"{self.value:z.{digits}f}{ends}"


def format_share(value: float) -> str:
    """A share in per cent; - where there is none."""
    return f"{value:.0%}" if isfinite(value) else NONE


def format_p_value(p: float | None) -> str:
    """A p-value in three digits; - where there is none."""
    return NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def format_duration(seconds: float) -> str:
    """A time in the largest unit of which there are two, or in seconds."""
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit:,.0f} {name}"
    return f"{max(0.0, seconds):.0f} s"


def format_bytes(size: float) -> str:
    """A size in three figures: 12 B, 4.1 kB, 1.03 GB."""
    for power, name in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if size >= 999.5 * 1000 ** (power - 1):
            return f"{format_number(size / 1000**power, 3)} {name}"
    return f"{size:.0f} B"
