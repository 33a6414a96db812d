"""The figures of a comparison: learning curves and performance profiles, with intervals."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dqn.plotting.training_figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    VERMILLION,
    figure_and_axes,
    finish,
)
from dqn.runtime.errors import UserError
from dqn.statistics.comparison import performance_profile, profile_interval
from dqn.statistics.metrics import METRICS
from dqn.storage.trials import counted
from sweeps.analysis.candidates import Candidate
from sweeps.analysis.learning_curves import Curve, curve, over_steps

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, BLACK)
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 2, 1, 2)))
_MARKS = 101  # points of a profile


def draw(folder: Path, them: Sequence[Candidate], metric: str) -> list[Path]:
    """Draw both into `folder` and give their paths; `UserError` where it cannot be written."""
    steps = over_steps(them)
    curves = [curve(one, steps) for one in them]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / "learning_curves.png", folder / "performance_profiles.png"]
        _draw_curves(paths[0], them, curves, steps)
        _draw_profiles(paths[1], them, metric)
    except OSError as error:
        raise UserError(
            f"--out must be a folder that can be written to, got {folder} "
            f"({error.strerror or error}); name another"
        ) from error
    return paths


def _draw_curves(
    path: Path, them: Sequence[Candidate], curves: Sequence[Curve], steps: bool
) -> None:
    figure, axes = figure_and_axes()
    drawn = np.concatenate([ends for one in curves for ends in (one.middle, one.low)])
    floor = drawn[np.isfinite(drawn)].min(initial=0.0)
    for place, (name, one) in enumerate(zip((one.name for one in them), curves, strict=True)):
        colour, dash = _style(place)
        middle = np.where(np.isfinite(one.middle), one.middle, np.nan)
        axes.plot(one.x, middle, color=colour, ls=dash, lw=2, label=name)
        band = np.isfinite(middle) & ~np.isnan(one.low)
        axes.fill_between(one.x, np.maximum(one.low, floor), one.high, where=list(band),
                          color=colour, alpha=0.2, lw=0)  # fmt: skip
    axes.set_xlabel("environment steps" if steps else "episode")
    axes.set_ylabel("return (sum of rewards)")
    rules = list(dict.fromkeys(rule for one in curves for rule in one.rules))
    if rules:
        axes.text(0.0, -0.16, "; ".join(rules), transform=axes.transAxes, fontsize=8, color=GREY)
    finish(figure, axes, path, "Returns, mean of 10 episodes · IQM of seeds, 95 % interval")


def _draw_profiles(path: Path, them: Sequence[Candidate], metric: str) -> None:
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
    axes.set_xlabel(METRICS[metric].title)
    axes.set_ylabel("share of seeds above")
    axes.set_ylim(-0.02, 1.02)
    finish(figure, axes, path, "Performance profiles · 95 % interval", from_zero=False)


def _style(place: int):
    return _COLOURS[place % len(_COLOURS)], _DASHES[place % len(_DASHES)]
