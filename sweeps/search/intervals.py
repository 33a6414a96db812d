"""`sweeps.log` and `sweeps.uniform`: the intervals of a search, in the words of a command line.

Nothing heavy is imported.
"""

import math
from dataclasses import dataclass

from dqn.config.fields import short_repr
from dqn.config.values import plain
from dqn.runtime.errors import must_be


@dataclass(frozen=True, repr=False)
class Interval:
    """All numbers from `low` to `high`; of a key that counts, the whole ones."""

    low: float
    high: float
    log: bool = False
    """Whether each power of ten is as likely as every other."""

    def __post_init__(self) -> None:
        name = "sweeps.log" if self.log else "sweeps.uniform"
        got = f"{short_repr(self.low)} and {short_repr(self.high)}"
        low, high = plain(self.low), plain(self.high)
        if not (_is_number(low) and _is_number(high) and low < high):
            raise must_be(name, "two finite numbers, the lower one first", got, value=self.low)
        if self.log and low <= 0:
            raise must_be(name, "from a number > 0 on", got, example=f"{name}(1e-4, 1e-2)")
        # Whole ends would make whole numbers of them.
        object.__setattr__(self, "low", float(low))
        object.__setattr__(self, "high", float(high))

    @property
    def text(self) -> str:
        """As a command line has it."""
        inner = f"interval({self.low!r},{self.high!r})"
        return f"tag(log,{inner})" if self.log else inner

    def __repr__(self) -> str:
        return f"sweeps.{'log' if self.log else 'uniform'}({self.low!r}, {self.high!r})"


def log(low: float, high: float) -> Interval:
    """Every number from `low` to `high`, each power of ten as likely: for a learning rate.

    For the space of `sweeps.tune`; a key that counts, such as `train_freq`, is sampled whole.
    Raises `UserError` unless 0 < low < high.

    >>> import sweeps
    >>> sweeps.log(1e-4, 1e-2)
    sweeps.log(0.0001, 0.01)
    """
    return Interval(low, high, log=True)


def uniform(low: float, high: float) -> Interval:
    """Every number from `low` to `high`, each as likely: for a discount.

    For the space of `sweeps.tune`; a key that counts, such as `train_freq`, is sampled whole.
    Raises `UserError` unless low < high.

    >>> import sweeps
    >>> sweeps.uniform(0.9, 0.999)
    sweeps.uniform(0.9, 0.999)
    """
    return Interval(low, high)


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # pyright: ignore[reportArgumentType]
