"""A candidate's learning curve: what all its seeds have come to, at each episode or step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dqn.statistics.metrics import interval, iqm, running_mean
from sweeps.analysis.candidates import Candidate

POINTS = 400  # of a curve over environment steps

LOWEST = (
    "a diverged seed counts as the lowest from its end on; beyond a quarter of them the curve ends"
)
KEPT = "a seed that ended before the others keeps its last mean"
LEFT_OUT = "a pruned seed counts no more from there on"


@dataclass(frozen=True)
class Curve:
    """IQM and 95 % interval, over seeds, of the running mean of 10 returns.

    NaN where there is none; -∞ where too many seeds have diverged.
    """

    x: NDArray[np.float64]  # [P]
    middle: NDArray[np.float64]  # [P]
    low: NDArray[np.float64]  # [P]
    high: NDArray[np.float64]  # [P]
    rules: tuple[str, ...]
    """What was done about seeds that had ended, where any had."""


def over_steps(them: Sequence[Candidate]) -> bool:
    """Whether environment steps, not episodes, are what their trainings have in common."""
    return any(one.config.steps and not one.config.episodes for one in them)


def curve(one: Candidate, steps: bool) -> Curve:
    """The learning curve of a candidate over environment steps, or else over episodes.

    It begins where each seed has its 10th episode. A seed that has ended goes on by the rule of
    `trials.trial_rows`: a diverged (or failed) one counts as worse than every other, so that the
    curve ends once more than a quarter have; a pruned one is left out. One that was done before the
    others, its budget being bounded by another number, keeps its last mean.
    """
    frame: Any = one.results.episodes(one.trial)
    courses = dict(iter(frame.groupby("seed")))
    seeds = [(row, courses.get(row["seed"], frame.iloc[:0])) for row in one.rows]
    ends = np.array([int(row["steps" if steps else "episodes"] or 0) for row, _ in seeds])
    x = _grid(int(ends.max(initial=0)), steps)
    values = np.array([_course(group, x, steps) for _, group in seeds])  # [seeds, P]
    ended = x > ends[:, None]
    statuses = np.array([row["status"] for row, _ in seeds])
    lost = np.isin(statuses, ("diverged", "failed"))[:, None] & ended
    out = (statuses == "pruned")[:, None] & ended
    kept = (statuses == "done")[:, None] & ended
    rules = [rule for rule, where in ((LOWEST, lost), (KEPT, kept), (LEFT_OUT, out)) if where.any()]
    return Curve(x, *_summary(np.where(lost, -np.inf, values), ~out), tuple(rules))


def _grid(last: int, steps: bool) -> NDArray[np.float64]:
    if steps and last > POINTS:
        return np.linspace(0, last, POINTS + 1)[1:]
    return np.arange(1, last + 1, dtype=float)


def _course(group: pd.DataFrame, x: NDArray[np.float64], steps: bool) -> NDArray[np.float64]:
    """The last running mean that one training had by each of `x`; NaN before its first."""
    group = group.sort_values("episode")
    means = np.append(running_mean(group["return"].to_numpy(float)), np.nan)
    at = group["step" if steps else "episode"].to_numpy(float)
    return means[np.searchsorted(at, x, side="right") - 1]  # -1, before the first, is the NaN


def _summary(
    values: NDArray[np.float64], counts: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """IQM and interval [P] of `values` [seeds, P] over those that count."""
    three = np.full((3, values.shape[1]), np.nan)
    for points, rows in _alike(counts):
        sample = values[np.ix_(rows, points)].T
        three[0, points] = iqm(sample)
        three[1:, points] = interval(sample, resamples=501)
    return three[0], three[1], three[2]


def _alike(
    counts: NDArray[np.bool_],
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Points at which the same seeds count, with those seeds."""
    which, place = np.unique(counts, axis=1, return_inverse=True)
    for number, column in enumerate(which.T):
        yield np.flatnonzero(place == number), np.flatnonzero(column)
