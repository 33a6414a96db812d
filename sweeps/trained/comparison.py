"""Runs and trials side by side, as a table of pandas that draws their curves."""

import argparse
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from dqn.plotting.png import draw_in
from dqn.runtime.errors import UserError
from dqn.statistics.formatting import ENDS
from dqn.statistics.metrics import METRICS
from sweeps.analysis.candidates import Candidate
from sweeps.commands.compare import compare_candidates
from sweeps.report.figures import compared_curves, profiles


class Comparison(pd.DataFrame):
    """One row for each of what `sweeps.compare` was given, in that order, by its name.

    First the keys in which they differ, then of each metric the IQM with its 95 % interval; then
    against the first of them, in `metric`: the probability that a training is better, the
    difference, and the p-value of a rank test (paired where the seeds are the same).
    """

    _metadata = ["candidates", "metric"]  # noqa: RUF012 - pandas' own word

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame  # of what is cut out of it

    @property
    def plot(self) -> "ComparisonPlots":  # pyright: ignore[reportIncompatibleVariableOverride]
        """Its figures, `plot.curves()` and `plot.profiles()`; else as of any table."""
        return ComparisonPlots(self)


class ComparisonPlots:
    """`comparison.plot`: both draw in `ax`, by default in new axes, and give these back."""

    def __init__(self, comparison: Comparison):
        self._comparison = comparison

    def curves(self, ax: Axes | None = None) -> Axes:
        """Learning curves: the IQM of the seeds' returns with its interval."""
        return draw_in(compared_curves(self._comparison.candidates), ax)

    def profiles(self, ax: Axes | None = None) -> Axes:
        """The share of seeds above each value of the metric."""
        return draw_in(profiles(self._comparison.candidates, self._comparison.metric), ax)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(pd.DataFrame(self._comparison).plot, name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """As `pandas.DataFrame.plot`."""
        return pd.DataFrame(self._comparison).plot(*arguments, **options)


def comparison_of(candidates: Sequence[Candidate], metric: str, anyway: bool) -> Comparison:
    """The table; raises `UserError` for what does not compare."""
    asked = argparse.Namespace(
        folders=[candidate.name for candidate in candidates], metric=metric, anyway=anyway, out=None
    )
    try:
        _, _, plain = compare_candidates(asked, candidates, lambda step: None)
    except UserError as error:
        advice = str(error).replace("--anyway", "anyway=True")
        raise UserError(advice, "anyway", anyway) from error
    rows: list[dict[str, Any]] = []
    for place, (candidate, found) in enumerate(zip(candidates, plain["candidates"], strict=True)):
        against = plain["against_first"][place - 1] if place else {}
        rows.append({
            **{name: _cell(values[place]) for name, values in plain["differ"].items()},
            "seeds": len(candidate.rows),
            **{name + end: found[name + end] for name in METRICS for end in ENDS},
            "solved": found["solved"], "collapsed": found["collapsed"], "steps": found["steps"],
            **_estimate("improvement", against), **_estimate("difference", against),
            "p_value": against.get("p_value"), "paired": against.get("paired"),
        })  # fmt: skip
    made = Comparison(rows, index=[candidate.name for candidate in candidates])
    numbers = [name + end for name in (*METRICS, "improvement", "difference") for end in ENDS]
    made = Comparison(made.astype({**dict.fromkeys((*numbers, "p_value"), "float64"),
                                   "paired": "boolean"}))  # fmt: skip
    made.candidates, made.metric = list(candidates), metric
    return made


def _estimate(name: str, against: dict[str, Any]) -> dict[str, float | None]:
    low, high = against.get(f"{name}_interval") or (None, None)
    return {name: against.get(name), f"{name}_low": low, f"{name}_high": high}


def _cell(value: Any) -> Any:
    """A list as a table shows it, and can sort by."""
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else value
