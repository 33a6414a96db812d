"""The three figures of a run: returns, losses, and Q-values along a greedy episode."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dqn.plotting.plot import Axis, Band, Level, Line, Note, Plot
from dqn.plotting.png import write_png
from dqn.plotting.style import BLACK, GREEN, GREY, SKY, VERMILLION
from dqn.statistics.formatting import count
from dqn.statistics.learning_curves import quartiles, smoothed
from dqn.statistics.metrics import WINDOW

Curves = Mapping[tuple[int, int], NDArray[np.float64]]
"""One number for each episode [E] of a training, by (trial, seed)."""

# What one step pays in a task that always pays the same, up to the step that ends it.
STEP_REWARD = {"CartPole-v0": 1.0, "CartPole-v1": 1.0, "Acrobot-v1": -1.0, "MountainCar-v0": -1.0}

_EPISODE = Axis("episode", whole=True, from_zero=True)


def draw_returns(
    path: Path, episodes: pd.DataFrame, seeds: pd.DataFrame, threshold: float | None = None
) -> None:
    """`returns_plot` to `path`."""
    write_png(path, returns_plot(episodes, seeds, threshold))


def returns_plot(
    episodes: pd.DataFrame, seeds: pd.DataFrame, threshold: float | None = None
) -> Plot:
    """Running mean of each training's returns, their median and interquartile band.

    `episodes` and `seeds` are rows of episodes.parquet and seeds.csv, of one trial or of several;
    `threshold` is the return that counts as solved.
    """
    raw, curves, title = _curves("Returns", episodes, seeds, "return")
    marks: list[Line | Band | Level] = [
        Line(np.arange(len(y)) + 1, y, "one episode", GREY, 0, mark="circle", size=3, opacity=0.6)
        for y in raw.values()
        if len(raw) == 1
    ]
    marks += _trainings(curves, seeds)
    if threshold is not None:
        marks.append(Level(threshold, f"solved at {threshold:g}"))
    return Plot(title, _EPISODE, Axis("return (sum of rewards)"), marks)


def draw_losses(path: Path, episodes: pd.DataFrame, seeds: pd.DataFrame) -> None:
    """`losses_plot` to `path`."""
    write_png(path, losses_plot(episodes, seeds))


def losses_plot(episodes: pd.DataFrame, seeds: pd.DataFrame) -> Plot:
    """Running mean of each training's loss, on a logarithmic scale, median and band.

    A loss of 0 has no place on that scale and is left out.
    """
    _, curves, title = _curves("Losses", episodes, seeds, "loss")
    curves = {key: np.where(curve > 0, curve, np.nan) for key, curve in curves.items()}
    some = any(np.isfinite(curve).any() for curve in curves.values())
    marks = _trainings(curves, seeds) if some else [Note(0.5, 0.5, "no loss above 0")]
    loss = Axis("TD loss per update (scaled reward²)", log=some)
    return Plot(title, _EPISODE, loss, marks)


_TITLE = "Q-values along one greedy episode"


def draw_q_values(
    path: Path,
    q: ArrayLike,
    bounds: Mapping[str, ArrayLike] | None = None,
    title: str = _TITLE,
) -> None:
    """`q_values_plot` to `path`."""
    write_png(path, q_values_plot(q, bounds, title))


def q_values_plot(
    q: ArrayLike, bounds: Mapping[str, ArrayLike] | None = None, title: str = _TITLE
) -> Plot:
    """Q-value of the chosen action at each step of an episode, `q` [T].

    `bounds` are what no return can pass, by label: a number, or one for each step [T].
    """
    q = np.asarray(q, float)
    steps = np.arange(q.size)
    styles = (VERMILLION, "dash"), (BLACK, "dot"), (GREEN, "dashdot")
    marks: list[Line | Level] = [
        Line(steps, np.broadcast_to(bound, q.shape), label, colour, 1.6, dash)
        for (label, bound), (colour, dash) in zip((bounds or {}).items(), styles, strict=False)
    ]
    marks += [Line(steps, q, "network: Q of the chosen action"), Level(0.0, dash="solid")]
    step = Axis("step of the episode", whole=True, from_zero=True)
    value = Axis("Q-value (discounted sum of scaled rewards)")
    return Plot(title, step, value, marks)


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


def _curves(
    what: str, episodes: pd.DataFrame, seeds: pd.DataFrame, column: str
) -> tuple[Curves, Curves, str]:
    """A number of each episode, its running mean, and a title: as it is where all are too short."""
    grouped = episodes.sort_values("episode").groupby(["trial", "seed"])[column]
    raw: Any = {key: curve.to_numpy(float) for key, curve in grouped}
    trained = ", ".join([*map(str, seeds["env"].unique()), count(len(seeds), "seed")])
    if max(map(len, raw.values()), default=0) < 2 * WINDOW:
        return raw, raw, f"{what} · {trained}"
    smooth = {key: smoothed(curve) for key, curve in raw.items()}
    return raw, smooth, f"{what}, mean of {WINDOW} episodes · {trained}"


def _trainings(curves: Curves, seeds: pd.DataFrame) -> list[Line | Band]:
    """Each training thin, a diverged one to a cross; of two or more their median and quartiles."""
    alone = len(curves) == 1
    pale = {"colour": SKY, "width": 0.8, "opacity": max(0.25, 0.9 - 0.02 * len(curves))}
    style: Any = {} if alone else pale
    names = iter(["running mean" if alone else "one seed"])
    marks: list[Line | Band] = [
        Line(np.arange(len(curve)) + 1, curve, next(names, ""), **style)
        for curve in curves.values()
    ]
    episode, low, median, high = quartiles(list(curves.values()), fewest=2)
    if len(episode):
        marks += [Band(episode, low, high, "middle half of seeds"),
                  Line(episode, median, "median of seeds", width=2.4)]  # fmt: skip
    diverged = seeds[seeds["status"] == "diverged"]
    ends = [
        (known[-1] + 1, curves[key][known[-1]])
        for key in zip(diverged["trial"], diverged["seed"], strict=True)
        if (known := np.flatnonzero(np.isfinite(curves.get(key, ())))).size
    ]
    if len(diverged):
        x, y = np.reshape(ends, (-1, 2)).T
        name = f"diverged ({len(diverged)})"
        marks.append(Line(x, y, name, VERMILLION, 0, mark="x", size=9))
    return marks
