"""The figures of a report, described once, never by colour alone; None where nothing is drawn."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dqn.envs.registry_errors import known_solved_return
from dqn.plotting.plot import Axis, Band, Level, Line, Plot
from dqn.plotting.style import BLUE, ORANGE, SKY, VERMILLION, of_series
from dqn.runtime.atomic_write import own_folder
from dqn.runtime.errors import UserError
from dqn.statistics.comparison import performance_profile, profile_interval
from dqn.statistics.formatting import count
from dqn.statistics.metrics import METRICS
from dqn.storage.layout import MADE_BY, refuse_other
from dqn.storage.trials import counted, named
from sweeps.analysis.candidates import Candidate
from sweeps.analysis.frames import reach
from sweeps.analysis.learning_curves import curve, of_trial, over_steps, with_floor
from sweeps.analysis.objective import objective_of
from sweeps.analysis.tables import COLLAPSED
from sweeps.report.data import ReportData

_MOST_FAILING = 4  # hyperparameters whose failures are shown
_POINTS = 101  # of a performance profile
_MOST_CURVES = 3
_NUMBERS = "none", "one", "two", "three"


@dataclass(frozen=True)
class Figure:
    """A figure of the page, which is a PNG as well."""

    path: Path
    """Of the PNG."""
    title: str
    caption: str
    plot: Plot


def draw(figures: Sequence[Figure], tell: Callable[[str], None]) -> list[Path]:
    """Write them as PNGs and give their paths; `tell` hears of each before. May raise `OSError`."""
    from dqn.plotting.png import write_png  # Matplotlib: a page without PNGs does not wait for it

    for number, figure in enumerate(figures, 1):
        tell(f"figure {number} of {len(figures)}: {figure.path.name}")
        write_png(figure.path, figure.plot)
    return [figure.path for figure in figures]


def make_room(figures: Iterable[Figure], is_again: bool) -> None:
    """Make the folders of figures. May raise `OSError`.

    A file that is not ours is refused, unless the folders were drawn into before: `is_again`.
    """
    for figure in figures:
        own_folder(figure.path.parent)
        if not is_again:
            refuse_other(figure.path, MADE_BY.encode())


def best_curves(data: ReportData) -> Figure | None:
    """Learning curves of the best three trials, or of those there are; of a run its own."""
    trials, curves = data.leaders[:_MOST_CURVES], data.curves
    if curves is None:
        return None
    is_run, frames = data.tables.design == "run", []
    for trial in trials:
        name = named(trial)
        frame = of_trial(curves, trial)
        if len(frame):
            frames.append(frame.assign(region="IQM of the seeds" if is_run else name))
    if not frames:
        return None
    seeds = {len(curves.of[trial]) for trial in trials if trial in curves.of}
    over = count(seeds.pop(), "seed") if len(seeds) == 1 else "the seeds"
    env = data.tables.results.base.env
    plot = learning("Returns", pd.concat(frames), curves.unit, known_solved_return(env))
    if not is_run:
        number = f" {_NUMBERS[len(frames)]}" * (len(frames) > 1)
        plot = replace(plot, title=f"Returns of the best{number or ' trial'}")
    caption = f"Mean of 10 episodes; IQM of {over} with its 95 % interval."
    if data.recommended is not None and data.recommended.trial == trials[0]:
        caption += f" {named(trials[0]).capitalize()} is recommended after validation."
    return figure_of(data, "best_curve", caption, plot)


def validation(data: ReportData) -> Figure | None:
    """The search score of each validated trial, and what was left of it on new seeds."""
    if not data.validated:
        return None
    found, metric = data.validated[::-1], data.metric.title
    statistic = objective_of(data.tables.results).statistic_name
    marks = []
    for score, name, mark, colour, aside in (
        (
            "search_score",
            "on the seeds it was chosen by",
            "circle-open",
            ORANGE,
            0.12,
        ),
        ("held_out_score", "on new seeds", "square", BLUE, -0.12),
    ):
        of = pd.DataFrame([getattr(one, score).plain("value") for one in found], dtype=float)
        of = of.set_axis(["value", "low", "high"], axis=1).dropna(subset="value")
        marks.append(
            scatter(of["value"], of.index + aside, name, colour, mark, "{:.2f}", of["value"],
                    size=7, x_error=reach(of))
        )  # fmt: skip
    y = Axis(ticks=[(n, one.name) for n, one in enumerate(found)], limits=(-0.6, len(found) - 0.4))
    title = f"Search score and score on new seeds: {metric}, {statistic} and 95 % interval"
    return figure_of(
        data, "validation",
        "The score of each trial on the seeds it was chosen by, and on new ones: the "
        f"{statistic} of the {metric} over seeds, with its 95 % interval. The exercise's settings, "
        "trained on the same new seeds, have no search score.",
        Plot(title, Axis(metric), y, marks, rows=len(found)), "Search score and score on new seeds",
    )  # fmt: skip


def failures(data: ReportData) -> Figure | None:
    """Shares of trainings that diverged and that collapsed, by region of what matters most."""
    frames = list(data.by_hyperparameter.values())[:_MOST_FAILING]
    frame = pd.concat(frames, ignore_index=True)[::-1] if frames else pd.DataFrame()
    if frames:
        frame = frame[frame["trainings"] > 0]
    if frame.empty or not np.any(frame[["diverged", "collapsed"]].to_numpy(float) > 0):
        return None
    rows = np.arange(len(frame))
    marks = [
        scatter(frame[part], rows + aside, name, colour, mark, "{:.0%} of {}", frame[part],
                frame["trainings"], size=7)
        for part, name, mark, colour, aside in (
            ("diverged", "diverged or failed", "x", VERMILLION, 0.2),
            ("collapsed", "collapsed", "circle-open", BLUE, -0.2),
        )
    ]  # fmt: skip
    names = texts_of("{}\n{}", frame["hyperparameter"], frame["region"])
    share = Axis("share of trainings", percent=True, limits=(-0.03, 1.03))
    y = Axis(ticks=list(enumerate(names)))
    return figure_of(
        data, "failures",
        f"Collapsed: lost more than {COLLAPSED:.0%} of its best by the end. Shown are the "
        "hyperparameters that matter most.",
        Plot("What goes wrong, and where", share, y, marks, rows=len(frame)),
    )  # fmt: skip


def pruned(data: ReportData) -> Figure | None:
    """How far each trial was trained, and what it had come to there."""
    trials = data.tables.trials
    if "pruned" not in set(trials["status"]):
        return None
    finite = trials[np.isfinite(trials["value"])]
    is_pruned = finite["status"] == "pruned"
    marks = [
        scatter(some["budget"], some["value"], name, colour, mark,
                "trial {}\n{:.0%} of it\n{:.1f}", some["trial"], some["budget"], some["value"])
        for some, name, mark, colour in (
            (finite[~is_pruned], "not pruned", "circle", SKY),
            (finite[is_pruned], "pruned", "triangle-down-open", VERMILLION),
        )
    ]  # fmt: skip
    budget = Axis("share of the budget used", percent=True, limits=(-0.03, 1.05))
    return figure_of(
        data, "pruned", "How far each trial was trained, and what it had come to by then.",
        Plot("Pruned trials", budget, Axis(data.metric.title), marks),
    )  # fmt: skip


def learning(
    title: str, frame: pd.DataFrame, unit: str, threshold: float | None = None, footnote: str = ""
) -> Plot:
    """Returns as training proceeds: a line and its band for each region in `frame`."""
    marks: list[Any] = []
    for place, (region, some) in enumerate(frame.groupby("region", sort=False)):
        style: Any = of_series(place)
        marks.append(Band(some["place"], some["low"], some["high"], colour=style["colour"]))
        texts = texts_of(f"{{}}\n{unit} {{:,.0f}}: {{:.1f}}", some["region"], some["place"],
                       some["value"])  # fmt: skip
        marks.append(
            Line(some["place"], some["value"], str(region), marked=(place, max(1, len(some) // 8)),
                 hover=texts, **style)
        )  # fmt: skip
    if threshold is not None:
        marks.append(Level(threshold, f"solved at {threshold:g}"))
    x = Axis(unit, whole=True, from_zero=True)
    return Plot(title, x, Axis("return, mean of 10 episodes"), marks, footnote=footnote)


def figure_of(data: ReportData, name: str, caption: str, plot: Plot, title: str = "") -> Figure:
    """A figure; `title` is the page's, where it is not the PNG's."""
    return Figure(data.folder / f"{name}.png", title or plot.title, caption, plot)


def scatter(
    x: Any,
    y: Any,
    name: str,
    colour: str,
    mark: str,
    hover: str,
    *said: Iterable[Any],
    **style: Any,
) -> Line:
    """Marks alone; `hover` is the template of what a page says of each, of the columns `said`."""
    return Line(x, y, name, colour, 0, mark=mark, hover=texts_of(hover, *said), **style)


def texts_of(template: str, *columns: Iterable[Any]) -> list[str]:
    """A text of each row."""
    return [template.format(*row) for row in zip(*columns, strict=True)]


def draw_comparison(folder: Path, candidates: Sequence[Candidate], metric: str) -> list[Path]:
    """Draw both into `folder` and give their paths; `UserError` where it cannot be written."""
    from dqn.plotting.png import write_png

    plots = {
        "learning_curves.png": compared_curves(candidates),
        "performance_profiles.png": profiles(candidates, metric),
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


def compared_curves(candidates: Sequence[Candidate]) -> Plot:
    """The learning curve of each."""
    steps = over_steps(candidates)
    curves = {candidate.name: curve(candidate, steps) for candidate in candidates}
    frame = pd.concat(frame.assign(region=name) for name, (frame, _) in curves.items())
    footnote = "; ".join(dict.fromkeys(rule for _, rules in curves.values() for rule in rules))
    title = "Returns, mean of 10 episodes · IQM of seeds, 95 % interval"
    unit = "environment steps" if steps else "episode"
    return learning(title, with_floor(frame), unit, footnote=footnote)


def profiles(candidates: Sequence[Candidate], metric: str) -> Plot:
    """Of each the share of seeds above a value of the metric."""
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
