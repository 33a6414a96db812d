"""The figures of a report about hyperparameters; None where there is nothing to draw."""

import re
from typing import Any

import numpy as np

from dqn.config.config import KEYS, key_of
from dqn.envs.registry_errors import known_solved_return
from dqn.plotting.plot import Axis, Bars, Cells, Line, Note, Plot
from dqn.plotting.style import BLUE, GREY, SKY, VERMILLION
from dqn.statistics.formatting import Estimate, count, format_metric
from sweeps.analysis.frames import good_and_others, of_pair, on_axes, points, reach, ticks
from sweeps.analysis.hyperparameters import Hyperparameter
from sweeps.analysis.learning_curves import by_value
from sweeps.report.data import ReportData
from sweeps.report.figures import Figure, figure_of, learning, scatter, texts_of
from sweeps.report.headline import best_and_worst


def importance(data: ReportData) -> Figure | None:
    """Importance of hyperparameters beside chance; of few trials, their effect."""
    frame = data.effects.dropna() if data.importance is None else data.importance
    if not _is_sweep(data) or frame.empty:
        return None
    names, places = frame["hyperparameter"].tolist(), np.arange(len(frame))[::-1]
    if data.importance is None:
        axis = Axis(f"{data.metric.title}, best region − worst", from_zero=True)
        hover = texts_of("{}: {:.3g}", names, frame["effect"])
        marks: list[Any] = [Bars(frame["effect"], places, "", hover)]
    else:
        axis = Axis("share of all importance", percent=True, from_zero=True)
        hover = texts_of("{}: {:.1%}", names, frame["share"])
        marks = [
            Bars(frame["share"], places, "importance", hover),
            scatter(frame["chance"], places, "chance (95 of 100 below)", VERMILLION, "line-ns-open",
                    "{}: by chance up to {:.1%}", names, frame["chance"], size=16),
        ]  # fmt: skip
    y = Axis(ticks=list(zip(places.tolist(), names, strict=True)))
    plot = Plot("Which hyperparameters matter", axis, y, marks, rows=len(frame))
    return figure_of(data, "importance", data.method, plot)


def axes(data: ReportData) -> Figure | None:
    """Every trial as a line through an axis per hyperparameter; the best trials stand out."""
    tables = data.tables
    if not _is_joint(data):
        return None
    good, others = good_and_others(tables)
    heights = np.pad(on_axes(tables), ((0, 0), (0, 1)), constant_values=np.nan)
    across = np.array([*range(len(tables.hyperparameters)), np.nan])
    texts = np.array(texts_of("trial {}: {:.1f}", tables.trials["trial"], tables.trials["value"]))
    marks: list[Any] = [
        Line(np.tile(across, len(lines)), heights[lines].ravel(), name, colour, width,
             opacity=opacity, hover=np.repeat(texts[lines], len(across)).tolist())
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
    names = [(n, param.name) for n, param in enumerate(tables.hyperparameters)]
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
    if not _is_joint(data):
        return None
    metric, (first, second) = data.metric, data.hyperparameters[:2]
    frame = of_pair(data.tables, first, second)
    frame["text"] = [
        f"{format_metric(value, metric)}\n{count(trials, 'trial')}" if trials else ""
        for value, trials in zip(frame["value"], frame["trials"], strict=True)
    ]
    values, texts = (frame.pivot(index="y", columns="x", values=v) for v in ("value", "text"))
    x, y = (
        Axis(name, ticks=list(frame.groupby(axis)[f"{axis}_region"].first().items()))  # pyright: ignore[reportArgumentType]
        for name, axis in ((first.name, "x"), (second.name, "y"))
    )
    cells = Cells(
        values.to_numpy(), texts.to_numpy().tolist(), metric.title, metric.lower_is_better
    )
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
    name, metric = hyperparameter.name, data.metric
    frame, dots = data.by_hyperparameter[name], points(data.tables, hyperparameter)
    whole = dots[~dots["pruned"]]
    regions = [
        f"{region}: {Estimate.of(*numbers).text(metric.digits)}"
        for region, *numbers in frame[["region", "value", "low", "high"]].itertuples(index=False)
    ]
    marks = [
        scatter(some["x"], some["y"], label, colour, mark, "trial {}\n{}\n{:.2f}", some["trial"],
                some["text"], some["y"], size=size, opacity=opacity)
        for some, label, colour, mark, size, opacity in (
            (whole, "one trial", SKY, "circle", 5, 0.7),
            (dots[dots["pruned"]], "pruned on the way", GREY, "triangle-down-open", 5, 0.7),
            (whole[:1], "best", VERMILLION, "star", 14, 1.0),
        )
        if len(some)
    ]  # fmt: skip
    marks.append(
        Line(frame["place"], frame["value"], "IQM, 95 % interval", mark="square", size=7,
             width=2.0 * hyperparameter.numeric, y_error=reach(frame), hover=regions)
    )  # fmt: skip
    levels = list(zip(frame["place"], frame["region"], strict=True))
    x = Axis(name, log=hyperparameter.log, ticks=levels if hyperparameter.levels else None)
    about = f": {key_of(KEYS[name]).meaning}" if name in KEYS else ""
    return figure_of(
        data, f"influence_{_file_name(name)}", _influence_caption(data, name, len(dots)),
        Plot(f"Influence of {name} · {metric.title}", x, Axis(metric.title), marks),
        f"{name}{about}",
    )  # fmt: skip


def _influence_caption(data: ReportData, name: str, drawn: int) -> str:
    tables, text = data.tables, best_and_worst(data, name)
    lost = int(np.isinf(tables.counted["value"]).sum())
    if lost:
        text += f" {count(lost, 'trial')} without a finite value: not drawn, counted as worst."
    if drawn < len(tables.trials) - lost and tables.design != "one at a time":
        text += f" {drawn:,} of {len(tables.trials):,} trials drawn; intervals use all."
    return text


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
    """Whether several hyperparameters were varied together in them."""
    tables = data.tables
    return _is_sweep(data) and len(tables.hyperparameters) > 1 and tables.design != "one at a time"


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)
