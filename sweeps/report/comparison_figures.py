"""The figures of a comparison: learning curves and performance profiles, with intervals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dqn.plotting.plot import Axis, Band, Line, Plot
from dqn.plotting.png import write_png
from dqn.plotting.style import of_series
from dqn.runtime.errors import UserError
from dqn.statistics.comparison import performance_profile, profile_interval
from dqn.statistics.metrics import METRICS
from dqn.storage.trials import counted
from sweeps.analysis.candidates import Candidate
from sweeps.analysis.learning_curves import curve, over_steps, with_floor
from sweeps.report.figures import learning

_POINTS = 101  # of a profile


def draw(folder: Path, candidates: Sequence[Candidate], metric: str) -> list[Path]:
    """Draw both into `folder` and give their paths; `UserError` where it cannot be written."""
    plots = {
        "learning_curves.png": _curves(candidates),
        "performance_profiles.png": _profiles(candidates, metric),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, plot in plots.items():
            write_png(folder / name, plot)
    except OSError as error:
        raise UserError(
            f"--out must be a folder that can be written to, got {folder} "
            f"({error.strerror or error}); name another"
        ) from error
    return [folder / name for name in plots]


def _curves(candidates: Sequence[Candidate]) -> Plot:
    steps = over_steps(candidates)
    curves = {candidate.name: curve(candidate, steps) for candidate in candidates}
    frame = pd.concat(frame.assign(region=name) for name, (frame, _) in curves.items())
    footnote = "; ".join(dict.fromkeys(rule for _, rules in curves.values() for rule in rules))
    title = "Returns, mean of 10 episodes · IQM of seeds, 95 % interval"
    unit = "environment steps" if steps else "episode"
    return learning(title, with_floor(frame), unit, footnote=footnote)


def _profiles(candidates: Sequence[Candidate], metric: str) -> Plot:
    samples = {one.name: np.array(counted(metric, one.rows)) for one in candidates}
    known = np.concatenate([sample[np.isfinite(sample)] for sample in samples.values()])
    marks: list[Any] = []
    for place, (name, sample) in enumerate(samples.items()):
        if known.size:
            x = np.linspace(min(0.0, known.min()), known.max(), _POINTS)
            style: Any = of_series(place) | {"mark": "", "step": True}
            low, high = profile_interval(sample, x)
            marks += [Line(x, performance_profile(sample, x), name, **style),
                      Band(x, low, high, colour=style["colour"], step=True)]  # fmt: skip
    share = Axis("share of seeds above", limits=(-0.02, 1.02))
    return Plot("Performance profiles · 95 % interval", Axis(METRICS[metric].title), share, marks)
