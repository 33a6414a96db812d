"""The figures of a comparison: learning curves and performance profiles, with intervals."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dqn.errors import UserError
from dqn.results.comparison import performance_profile, profile_interval
from dqn.results.figures import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILLION, figure_and_axes, finish
from dqn.results.stats import interval, iqm, running_mean
from dqn.results.trials import counted
from sweeps.contenders import TITLES, Contender

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, BLACK)
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 2, 1, 2)))
_MARKS = 101  # points of a profile


def draw(folder: Path, them: Sequence[Contender], metric: str) -> list[Path]:
    """Draw both into `folder` and give their paths; `UserError` where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / "learning_curves.png", folder / "performance_profiles.png"]
        _draw_curves(paths[0], them)
        _draw_profiles(paths[1], them, metric)
    except OSError as error:
        raise UserError(
            f"--out must be a folder that can be written to, met {folder} "
            f"({error.strerror or error}); name another"
        ) from error
    return paths


def _draw_curves(path: Path, them: Sequence[Contender]) -> None:
    figure, axes = figure_and_axes()
    for place, one in enumerate(them):
        curves = _curves(one)  # [seeds, episodes]
        enough = np.isfinite(curves).all(0)
        episode, values = np.flatnonzero(enough) + 1, curves[:, enough].T
        colour, dash = _style(place)
        axes.plot(episode, iqm(values), color=colour, ls=dash, lw=2, label=one.name)
        if len(curves) > 1 and enough.any():
            low, high = interval(values, resamples=501)
            axes.fill_between(episode, low, high, color=colour, alpha=0.2, lw=0)
    axes.set_xlabel("episode")
    axes.set_ylabel("return (sum of rewards)")
    finish(figure, axes, path, "Returns, mean of 10 episodes · IQM of seeds, 95 % interval")


def _draw_profiles(path: Path, them: Sequence[Contender], metric: str) -> None:
    figure, axes = figure_and_axes()
    samples = [np.array(counted(metric, one.rows)) for one in them]
    known = np.concatenate([sample[np.isfinite(sample)] for sample in samples])
    if known.size:
        marks = np.linspace(min(0.0, known.min()), known.max(), _MARKS)
        for place, (one, sample) in enumerate(zip(them, samples, strict=True)):
            colour, dash = _style(place)
            share = performance_profile(sample, marks)
            axes.step(marks, share, color=colour, ls=dash, lw=2, label=one.name, where="post")
            low, high = profile_interval(sample, marks)
            axes.fill_between(marks, low, high, color=colour, alpha=0.2, lw=0, step="post")
    axes.set_xlabel(TITLES[metric])
    axes.set_ylabel("share of seeds above")
    axes.set_ylim(-0.02, 1.02)
    finish(figure, axes, path, "Performance profiles · 95 % interval", from_zero=False)


def _curves(one: Contender) -> NDArray[np.float64]:
    """Running means [seeds, episodes] of the trial's returns; NaN after a training's end."""
    frame = pd.read_parquet(
        one.results.path / "episodes.parquet",
        columns=["seed", "episode", "return"],
        filters=[("trial", "==", one.trial)],
    ).sort_values(["seed", "episode"])
    seeds = {row["seed"] for row in one.rows}
    curves = [
        running_mean(group.to_numpy(float))
        for seed, group in frame.groupby("seed")["return"]
        if seed in seeds
    ]
    table = np.full((len(curves), max(map(len, curves), default=0)), np.nan)
    for row, curve in zip(table, curves, strict=True):
        row[: len(curve)] = curve
    return table


def _style(place: int):
    return _COLOURS[place % len(_COLOURS)], _DASHES[place % len(_DASHES)]
