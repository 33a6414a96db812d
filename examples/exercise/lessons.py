"""What runs answer to the questions of the course's exercise, and the figures of its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from dqn.plotting.training_figures import BLACK, BLUE, GREEN, GREY, STEP_REWARD, VERMILLION, plain
from dqn.runtime.atomic_write import replacing
from dqn.statistics.formatting import format_setting
from dqn.statistics.learning_curves import quartiles, smoothed
from dqn.statistics.metrics import METRICS, WINDOW, interval, median
from examples.exercise.influence import METRIC, TITLE, Level, seeds_of
from sweeps.analysis.candidates import Candidate
from sweeps.analysis.tables import time_limit

COLOURS = (VERMILLION, BLUE, GREEN)
DASHES = ((0, (5, 2)), "-", (0, (1, 1.2)))
WIDTH_OF_TITLE = 5.4
"""Inches that the title of `draw_influence` needs."""
LETTERS_AN_INCH = 11
"""Of labels below a panel, beyond which they would touch."""


@dataclass(frozen=True)
class Growth:
    """How a quantity of each seed changed from its first `WINDOW` episodes that have it."""

    ratio: float
    """Last over first, median of seeds."""
    ends: tuple[float, float]
    """95 % interval of that median."""
    higher: int
    """Seeds whose last is higher than their first."""
    seeds: int


def episodes_of(one: Candidate) -> pd.DataFrame:
    """Its rows of episodes.parquet, in order of seed and episode."""
    return one.results.episodes(one.trial).sort_values(["seed", "episode"])


def growth(episodes: pd.DataFrame, column: str) -> Growth | None:
    """How `column` grew; None where no seed has two windows of it above 0."""
    pairs = []
    for _, group in episodes.groupby("seed")[column]:
        known = group.to_numpy(float)
        known = known[np.isfinite(known)]
        first, last = known[:WINDOW], known[-WINDOW:]
        if len(known) >= 2 * WINDOW and first.mean() > 0:
            pairs.append((first.mean(), last.mean()))
    if not pairs:
        return None
    first, last = np.array(pairs).T
    low, high = interval(last / first, median)
    return Growth(
        float(np.median(last / first)), (float(low), float(high)), int((last > first).sum()),
        len(pairs),
    )  # fmt: skip


def realised(one: Candidate, episodes: pd.DataFrame) -> NDArray[np.float64] | None:
    """The discounted sum of scaled rewards that followed, mean over each episode's steps [E].

    An episode that fails after T steps of reward r leaves r (1 - γⁿ) / (1 - γ) with n = T ... 1
    steps to go; one that runs into the time limit counts as going on for ever, r / (1 - γ), where
    time-outs bootstrap. What follows a state under the policy of the moment, exploration included:
    what a Q-value of the chosen action estimates. None where no such reward is known.
    """
    config = one.config
    limit = time_limit(config.env)
    if STEP_REWARD.get(config.env.id) != 1.0 or limit is None or config.gamma == 1.0:
        return None
    endless = config.reward_scale / (1.0 - config.gamma)
    length = episodes["length"].to_numpy(float)
    left = config.gamma * (1.0 - config.gamma**length) / ((1.0 - config.gamma) * length)
    value = endless * (1.0 - left)  # mean over n of 1 - γⁿ
    timed_out = (length >= limit) & (not config.timeout_terminal)
    return np.where(timed_out, endless, value)


def draw_losses(path: Path, them: Sequence[Candidate]) -> None:
    """Loss by episode, median and middle half of seeds, on a logarithmic scale."""
    figure, axes = _panels(1)
    positive = False
    for place, one in enumerate(them):
        episode, low, median, high = _quartiles(episodes_of(one), "loss")
        positive |= bool(np.any(low > 0))
        axes[0].fill_between(episode, low, high, color=COLOURS[place], alpha=0.2, lw=0)
        axes[0].plot(episode, median, color=COLOURS[place], ls=DASHES[place], lw=2, label=one.name)
    if positive:  # or nothing was learnt from, and a logarithm has nothing to show
        axes[0].set_yscale("log")
    axes[0].set(xlabel="episode", ylabel="TD loss, in (scaled reward)²")
    _save(figure, path, f"Loss, mean of {WINDOW} episodes · median and middle half of seeds")


def draw_values(path: Path, them: Sequence[Candidate]) -> None:
    """What the network says a state is worth, and what followed: a panel a candidate."""
    figure, axes = _panels(len(them))
    drawn = "Q-values"
    for place, (one, panel) in enumerate(zip(them, axes, strict=True)):
        frame = episodes_of(one)
        values = [("Q of the chosen action", "q", BLUE, "-")]
        if (followed := realised(one, frame)) is not None:
            drawn = "Q-values and what followed"
            frame = frame.assign(followed=followed)
            values.append(("what followed", "followed", VERMILLION, "--"))
        for name, column, colour, dash in values:
            episode, low, median, high = _quartiles(frame, column)
            panel.fill_between(episode, low, high, color=colour, alpha=0.2, lw=0)
            panel.plot(episode, median, color=colour, ls=dash, lw=2, label=None if place else name)
        panel.set_title(one.name, loc="left", fontsize=10)
        panel.set_xlabel("episode")
    axes[0].set_ylabel("discounted sum of scaled rewards")
    _save(figure, path, f"{drawn}, mean of {WINDOW} episodes · median of seeds")


def draw_influence(path: Path, hyperparameters: Mapping[str, Sequence[Level]]) -> None:
    """The metric by hyperparameter and value, with 95 % intervals; the base value is filled."""
    columns = min(4, len(hyperparameters))
    rows = -(-len(hyperparameters) // columns)
    wide = max(2.7, WIDTH_OF_TITLE / columns)
    figure = Figure(figsize=(wide * columns, 2.3 * rows + 0.6), dpi=130, layout="constrained")
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for panel, (name, levels) in zip(axes.flat, hyperparameters.items(), strict=False):
        _style(panel)
        places = np.arange(len(levels))
        for place, level in zip(places, levels, strict=True):
            middle, low, high = _three(level, METRIC)
            colour = BLACK if level.is_base else BLUE
            panel.plot([place, place], [low, high], color=colour, lw=2, solid_capstyle="round")
            face = colour if level.is_base else "white"
            panel.plot(place, middle, "o", color=colour, mfc=face, ms=6)
        labels = [format_setting(level.value) for level in levels]
        dense = sum(map(len, labels)) > LETTERS_AN_INCH * wide
        slant = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if dense else {}
        panel.set_xticks(places, labels, fontsize=7.5, **slant)
        panel.xaxis.set_minor_locator(NullLocator())
        panel.margins(x=0.15)
        panel.set_title(name, loc="left", fontsize=10)
    for panel in axes.flat[len(hyperparameters) :]:
        panel.set_visible(False)
    for row in axes:
        row[0].set_ylabel(TITLE)
    _save(figure, path, f"IQM and 95 % interval of {seeds_of(hyperparameters)} · filled: the base")


def _quartiles(frame: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Episode, lower quartile, median and upper quartile over seeds of the running mean.

    As far as half of the seeds go.
    """
    return quartiles([smoothed(group) for _, group in frame.groupby("seed")[column]])


def _three(level: Level, metric: str) -> tuple[float, ...]:
    """IQM and ends; where there is no finite one, the worst that a training can count as."""
    cells = (level.summary[metric + end] for end in ("", "_low", "_high"))
    worst = METRICS[metric].lost if np.isfinite(METRICS[metric].lost) else np.nan
    return tuple(worst if cell is None else float(cell) for cell in cells)


def _panels(count: int):
    figure = Figure(
        figsize=(7.2 if count == 1 else 3.2 * count, 3.8), dpi=130, layout="constrained"
    )
    axes = list(figure.subplots(1, count, squeeze=False)[0])
    for panel in axes:
        _style(panel)
    return figure, axes


def _style(panel) -> None:
    plain(panel)
    panel.tick_params(colors=GREY, labelcolor=BLACK)


def _save(figure: Figure, path: Path, title: str) -> None:
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower left", ncols=4, frameon=False, fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None})
