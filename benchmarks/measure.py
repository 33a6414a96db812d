"""How anything is timed here: on one core, in alternation, several times over.

A shared machine drifts by a factor of two within minutes. So candidates take turns, a round each,
and a ratio is the median over rounds of two neighbours' ratio, never that of two far-off medians.
"""

import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter

CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
"""What this process may use before it is confined; empty where the system cannot say."""

OF_CORE = ("arithmetic", "mixed", "agent", "recipe", "lunar_lander", "memory")
"""What `--core` can measure beside lanes."""

Rate = Callable[[float], float]
"""Works for about so many seconds and returns how much of its unit was done a second."""


@dataclass(frozen=True)
class Row:
    """One measured quantity: a value for each round, and what it is meant to reach."""

    name: str
    values: Sequence[float]
    unit: str
    target: float | None = None
    at_most: bool = False
    """Whether the target is a ceiling."""

    @property
    def median(self) -> float:
        """What is reported."""
        return statistics.median(self.values)

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the target; None without one."""
        if self.target is None:
            return None
        return self.median <= self.target if self.at_most else self.median >= self.target

    def to_dict(self) -> dict:
        """Plain values, for JSON."""
        spread = {"median": self.median, "low": min(self.values), "high": max(self.values)}
        return asdict(self) | {"values": list(self.values), "reached": self.reached} | spread


def on_one_core() -> None:
    """Confine this thread, and all that it starts from now on, to one core."""
    if CORES:
        os.sched_setaffinity(0, {max(CORES)})


def on_all_cores() -> None:
    """Undo `on_one_core`, as in a child that is to be timed on the whole machine."""
    if CORES:
        os.sched_setaffinity(0, CORES)


def alternate(
    candidates: Mapping[str, Rate],
    rounds: int,
    seconds: float,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, list[float]]:
    """The rates of each candidate, [rounds]: all take turns, for `seconds` each time."""
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for i in range(rounds):
        for name, rate in candidates.items():
            rates[name].append(rate(seconds))
        progress(f"round {i + 1} of {rounds}")
    return rates


def ratios(one: Iterable[float], other: Iterable[float]) -> list[float]:
    """One candidate's rates over another's, round by round."""
    return [a / b for a, b in zip(one, other, strict=True)]


def repeat(work: Callable[[], float], seconds: float) -> float:
    """How much a second `work`, which returns how much it did, does for at least `seconds`."""
    done, began = 0.0, perf_counter()
    while True:
        done += work()
        took = perf_counter() - began
        if took >= seconds:
            return done / took
