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
from sweeps.analysis.learning_curves import curve, over_steps
from sweeps.report.figures import learning

_POINTS = 101  # of a profile


def draw(folder: Path, them: Sequence[Candidate], metric: str) -> list[Path]:
    """Draw both into `folder` and give their paths; `UserError` where it cannot be written."""
    plots = {
        "learning_curves.png": _curves(them),
        "performance_profiles.png": _profiles(them, metric),
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


def _curves(them: Sequence[Candidate]) -> Plot:
    steps = over_steps(them)
    curves = [curve(one, steps) for one in them]
    frame = pd.concat(
        pd.DataFrame({"region": one.name, "place": c.x, "value": c.middle, "low": c.low,
                      "high": c.high})
        for one, c in zip(them, curves, strict=True)
    )  # fmt: skip
    ends = frame[["value", "low"]].to_numpy()
    frame["low"] = frame["low"].clip(ends[np.isfinite(ends)].min(initial=0.0))
    rules = dict.fromkeys(rule for one in curves for rule in one.rules)
    title = "Returns, mean of 10 episodes · IQM of seeds, 95 % interval"
    unit = "environment steps" if steps else "episode"
    return learning(title, frame, unit, footnote="; ".join(rules))


def _profiles(them: Sequence[Candidate], metric: str) -> Plot:
    samples = [np.array(counted(metric, one.rows)) for one in them]
    known = np.concatenate([sample[np.isfinite(sample)] for sample in samples])
    marks: list[Any] = []
    for place, (one, sample) in enumerate(zip(them, samples, strict=True)):
        if known.size:
            x = np.linspace(min(0.0, known.min()), known.max(), _POINTS)
            style: Any = of_series(place) | {"mark": "", "step": True}
            low, high = profile_interval(sample, x)
            marks += [Line(x, performance_profile(sample, x), one.name, **style),
                      Band(x, low, high, colour=style["colour"], step=True)]  # fmt: skip
    share = Axis("share of seeds above", limits=(-0.02, 1.02))
    return Plot("Performance profiles · 95 % interval", Axis(METRICS[metric].title), share, marks)
