"""The figures of a report about hyperparameters; None where there is nothing to draw."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from dqn.config.config import KEYS, key_of
from dqn.envs.registry_errors import known_solved_return
from dqn.plotting.plot import Axis, Bars, Cells, Line, Note, Plot
from dqn.plotting.style import BLUE, GREY, SKY, VERMILLION
from dqn.statistics.formatting import count, format_estimate, format_metric
from dqn.statistics.metrics import METRICS
from sweeps.analysis.frames import good_and_others, of_pair, on_axes, points, reach, ticks
from sweeps.analysis.hyperparameters import Hyperparameter
from sweeps.analysis.learning_curves import by_value
from sweeps.report.data import ReportData
from sweeps.report.figures import Figure, figure_of, learning, texts_of
from sweeps.report.headline import best_and_worst


def importance(data: ReportData) -> Figure | None:
    """Importance of hyperparameters beside chance; of few trials, their effect."""
    is_share = data.importance is not None
    frame = data.effects.dropna() if data.importance is None else data.importance
    if not _is_sweep(data) or frame.empty:
        return None
    names, places = frame["hyperparameter"].tolist(), np.arange(len(frame))[::-1]
    ticks = list(zip(places.tolist(), names, strict=True))
    if is_share:
        axis = Axis("share of all importance", percent=True, from_zero=True)
        marks = [
            Bars(
                frame["share"], places, "importance",
                texts_of("{}: {:.1%}", names, frame["share"]),
            ),
            Line(
                frame["chance"], places, "chance (95 of 100 below)", VERMILLION, 0,
                mark="line-ns-open", size=16,
                hover=texts_of("{}: by chance up to {:.1%}", names, frame["chance"]),
            ),
        ]  # fmt: skip
    else:
        axis = Axis(f"{METRICS[data.tables.metric].title}, best region − worst", from_zero=True)
        marks = [Bars(frame["effect"], places, "", texts_of("{}: {:.3g}", names, frame["effect"]))]
    plot = Plot("Which hyperparameters matter", axis, Axis(ticks=ticks), marks, rows=len(frame))
    return figure_of(data, "importance", data.method, plot)


def axes(data: ReportData) -> Figure | None:
    """Every trial as a line through an axis per hyperparameter; the best trials stand out."""
    tables = data.tables
    if not _is_sweep(data) or not _is_joint(data):
        return None
    good, others = good_and_others(tables)
    heights = np.pad(on_axes(tables), ((0, 0), (0, 1)), constant_values=np.nan)
    across = np.array([*range(len(tables.hyperparameters)), np.nan])
    said = texts_of("trial {}: {:.1f}", tables.trials["trial"], tables.trials["value"])
    marks: list[Any] = [
        Line(np.tile(across, len(lines)), heights[lines].ravel(), name, colour, width,
             opacity=opacity, hover=np.repeat(np.array(said)[lines], len(across)).tolist())
        for lines, name, colour, width, opacity in (
            (others, "other trials", GREY, 0.7, 0.35),
            (good[1:], f"the best {len(good)}", BLUE, 1.6, 0.8),
            (good[:1], "the best", VERMILLION, 3.0, 1.0),
        )
        if len(lines)
    ]  # fmt: skip
    for place, hyperparameter in enumerate(tables.hyperparameters):
        marks.append(Line([place, place], [0, 1], colour=GREY, width=1))
        for height, text in ticks(tables, hyperparameter):
            # Above and below the ends, and beside what is between them, no line comes.
            side = "right" if 0 < height < 1 else "above" if height else "below"
            at = {"right": (0.04, 0.0), "above": (0.0, 0.02), "below": (0.0, -0.02)}[side]
            marks.append(Note(place + at[0], height + at[1], text, side))
    names = [(n, one.name) for n, one in enumerate(tables.hyperparameters)]
    plot = Plot(
        "Where the best trials are",
        Axis(ticks=names, bare=True, limits=(-0.2, len(names) - 0.4)),
        Axis(ticks=[], bare=True, limits=(-0.1, 1.1)), marks, columns=len(names),
    )  # fmt: skip
    return figure_of(
        data, "axes",
        "A line is a trial, an axis a hyperparameter. Where the thick lines gather, good values "
        "are.", plot,
    )  # fmt: skip


def pair(data: ReportData) -> Figure | None:
    """The metric where the two hyperparameters that matter most have their values together."""
    if not _is_sweep(data) or not _is_joint(data):
        return None
    metric, (first, second) = METRICS[data.tables.metric], data.hyperparameters[:2]
    frame = of_pair(data.tables, first, second)
    shape = len(set(frame["x"])), len(set(frame["y"]))  # cells stand column by column
    texts = [
        f"{format_metric(value, metric)}\n{count(trials, 'trial')}" if trials else ""
        for value, trials in zip(frame["value"], frame["trials"], strict=True)
    ]
    x, y = (
        Axis(name, ticks=[(float(at), str(text)) for at, text in _ticks(frame, axis)])
        for name, axis in ((first.name, "x"), (second.name, "y"))
    )
    cells = Cells(
        frame["value"].to_numpy(float).reshape(shape).T, np.reshape(texts, shape).T.tolist(),
        metric.title, dark_is_high=metric.lower_is_better,
    )  # fmt: skip
    return figure_of(
        data, "pair",
        f"The two hyperparameters that matter most: IQM of the {metric.title} of the trials in a "
        "cell. Cells of few trials are uncertain.",
        Plot(f"{metric.title} by {first.name} and {second.name}", x, y, [cells]),
        f"{first.name} and {second.name} together",
    )  # fmt: skip


def influence(data: ReportData, hyperparameter: Hyperparameter) -> Figure | None:
    """The metric against a hyperparameter: a dot per trial, and IQM and interval per region."""
    if not _is_sweep(data):
        return None
    name, metric = hyperparameter.name, METRICS[data.tables.metric]
    frame, dots = data.by_hyperparameter[name], points(data.tables, hyperparameter)
    whole, pruned = dots[~dots["pruned"]], dots[dots["pruned"]]
    regions = [
        f"{region}: {format_estimate(value, ends, metric.digits)}"
        for region, value, *ends in zip(
            *(frame[name] for name in ("region", "value", "low", "high")), strict=True
        )
    ]
    marks = [
        Line(some["x"], some["y"], label, colour, 0, mark=mark, size=size, opacity=opacity,
             hover=texts_of("trial {}\n{}\n{:.2f}", some["trial"], some["text"], some["y"]))
        for some, label, colour, mark, size, opacity in (
            (whole, "one trial", SKY, "circle", 5, 0.7),
            (pruned, "pruned on the way", GREY, "triangle-down-open", 5, 0.7),
            (whole.iloc[:1], "best", VERMILLION, "star", 14, 1.0),
        )
        if len(some)
    ]  # fmt: skip
    marks.append(
        Line(frame["place"], frame["value"], "IQM, 95 % interval", mark="square", size=7,
             width=2.0 * hyperparameter.numeric, y_error=reach(frame), hover=regions)
    )  # fmt: skip
    levels = list(zip(frame["place"], frame["region"], strict=True))
    x = Axis(name, log=hyperparameter.log, ticks=levels if hyperparameter.levels else None)
    about = key_of(KEYS[name]).meaning if name in KEYS else ""
    return figure_of(
        data, f"influence_{_file_name(name)}", _influence_caption(data, hyperparameter, len(dots)),
        Plot(f"Influence of {name} · {metric.title}", x, Axis(metric.title), marks),
        f"{name}: {about}" if about else name,
    )  # fmt: skip


def _influence_caption(data: ReportData, hyperparameter: Hyperparameter, drawn: int) -> str:
    tables, name = data.tables, hyperparameter.name
    text = [best_and_worst(data.by_hyperparameter[name], name, tables.metric)]
    lost = int(np.count_nonzero(np.isinf(tables.counted["value"])))
    if lost:
        text.append(f"{count(lost, 'trial')} without a finite value: not drawn, counted as worst.")
    if drawn < len(tables.trials) - lost and tables.design != "one at a time":
        text.append(f"{drawn:,} of {len(tables.trials):,} trials drawn; intervals use all.")
    return " ".join(text)


def curves(data: ReportData, hyperparameter: Hyperparameter) -> Figure | None:
    """Learning curves by the values of a hyperparameter."""
    if not _is_sweep(data) or data.curves is None:
        return None
    frame = by_value(data.curves, data.tables, hyperparameter)
    if frame.empty:
        return None
    reached = known_solved_return(data.tables.results.base.env)
    if reached is not None and not np.any(frame[["value", "high"]].to_numpy(float) >= reached):
        reached = None  # a line that no curve comes near would only press them flat
    over = "trials" if data.tables.design == "sampled" else "trainings"
    return figure_of(
        data, f"curves_{_file_name(hyperparameter.name)}",
        f"IQM of the mean of 10 episodes, with its 95 % interval over {over}.",
        learning(f"Learning by {hyperparameter.name}", frame, data.curves.unit, reached),
    )  # fmt: skip


def _is_sweep(data: ReportData) -> bool:
    """Whether there are trials to compare by what varied."""
    return bool(data.tables.hyperparameters) and len(data.tables.counted) > 1


def _is_joint(data: ReportData) -> bool:
    """Whether hyperparameters were varied together."""
    return len(data.tables.hyperparameters) > 1 and data.tables.design != "one at a time"


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)


def _ticks(frame: pd.DataFrame, axis: str) -> Iterable[tuple[Any, Any]]:
    """Where the regions of an axis of a pair stand, and what they are called."""
    return frame.groupby(axis)[f"{axis}_region"].first().items()
