"""What one training amounts to, and what many seeds of it say together: pure NumPy.

A training's metrics are those of the design page's contract. Over seeds a metric becomes its
interquartile mean with a bootstrap interval, as Agarwal et al. (2021), "Deep Reinforcement Learning
at the Edge of the Statistical Precipice", section 4, recommend for a handful of runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

WINDOW = 10  # episodes in a running mean

# Each metric of a training, with the value that ranks below every other: what a training that
# failed before it could earn one counts as.
METRICS = {
    "mean_return": -np.inf,
    "best_return": -np.inf,
    "final_return": -np.inf,
    "test_return": -np.inf,
    "solved_at": np.inf,
    "collapse": 1.0,
}


@dataclass(frozen=True, slots=True)
class Metrics:
    """One training in six numbers. Returns are raw sums of rewards; NaN where there is none."""

    mean_return: float
    """Over all training episodes."""
    best_return: float
    """The best 10-episode running mean."""
    final_return: float
    """Mean of the last 10 episodes."""
    test_return: float
    """Mean of the greedy episodes after training."""
    solved_at: int | None
    """First episode, counted from 1, whose running mean reaches the threshold; None: never."""
    collapse: float
    """Share of the best running mean that the last one has lost: 0 (none) to 1."""


def metrics_of(
    returns: ArrayLike, threshold: float | None = None, test_returns: ArrayLike = ()
) -> Metrics:
    """Metrics of one training from its episodes' `returns` [E] and its `test_returns` [any].

    With fewer than 10 episodes the one window is what there is: best and final are the mean,
    nothing is solved, nothing has collapsed. With no episode at all every metric is NaN and
    `solved_at` None; so is `solved_at` where the environment has no `threshold`.

    `collapse` = 1 - (final - low) / (best - low) with `low` the training's lowest return, so that
    it does not depend on where an environment's returns start; 0 where no return differs.
    """
    returns = np.asarray(returns, float)
    test_returns = np.asarray(test_returns, float)
    test_return = float(test_returns.mean()) if test_returns.size else np.nan
    if not returns.size:
        return Metrics(np.nan, np.nan, np.nan, test_return, None, np.nan)
    running = running_mean(returns, min(WINDOW, returns.size))
    best, final, low = float(np.nanmax(running)), float(running[-1]), float(returns.min())
    solved_at = None
    if threshold is not None and returns.size >= WINDOW and best >= threshold:
        solved_at = int(np.argmax(running >= threshold)) + 1  # NaN, before the first window, is not
    collapse = 1.0 - (final - low) / (best - low) if best > low else 0.0
    return Metrics(float(returns.mean()), best, final, test_return, solved_at, collapse)


def running_mean(x: ArrayLike, window: int = WINDOW) -> NDArray[np.float64]:
    """Mean of each entry of `x` [E] and those before it, `window` in all; [E].

    The first `window - 1` entries are NaN: their window is not full. A NaN in `x` (an episode
    without an update has no loss) is left out of the windows it falls in.
    """
    x = np.asarray(x, float)
    means = np.full(x.shape, np.nan)
    if x.size < window:
        return means
    windows = np.lib.stride_tricks.sliding_window_view(x, window)  # [E - window + 1, window]
    known = ~np.isnan(windows)
    count, total = known.sum(-1), np.where(known, windows, 0.0).sum(-1)
    np.divide(total, count, out=means[window - 1 :], where=count > 0)
    return means


def quartiles(curves: Sequence[NDArray[np.float64]], fewest: int = 1) -> NDArray[np.float64]:
    """Position from 1, lower quartile, median and upper quartile over curves, [4, positions].

    As far as half of the curves go, and `fewest` of them; NaN counts as an end. Of no position
    where none goes so far.
    """
    table = np.full((len(curves), max(map(len, curves), default=0)), np.nan)
    for row, curve in zip(table, curves, strict=True):
        row[: len(curve)] = curve
    enough = np.isfinite(table).sum(0) >= max(fewest, len(curves) / 2)
    if not enough.any():
        return np.empty((4, 0))
    low, middle, high = np.nanquantile(table[:, enough], [0.25, 0.5, 0.75], axis=0)
    return np.array([np.flatnonzero(enough) + 1, low, middle, high], float)


def iqm(x: ArrayLike) -> NDArray[np.float64]:
    """Interquartile mean over the last axis, [..., N] → [...] (Agarwal et al. 2021, section 4.3).

    The mean without the lowest and the highest quarter, rounded down to whole entries as
    `scipy.stats.trim_mean(x, 0.25)` does: of 3 or fewer it is the mean. NaN of none and of any NaN.
    An infinite entry counts by its rank: it matters only where more than a quarter are.
    """
    x = np.sort(np.asarray(x, float), -1)
    n = x.shape[-1]
    if n == 0:
        return np.full(x.shape[:-1], np.nan)
    cut = n // 4
    means = x[..., cut : n - cut].mean(-1)
    return np.where(np.isnan(x[..., -1]), np.nan, means)  # NaN sorts last: it must not be trimmed


def mean(x: ArrayLike) -> NDArray[np.float64]:
    """Mean over the last axis, [..., N] → [...]; NaN of none."""
    x = np.asarray(x, float)
    return x.mean(-1) if x.shape[-1] else np.full(x.shape[:-1], np.nan)


def median(x: ArrayLike) -> NDArray[np.float64]:
    """Median over the last axis, [..., N] → [...]; NaN of none."""
    x = np.asarray(x, float)
    return np.median(x, -1) if x.shape[-1] else np.full(x.shape[:-1], np.nan)


Statistic = Callable[[ArrayLike], NDArray[np.float64]]
"""[..., N] → [...]."""

STATISTICS: dict[str, Statistic] = {"iqm": iqm, "mean": mean, "median": median}
"""What many seeds may be told by, each by its name in a configuration."""


def interval(
    x: ArrayLike,
    statistic: Statistic = iqm,
    level: float = 0.95,
    resamples: int = 2001,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the percentile bootstrap interval of `statistic` over the last axis of `x` [..., N].

    Efron & Tibshirani (1993), "An Introduction to the Bootstrap", section 13.3; Agarwal et al.
    (2021), section 4.1. `statistic` maps [..., N] → [...] and must not depend on the order of its
    entries. The generator is fixed: the interval is a function of the values, in any order.

    Of fewer than two values it is (NaN, NaN), one training says nothing about the next; of equal
    values both ends are that value; an infinite value is ranked, not averaged away; NaN gives NaN.

    2001 resamples place an end to about 0.06 standard errors, and keep a table of a thousand trials
    to seconds; ask for more where one interval is the answer.

    Of a 95 % interval of the IQM, the share that covered the truth in 1,000 simulations of normal,
    skewed and bimodal returns: 0.94 to 0.96 with 50 seeds, 0.92 to 0.95 with 10, 0.89 to 0.91 with
    5, 0.74 with 3. Bias correction (BCa) covered no more, and is not defined for equal values. Of
    the mean, in 600 of normal and skewed ones: 0.93 to 0.94 with 50 seeds, 0.88 to 0.89 with 10.
    """
    x = np.sort(np.asarray(x, float), -1)
    if x.shape[-1] < 2:
        return np.full(x.shape[:-1], np.nan), np.full(x.shape[:-1], np.nan)
    picks = _picks(x.shape[-1], resamples)
    estimates = _iqms(x, picks) if statistic is iqm else statistic(np.take(x, picks, -1))
    estimates.sort(-1)  # [..., resamples]
    tail = (1.0 - level) / 2.0
    # Order statistics, never between two: that keeps an infinite end infinite instead of NaN.
    ends = np.quantile(np.arange(resamples), [tail, 1.0 - tail], method="inverted_cdf")
    low, high = (np.where(np.isnan(x[..., -1]), np.nan, estimates[..., end]) for end in ends)
    return low, high


def _iqms(x: NDArray[np.float64], picks: NDArray[np.int64]) -> NDArray[np.float64]:
    """The IQM of each resample `picks` [resamples, N] of sorted values [..., N].

    A resample is in order already: its middle is all that is needed. It is added up one entry of
    all resamples after the other: 3 times as fast as along each, and with the same bits for one row
    as for many.
    """
    n = x.shape[-1]
    middle = picks[:, n // 4 : n - n // 4].T
    total = np.take(x, middle[0], -1)
    for picked in middle[1:]:
        total += np.take(x, picked, -1)
    return total / len(middle)


@lru_cache(maxsize=8)
def _picks(n: int, resamples: int) -> NDArray[np.int64]:
    """Which of `n` sorted values each resample holds; sorted too, as `x` is."""
    return np.sort(np.random.default_rng(0).integers(0, n, (resamples, n)), -1)
