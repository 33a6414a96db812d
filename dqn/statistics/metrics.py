"""What one training amounts to, and what many seeds of it say together: pure NumPy.

A training's metrics are those of the design page's contract. Over seeds a metric becomes its
interquartile mean with a bootstrap interval, as Agarwal et al. (2021), "Deep Reinforcement Learning
at the Edge of the Statistical Precipice", section 4, recommend for a handful of runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

WINDOW = 10  # episodes in a running mean


@dataclass(frozen=True, slots=True)
class TrainingEpisodes:
    """One training, as its metrics see it: E episodes, one at least, and its test."""

    returns: NDArray[np.float64]
    """[E], raw sums of rewards."""
    lengths: NDArray[np.float64]
    """[E], in steps."""
    running: NDArray[np.float64]
    """[E], mean returns of 10 episodes; of fewer than 10 episodes one window has them all."""
    threshold: float | None
    """The return that counts as solved, where the environment has one."""
    test_returns: NDArray[np.float64]
    """Of the greedy episodes after training, if there were any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number of a training: all that tables, studies and reports know of it."""

    name: str
    """Of its column in seeds.csv; trials.csv has its IQM, with NAME_low and NAME_high."""
    title: str
    """Heads its column in a table."""
    meaning: str
    """What it is, to stand behind the title."""
    of: Callable[[TrainingEpisodes], float | None]
    """Its value; None where there is none."""
    lower_is_better: bool = False
    lost: float = -np.inf
    """What a training that failed before it could earn one counts as: worse than every other."""
    digits: int = 1
    """Decimals that mean something."""
    is_episode: bool = False
    """Whether it is the number of an episode: whole, and blank where that never came, which counts
    as later than every other."""
    of_test: bool = False
    """Whether it needs the test: blank where none was played, which counts as nothing."""
    is_objective: bool = True
    """Whether a study may search the best of it."""


def _solved_at(training: TrainingEpisodes) -> int | None:
    if training.threshold is None or training.returns.size < WINDOW:
        return None
    reached = training.running >= training.threshold  # NaN, before the first window, is not
    return int(np.argmax(reached)) + 1 if reached.any() else None


def _collapse(training: TrainingEpisodes) -> float:
    """1 - (final - low) / (best - low), wherever the lowest return is; 0 where none differs."""
    best, low = np.nanmax(training.running), training.returns.min()
    return 1.0 - (training.running[-1] - low) / (best - low) if best > low else 0.0


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="mean_return",
            title="mean return",
            meaning="over all training episodes",
            of=lambda training: training.returns.mean(),
        ),
        Metric(
            name="best_return",
            title="best 10",
            meaning="the best mean of ten episodes in a row",
            of=lambda training: np.nanmax(training.running),
        ),
        Metric(
            name="final_return",
            title="last 10",
            meaning="the mean of the last ten",
            of=lambda training: training.running[-1],
        ),
        Metric(
            name="test_return",
            title="test",
            meaning="the mean of greedy episodes after training",
            of=lambda training: training.test_returns.mean(),
            of_test=True,
        ),
        Metric(
            name="solved_at",
            title="solved at",
            meaning="the first episode at which the mean of ten reaches the environment's "
            "threshold",
            of=_solved_at,
            lower_is_better=True,
            lost=np.inf,
            is_episode=True,
        ),
        Metric(
            name="collapse",
            title="collapse",
            meaning="the share of the best that was lost by the end; of a training that hardly "
            "learned, which had little to lose, it says little",
            of=_collapse,
            lower_is_better=True,
            lost=1.0,
            digits=2,
            is_objective=False,
        ),
        Metric(
            name="auc",
            title="AUC",
            meaning="the return of an episode, averaged over environment steps: the area under the "
            "learning curve over steps, divided by its width",
            of=lambda training: np.dot(training.returns, training.lengths) / training.lengths.sum(),
        ),
    )
}
"""By name, in the order of their columns."""

Metrics = dict[str, int | float | None]
"""A training's metrics by name; None where it has none."""


def metrics_of(
    returns: ArrayLike,
    lengths: ArrayLike,
    threshold: float | None = None,
    test_returns: ArrayLike = (),
) -> Metrics:
    """All metrics of one training from its episodes' `returns` and `lengths` [E], and its test.

    With fewer than 10 episodes the one window is what there is: best and final are the mean,
    nothing is solved, nothing has collapsed. With no episode at all there is no metric but the
    test's.
    """
    returns = np.asarray(returns, float)
    running = running_mean(returns, min(WINDOW, max(1, returns.size)))
    test = np.asarray(test_returns, float)
    training = TrainingEpisodes(returns, np.asarray(lengths, float), running, threshold, test)
    found: Metrics = {}
    for name, metric in METRICS.items():
        value = metric.of(training) if (test if metric.of_test else returns).size else None
        found[name] = value if value is None or metric.is_episode else float(value)
    return found


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
"""What many seeds may be summarised by, each by its name in a configuration."""


def interval(
    x: ArrayLike, statistic: Statistic = iqm, resamples: int = 2001
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the 95 % percentile bootstrap interval of `statistic` over the last axis, [..., N].

    Efron & Tibshirani (1993), "An Introduction to the Bootstrap", section 13.3; Agarwal et al.
    (2021), section 4.1. `statistic` maps [..., N] → [...] and must not depend on the order of its
    entries. The generator is fixed: the interval is a function of the values, in any order.

    Of fewer than two values it is (NaN, NaN); of equal values both ends are that value; an infinite
    value is ranked, not averaged away; NaN gives NaN.

    2001 resamples place an end to about 0.06 standard errors; a table of a thousand trials takes
    seconds. Of the IQM it covered the truth 94 to 96 times in 100 with 50 seeds, 92 to 95 with 10,
    about 90 with 5, 74 with 3, in simulations of normal, skewed and bimodal returns; of the mean 93
    or 94 with 50, 88 or 89 with 10. Bias correction (BCa) covered no more.
    """
    x = np.sort(np.asarray(x, float), -1)
    if x.shape[-1] < 2:
        return np.full(x.shape[:-1], np.nan), np.full(x.shape[:-1], np.nan)
    picks = _picks(x.shape[-1], resamples)
    estimates = _iqms(x, picks) if statistic is iqm else statistic(np.take(x, picks, -1))
    estimates.sort(-1)  # [..., resamples]
    ends = (estimates[..., end] for end in ends_of(resamples))
    low, high = (np.where(np.isnan(x[..., -1]), np.nan, end) for end in ends)
    return low, high


def ends_of(resamples: int) -> NDArray[np.int64]:
    """The places of the ends of a 95 % interval among sorted estimates.

    Never between two of them: that keeps an infinite end infinite instead of NaN.
    """
    ends = np.quantile(np.arange(resamples), [0.025, 0.975], method="inverted_cdf")
    return ends.astype(np.int64)


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
