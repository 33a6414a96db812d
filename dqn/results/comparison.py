"""What two samples of trainings say of one another, and what one says against a mark: pure NumPy.

Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice",
sections 4.1 to 4.3. One task is compared at a time, so their strata are the two samples here: each
is resampled within itself, or both alike where they are paired (the same seeds, in the same order).
Higher is better in all of it; negate what is not. An infinite value is ranked, as in `stats`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dqn.results.stats import interval, iqm

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""[..., N] → [...]."""


def mean(x: ArrayLike) -> NDArray[np.float64]:
    """Mean over the last axis, [..., N] → [...]; NaN of none."""
    x = np.asarray(x, float)
    return x.mean(-1) if x.shape[-1] else np.full(x.shape[:-1], np.nan)


def median(x: ArrayLike) -> NDArray[np.float64]:
    """Median over the last axis, [..., N] → [...]; NaN of none."""
    x = np.asarray(x, float)
    return np.median(x, -1) if x.shape[-1] else np.full(x.shape[:-1], np.nan)


def optimality_gap(x: ArrayLike, mark: float) -> NDArray[np.float64]:
    """By how much `x` [..., N] falls short of `mark` on average, what is above it counting as it.

    Agarwal et al. (2021), section 4.3; 0 where all reach the mark, in the unit of `x`.
    """
    return mean(np.maximum(mark - np.asarray(x, float), 0.0))


def performance_profile(x: ArrayLike, marks: ArrayLike) -> NDArray[np.float64]:
    """Share of the trainings `x` [N] that are above each of the `marks` [K]; [K], falling.

    Agarwal et al. (2021), equation 1. NaN of none.
    """
    return mean(_above(x, marks))


def profile_interval(
    x: ArrayLike, marks: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends [K] of the interval of `performance_profile` at each mark alone: `stats.interval`."""
    return interval(_above(x, marks), mean, level)


def improvement(x: ArrayLike, y: ArrayLike) -> float:
    """P(X > Y) + ½ P(X = Y) of a training of `x` [N] and one of `y` [M], over all N M pairs.

    The probability of improvement of Agarwal et al. (2021), section 4.3: Mann & Whitney's (1947) U
    over N M. NaN where either has none. Pairing does not change it, only its interval.
    """
    wins = _wins(x, y)
    return float(wins.mean()) if wins.size else np.nan


def improvement_interval(
    x: ArrayLike,
    y: ArrayLike,
    paired: bool = False,
    level: float = 0.95,
    resamples: int = 2001,
) -> tuple[float, float]:
    """Ends of the percentile bootstrap interval of `improvement`; `paired` needs N = M.

    (NaN, NaN) where either has fewer than two. Raises `ValueError` for a pair of unlike length.

    Of a 95 % interval, the share that covered the truth in 1,000 simulations of normal samples, as
    many in either, paired and not, by where the truth lies: at 0.5 0.93 to 0.95 with 10 seeds and
    0.94 with 50; at 0.76 0.92 to 0.93, and 0.93 to 0.94; at 0.96 only 0.73 to 0.74, and 0.90 to
    0.92: samples that do not overlap leave it no width. One that ends at 0 or 1 is too short.
    """
    wins = _wins(x, y)
    if min(wins.shape) < 2:
        return np.nan, np.nan
    counts_x, counts_y = _counts(len(wins), wins.shape[1], paired, resamples)
    return _ends((counts_x @ wins * counts_y).sum(-1) / wins.size, level)


def difference_interval(
    x: ArrayLike,
    y: ArrayLike,
    paired: bool = False,
    statistic: Statistic = iqm,
    level: float = 0.95,
    resamples: int = 2001,
) -> tuple[float, float]:
    """Ends of the percentile bootstrap interval of `statistic(x)` - `statistic(y)`; x [N], y [M].

    (NaN, NaN) where either has fewer than two, and where both statistics are infinite in a
    resample: no difference of those is known. Raises `ValueError` as `improvement_interval`.

    Of a 95 % interval of the IQM's difference 0.94 to 0.95 covered the truth with 10 seeds
    and with 50, in the simulations told of there.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if min(x.size, y.size) < 2:
        return np.nan, np.nan
    picks_x, picks_y = _picks(x.size, y.size, paired, resamples)
    with np.errstate(invalid="ignore"):
        return _ends(statistic(x[picks_x]) - statistic(y[picks_y]), level)


def _above(x: ArrayLike, marks: ArrayLike) -> NDArray[np.float64]:
    return (np.asarray(x, float) > np.asarray(marks, float)[:, None]).astype(float)  # [K, N]


def _wins(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    x, y = np.asarray(x, float)[:, None], np.asarray(y, float)
    wins = (x > y) + 0.5 * (x == y)
    return np.where(np.isnan(x) | np.isnan(y), np.nan, wins)  # [N, M]


def _picks(
    n: int, m: int, paired: bool, resamples: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which entries each resample holds, [resamples, n] and [resamples, m]; a fixed generator."""
    rng = np.random.default_rng(0)
    of_x = rng.integers(0, n, (resamples, n))
    if not paired:
        return of_x, rng.integers(0, m, (resamples, m))
    if n != m:
        raise ValueError(f"paired samples must be of one length, are of {n} and {m}")
    return of_x, of_x


def _counts(
    n: int, m: int, paired: bool, resamples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each resample holds each entry, [resamples, n] and [resamples, m]."""
    of_x, of_y = _picks(n, m, paired, resamples)
    row = np.arange(resamples)[:, None]
    counts = np.zeros((resamples, n)), np.zeros((resamples, m))
    for count, picks in zip(counts, (of_x, of_y), strict=True):
        np.add.at(count, (row, picks), 1.0)
    return counts


def _ends(estimates: NDArray[np.float64], level: float) -> tuple[float, float]:
    # Order statistics, as in `stats.interval`: an infinite end stays infinite.
    if np.isnan(estimates).any():
        return np.nan, np.nan
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(estimates, [tail, 1.0 - tail], method="inverted_cdf")
    return float(low), float(high)
