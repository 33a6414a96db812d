"""The three figures of a run: returns, losses, and Q-values along a greedy episode.

Drawn on `Figure` objects, never through pyplot, so nothing global changes and nothing needs a
screen. Colours are Okabe & Ito's (2008), told apart without colour vision; what matters also
differs by width, dash or marker, so that it survives print.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from dqn.runtime.atomic_write import replacing
from dqn.statistics.learning_curves import quartiles, smoothed
from dqn.statistics.metrics import WINDOW
from dqn.storage.layout import MADE_BY

BLUE, SKY, ORANGE, VERMILLION, GREEN, BLACK = (
    "#0072B2",
    "#56B4E9",
    "#E69F00",
    "#D55E00",
    "#009E73",
    "#000000",
)
GREY = "#666666"

# What one step pays in a task that always pays the same, up to the step that ends it.
STEP_REWARD = {"CartPole-v0": 1.0, "CartPole-v1": 1.0, "Acrobot-v1": -1.0, "MountainCar-v0": -1.0}


def draw_returns(
    path: Path, episodes: pd.DataFrame, seeds: pd.DataFrame, threshold: float | None = None
) -> None:
    """Running mean of each training's returns, their median and interquartile band, to `path`.

    `episodes` and `seeds` are rows of episodes.parquet and seeds.csv, of one trial or of several;
    `threshold` is the return that counts as solved.
    """
    figure, axes = figure_and_axes()
    raw = _curves(episodes, "return")
    curves, smoothing = _smooth(raw)
    if len(raw) == 1:
        (returns,) = raw.values()
        axes.plot(_numbers(returns), returns, ".", color=GREY, ms=4, alpha=0.6, label="one episode")
    _draw_curves(axes, curves, seeds)
    if threshold is not None:
        axes.axhline(
            threshold, color=BLACK, lw=1, ls=(0, (5, 3)), label=f"solved at {threshold:g}", zorder=1
        )
    axes.set_xlabel("episode")
    axes.set_ylabel("return (sum of rewards)")
    finish(figure, axes, path, f"Returns{smoothing} · {_described(seeds)}")


def draw_losses(path: Path, episodes: pd.DataFrame, seeds: pd.DataFrame) -> None:
    """Running mean of each training's loss, on a logarithmic scale, median and band, to `path`.

    A loss of 0 has no place on that scale and is left out.
    """
    figure, axes = figure_and_axes()
    curves, smoothing = _smooth(_curves(episodes, "loss"))
    curves = {key: np.where(curve > 0, curve, np.nan) for key, curve in curves.items()}
    drawn = np.concatenate([*curves.values(), np.empty(0)])
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size:
        _use_log_scale(axes, decades=float(np.log10(drawn.max() / drawn.min())))
        _draw_curves(axes, curves, seeds)
    else:
        axes.text(0.5, 0.5, "no loss above 0", transform=axes.transAxes, ha="center", color=GREY)
    axes.set_xlabel("episode")
    axes.set_ylabel("TD loss per update (scaled reward²)")
    finish(figure, axes, path, f"Losses{smoothing} · {_described(seeds)}")


def draw_q_values(
    path: Path,
    q: ArrayLike,
    bounds: Mapping[str, ArrayLike] | None = None,
    title: str = "Q-values along one greedy episode",
) -> None:
    """Q-value of the chosen action at each step of an episode, `q` [T], to `path`.

    `bounds` are what no return can pass, by label: a number, or one for each step [T].
    """
    figure, axes = figure_and_axes()
    q = np.asarray(q, float)
    steps = np.arange(q.size)
    styles = ((0, (5, 3)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
    colours = (VERMILLION, BLACK, GREEN)
    for (label, bound), ls, colour in zip((bounds or {}).items(), styles, colours, strict=False):
        axes.plot(steps, np.broadcast_to(bound, q.shape), color=colour, lw=1.6, ls=ls, label=label)
    axes.plot(steps, q, color=BLUE, lw=1.8, label="network: Q of the chosen action")
    axes.axhline(0.0, color=BLACK, lw=0.8)
    axes.set_xlabel("step of the episode")
    axes.set_ylabel("Q-value (discounted sum of scaled rewards)")
    finish(figure, axes, path, title, legend_columns=1)


def q_bounds(
    env_id: str,
    length: int,
    *,
    gamma: float,
    reward_scale: float,
    timeout_terminal: bool,
    max_episode_steps: int,
) -> dict[str, ArrayLike]:
    """What the Q-values along an episode of `length` steps cannot pass, by label; [length].

    With the scaled reward r of every step, r (1 - γⁿ) / (1 - γ): the sum of a geometric series of
    n = T - t steps left where a time-out ends the return, of n = ∞ where it bootstraps. Empty where
    no such reward is known for `env_id`, or the series has no sum (γ = 1 without an end).
    """
    if env_id not in STEP_REWARD:
        return {}
    r = reward_scale * STEP_REWARD[env_id]
    side = "upper" if r > 0 else "lower"
    if timeout_terminal and max_episode_steps:
        left = max_episode_steps - np.arange(length)
        bound = r * (left if gamma == 1.0 else (1.0 - gamma**left) / (1.0 - gamma))
        return {f"{side} bound, time-out ends the return: r(1 − γⁿ)/(1 − γ), n steps left": bound}
    if gamma == 1.0:
        return {}
    return {f"{side} bound, time-out bootstraps: r/(1 − γ)": np.full(length, r / (1.0 - gamma))}


def figure_and_axes() -> tuple[Figure, Axes]:
    """An empty figure in the house's style."""
    figure = Figure(figsize=(7.2, 4.4), dpi=130, layout="constrained")
    axes = figure.subplots()
    plain(axes)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    return figure, axes


