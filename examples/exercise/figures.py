"""What runs say to the questions of the exercise, and the figures of its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dqn.config import EnvConfig
from dqn.envs.registry_errors import known_registration
from dqn.plotting.plot import Axis, Band, Line, Plot
from dqn.plotting.png import write_panels, write_png
from dqn.plotting.style import BLACK, BLUE, VERMILLION, of_series
from dqn.plotting.training_figures import STEP_REWARD
from dqn.statistics.formatting import format_setting
from dqn.statistics.learning_curves import quartiles, smoothed
from dqn.statistics.metrics import METRICS, WINDOW, interval, median
from examples.exercise.influence import METRIC, TITLE, Level, seeds_of
from sweeps.analysis.candidates import Candidate

WIDTH_OF_TITLE = 5.4
"""Inches that the title of `draw_influence` needs."""


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


def episodes_of(run: Candidate) -> pd.DataFrame:
    """Its rows of episodes.parquet, in order of seed and episode."""
    return run.results.episodes(run.trial).sort_values(["seed", "episode"])


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


def realised(run: Candidate, episodes: pd.DataFrame) -> NDArray[np.float64] | None:
    """The discounted sum of scaled rewards that followed, mean over each episode's steps [E].

    An episode that fails after T steps of reward r leaves r (1 - γⁿ) / (1 - γ) with n = T ... 1
    steps to go; one that runs into the time limit counts as going on for ever, r / (1 - γ), where
    time-outs bootstrap. What follows a state under the policy of the moment, exploration included:
    what a Q-value of the chosen action estimates. None where no such reward is known.
    """
    config = run.config
    limit = _time_limit(config.env)
    if STEP_REWARD.get(config.env.id) != 1.0 or limit is None or config.gamma == 1.0:
        return None
    endless = config.reward_scale / (1.0 - config.gamma)
    length = episodes["length"].to_numpy(float)
    left = config.gamma * (1.0 - config.gamma**length) / ((1.0 - config.gamma) * length)
    value = endless * (1.0 - left)  # mean over n of 1 - γⁿ
    timed_out = (length >= limit) & (not config.timeout_terminal)
    return np.where(timed_out, endless, value)


def _time_limit(env: EnvConfig) -> int | None:
    """Steps after which an episode is cut; None: no such limit, or none that is known here."""
    if env.max_episode_steps is not None:
        return env.max_episode_steps
    return getattr(known_registration(env.id), "max_episode_steps", None)


def draw_losses(path: Path, runs: Sequence[Candidate]) -> None:
    """Loss by episode, median and middle half of seeds, on a logarithmic scale."""
    marks: list[Any] = []
    positive = False
    for place, run in enumerate(runs):
        style: Any = of_series(place) | {"mark": ""}
        episode, low, middle, high = _quartiles(episodes_of(run), "loss")
        positive |= bool(np.any(low > 0))  # or a logarithm has nothing to show
        marks += [Band(episode, low, high, colour=style["colour"]),
                  Line(episode, middle, run.name, **style)]  # fmt: skip
    title = f"Loss, mean of {WINDOW} episodes · median and middle half of seeds"
    loss = Axis("TD loss, in (scaled reward)²", log=positive)
    write_png(path, Plot(title, Axis("episode", whole=True, from_zero=True), loss, marks))


def draw_values(path: Path, runs: Sequence[Candidate]) -> None:
    """What the network says a state is worth, and what followed: a panel per candidate."""
    panels, drawn = [], "Q-values"
    for run in runs:
        frame = episodes_of(run)
        series = [("Q of the chosen action", "q", BLUE, "solid")]
        if (followed := realised(run, frame)) is not None:
            drawn = "Q-values and what followed"
            frame = frame.assign(followed=followed)
            series.append(("what followed", "followed", VERMILLION, "dash"))
        marks: list[Any] = []
        for name, column, colour, dash in series:
            episode, low, middle, high = _quartiles(frame, column)
            marks += [Band(episode, low, high, colour=colour),
                      Line(episode, middle, name, colour, dash=dash)]  # fmt: skip
        value = Axis("discounted sum of scaled rewards")
        panels.append(Plot(run.name, Axis("episode", whole=True), value, marks))
    title = f"{drawn}, mean of {WINDOW} episodes · median of seeds"
    write_panels(path, panels, title, len(panels), (3.2, 3.2))


def draw_influence(path: Path, hyperparameters: Mapping[str, Sequence[Level]]) -> None:
    """The metric by hyperparameter and value, with 95 % intervals; the base value is filled."""
    columns = min(4, len(hyperparameters))
    panels = []
    for name, levels in hyperparameters.items():
        marks = []
        for place, level in enumerate(levels):
            middle, low, high = _three(level, METRIC)
            colour, mark = (BLACK, "circle") if level.is_base else (BLUE, "circle-open")
            ends = [[middle - low], [high - middle]]
            marks.append(Line([place], [middle], "", colour, 0, mark=mark, y_error=ends))
        ticks = [(place, format_setting(level.value)) for place, level in enumerate(levels)]
        x = Axis(ticks=ticks, limits=(-0.5, len(levels) - 0.5))
        panels.append(Plot(name, x, Axis(TITLE), marks))
    title = f"IQM and 95 % interval of {seeds_of(hyperparameters)} · filled: the base"
    write_panels(path, panels, title, columns, (max(2.7, WIDTH_OF_TITLE / columns), 2.3))


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