def plain(axes: Axes) -> None:
    """A light grid below what is drawn, and no frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)


def finish(
    figure: Figure,
    axes: Axes,
    path: Path,
    title: str,
    legend_columns: int = 4,
    from_zero: bool = True,
) -> None:
    """Add title and legend and write the figure to `path`, whole; x begins at 0 if `from_zero`."""
    axes.set_title(title, loc="left", fontsize=12)
    if from_zero:
        axes.set_xlim(left=0)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside lower left", ncols=legend_columns, frameon=False,
            fontsize=9,
        )  # fmt: skip
    with replacing(path) as temporary:
        figure.savefig(temporary, metadata={"Software": MADE_BY})


def _curves(episodes: pd.DataFrame, column: str) -> dict[tuple[int, int], NDArray[np.float64]]:
    """One column [E] of each training, by (trial, seed)."""
    curves = {}
    for (trial, seed), group in episodes.sort_values("episode").groupby(["trial", "seed"]):  # pyright: ignore[reportGeneralTypeIssues]
        curves[trial, seed] = group[column].to_numpy(float)
    return curves


def _smooth(
    curves: Mapping[tuple[int, int], NDArray[np.float64]],
) -> tuple[dict[tuple[int, int], NDArray[np.float64]], str]:
    """Running means, and the words for it; as they are where all are too short to make a line.

    A training that ended within its first window has one point, at its end.
    """
    if max(map(len, curves.values()), default=0) < 2 * WINDOW:
        return dict(curves), ""
    smooth = {key: smoothed(curve) for key, curve in curves.items()}
    return smooth, f", mean of {WINDOW} episodes"


def _numbers(curve: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.arange(1, len(curve) + 1)


def _draw_curves(
    axes: Axes, curves: Mapping[tuple[int, int], NDArray[np.float64]], seeds: pd.DataFrame
) -> None:
    """Each training thin; with two or more their median and the band between their quartiles.

    Median and band go as far as half the trainings do: further on they would be about the few that
    lasted. A diverged training ends in a cross.
    """
    many = len(curves) > 1
    for number, curve in enumerate(curves.values()):
        width, alpha = (0.8, max(0.25, 0.9 - 0.02 * len(curves))) if many else (1.8, 1.0)
        label = None if number else ("one seed" if many else "running mean")
        axes.plot(
            _numbers(curve), curve, color=SKY if many else BLUE, lw=width, alpha=alpha, label=label
        )
    if many:
        _draw_spread(axes, list(curves.values()))
    diverged = seeds[seeds["status"] == "diverged"]
    ends = [
        (np.flatnonzero(np.isfinite(curve))[-1] + 1, curve[np.isfinite(curve)][-1])
        for key in zip(diverged["trial"], diverged["seed"], strict=True)
        if np.isfinite(curve := curves.get(key, np.empty(0))).any()
    ]
    if len(diverged):
        x, y = np.reshape(ends, (-1, 2)).T
        axes.plot(
            x, y, "X", color=VERMILLION, mec="white", mew=0.8, ms=9, zorder=5,
            label=f"diverged ({len(diverged)})",
        )  # fmt: skip


def _draw_spread(axes: Axes, curves: Sequence[NDArray[np.float64]]) -> None:
    episode, low, median, high = quartiles(curves, fewest=2)
    if not len(episode):
        return
    axes.fill_between(
        episode, low, high, color=BLUE, alpha=0.22, lw=0, label="middle half of seeds", zorder=2
    )
    axes.plot(episode, median, color=BLUE, lw=2.4, label="median of seeds", zorder=3)


def _use_log_scale(axes: Axes, decades: float) -> None:
    """Labels are plain numbers, more than one a decade where few decades are shown."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _described(seeds: pd.DataFrame) -> str:
    count = f"{len(seeds)} seed{'' if len(seeds) == 1 else 's'}"
    return ", ".join([*map(str, seeds["env"].unique()), count])
