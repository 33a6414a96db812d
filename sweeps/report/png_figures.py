"""A report's figures for paper and slides: matplotlib in the house's style, from the same frames.

Each is the twin of the function of its name in `charts`, and is written to `path`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
)

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
from dqn.statistics.formatting import count, format_metric, format_number
from dqn.statistics.metrics import METRICS
from sweeps.analysis.frames import ReportFrames, good_and_others, on_axes, points, reach, ticks
from sweeps.analysis.hyperparameters import Hyperparameter

_DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 2, 1, 2)), (0, (8, 2)), (0, (8, 2, 1, 2)))
_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, GREY, "#CC79A7", "#999933")
_MARKERS = "osD^XP*p"


def bars(path: Path, frame: pd.DataFrame, metric: str) -> None:
    """Importance of hyperparameters beside chance; or, of `frames.effects`, their effect."""
    figure, axes = figure_and_axes()
    rows = np.arange(len(frame))[::-1]
    name = "share" if "share" in frame else "effect"
    label = "importance" if name == "share" else None
    axes.barh(rows, _finite(frame[name]), color=BLUE, height=0.6, label=label)
    if name == "share":
        axes.plot(
            frame["chance"], rows, "|", color=VERMILLION, ms=18, mew=3,
            label="chance (95 of 100 below)",
        )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel("share of all importance")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(f"{METRICS[metric].title}, best region − worst")
    axes.set_yticks(rows, _texts(frame["hyperparameter"]))
    finish(figure, axes, path, "Which hyperparameters matter", from_zero=True)


def influence(
    path: Path, tables: ReportFrames, hyperparameter: Hyperparameter, frame: pd.DataFrame
) -> None:
    """The metric against a hyperparameter: a dot a trial, and IQM and interval of each region."""
    figure, axes = figure_and_axes()
    dots = points(tables, hyperparameter)
    for pruned, name, marker, colour in (
        (False, "one trial", "o", SKY),
        (True, "pruned on the way", "v", GREY),
    ):
        some = dots.loc[dots["pruned"] == pruned]
        if len(some):
            axes.plot(
                some["x"], some["y"], marker, color=colour, ms=5, alpha=0.7, label=name,
                mfc="none" if pruned else colour, mew=1.0 if pruned else 0.0,
            )  # fmt: skip
    whole = dots.loc[~dots["pruned"]]
    axes.plot(whole["x"].iloc[:1], whole["y"].iloc[:1], "*", color=VERMILLION, ms=14, label="best")
    axes.errorbar(
        frame["place"], _finite(frame["value"]), reach(frame), color=BLUE, marker="s", ms=7, lw=2,
        ls="-" if hyperparameter.numeric else "none", capsize=4, label="IQM, 95 % interval",
    )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(7))
    if hyperparameter.log:
        _use_log_scale(axes, dots["x"].to_numpy(float))
    if hyperparameter.levels:
        axes.set_xticks(frame["place"], _texts(frame["region"]))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(_text(hyperparameter.name))
    axes.set_ylabel(METRICS[tables.metric].title)
    title = f"Influence of {_text(hyperparameter.name)} · {METRICS[tables.metric].title}"
    finish(figure, axes, path, title, from_zero=False)


def learning(
    path: Path, frame: pd.DataFrame, unit: str, threshold: float | None, title: str
) -> None:
    """Returns as training goes on: a line and its band for each region in `frame`."""
    figure, axes = figure_and_axes()
    named = "region" in frame
    for place, region in enumerate(dict.fromkeys(frame["region"]) if named else [None]):
        some = frame.loc[frame["region"] == region] if named else frame
        colour = _COLOURS[place % len(_COLOURS)]
        axes.fill_between(some["place"], some["low"], some["high"], color=colour, alpha=0.2, lw=0)
        axes.plot(
            some["place"], some["value"], color=colour, ls=_DASHES[place % len(_DASHES)], lw=2,
            marker=_MARKERS[place % len(_MARKERS)], markevery=(place, max(1, len(some) // 8)), ms=6,
            label=_text(region) if named else "IQM of the seeds",
        )  # fmt: skip
    if threshold is not None:
        label = f"solved at {threshold:g}"
        axes.axhline(threshold, color=BLACK, lw=1, ls=(0, (5, 3)), label=label, zorder=1)
    axes.set_xlabel(unit)
    axes.set_ylabel("return, mean of 10 episodes")
    finish(figure, axes, path, title)


def axes(path: Path, tables: ReportFrames) -> None:
    """Every trial as a line through an axis per hyperparameter; the best trials stand out."""
    hyperparameters = tables.hyperparameters
    figure = Figure(
        figsize=(max(7.2, 1.25 * len(hyperparameters)), 4.6), dpi=130, layout="constrained"
    )
    drawn = figure.subplots()
    good, others = good_and_others(tables)
    places = on_axes(tables).T  # [hyperparameters, trials]
    for lines, name, colour, width, alpha in (
        (others, "other trials", GREY, 0.7, 0.35),
        (good[1:], f"the best {len(good)}", BLUE, 1.6, 0.8),
        (good[:1], "the best", VERMILLION, 3.0, 1.0),
    ):
        if len(lines):
            made = drawn.plot(places[:, lines], color=colour, lw=width, alpha=alpha)
            made[0].set_label(name)
    for place, hyperparameter in enumerate(hyperparameters):
        drawn.plot([place, place], [0, 1], color=GREY, lw=1, zorder=1)
        for height, text in ticks(tables, hyperparameter):
            beside = 0 < height < 1  # the others stand where no line comes
            drawn.text(
                place + 0.04 * beside, height if beside else 1.06 * height - 0.03, _text(text),
                fontsize=8, ha="left" if beside else "center",
                va="center" if beside else ("bottom" if height else "top"),
                bbox={"fc": "white", "ec": "none", "pad": 1}, zorder=5,
            )  # fmt: skip
    drawn.set_xticks(
        range(len(hyperparameters)), _texts(k.name for k in hyperparameters), fontsize=9
    )
    drawn.set_xlim(-0.2, len(hyperparameters) - 0.4)
    drawn.tick_params(length=0)
    drawn.set_ylim(-0.1, 1.1)
    drawn.set_yticks([])
    drawn.spines[:].set_visible(False)
    finish(figure, drawn, path, "Where the best trials are", from_zero=False)


def pair(path: Path, frame: pd.DataFrame, names: Sequence[str], metric: str) -> None:
    """The metric where two hyperparameters have their values together."""
    figure, axes = figure_and_axes()
    axes.grid(visible=False)
    shape = len(set(frame["x"])), len(set(frame["y"]))  # cells stand column by column
    values = _finite(frame["value"]).reshape(shape).T
    colours = colormaps["cividis_r" if METRICS[metric].lower_is_better else "cividis"]
    image = axes.imshow(values, origin="lower", cmap=colours, aspect="auto")
    figure.colorbar(image, label=METRICS[metric].title)
    for cell in frame.loc[frame["trials"] > 0].to_dict("records"):
        finite = np.isfinite(cell["value"])
        red, green, blue = image.cmap(image.norm(cell["value"]))[:3] if finite else (1, 1, 1)
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        message = format_metric(cell["value"], METRICS[metric])
        axes.text(
            cell["x"], cell["y"], f"{message}\n{count(cell['trials'], 'trial')}",
            ha="center", va="center", fontsize=9, color="white" if dark else "black",
        )  # fmt: skip
    for update, index, column in (
        (axes.set_xticks, "x", "x_region"),
        (axes.set_yticks, "y", "y_region"),
    ):
        labels = frame.drop_duplicates(index).sort_values(index)
        update(labels[index].tolist(), _texts(labels[column]))
    axes.set_xlabel(_text(names[0]))
    axes.set_ylabel(_text(names[1]))
    title = f"{METRICS[metric].title} by {_text(names[0])} and {_text(names[1])}"
    finish(figure, axes, path, title, from_zero=False)


def held_out(
    path: Path, findings: Sequence[Mapping[str, Any]], metric: str, statistic: str
) -> None:
    """What each validated trial claimed, and what was left of it on new seeds: a `statistic`."""
    figure, axes = figure_and_axes()
    axes.xaxis.set_major_locator(MaxNLocator(7))
    for part, name, marker, colour, aside in (
        ("claimed", "claimed, on the seeds it was chosen by", "o", ORANGE, 0.12),
        ("held_out", "held, on new seeds", "s", BLUE, -0.12),
    ):
        some = [(n, one) for n, one in enumerate(findings[::-1]) if one[part] is not None]
        errors = [
            [one[part] - (one[f"{part}_low"] or one[part]) for _, one in some],
            [(one[f"{part}_high"] or one[part]) - one[part] for _, one in some],
        ]
        axes.errorbar(
            [one[part] for _, one in some], [n + aside for n, _ in some], xerr=errors, fmt=marker,
            color=colour, mfc="white" if marker == "o" else colour, ms=7, capsize=4, label=name,
        )  # fmt: skip
    axes.set_yticks(range(len(findings)), _texts(one["name"] for one in findings[::-1]))
    axes.set_xlabel(METRICS[metric].title)
    title = f"Claimed and held: {METRICS[metric].title}, {statistic} and 95 % interval"
    finish(figure, axes, path, title, from_zero=False)


def failures(path: Path, frame: pd.DataFrame) -> None:
    """Shares of trainings that diverged and that collapsed, by region of a few hyperparameters."""
    height = 1.5 + 0.32 * len(frame)
    figure = Figure(figsize=(7.2, height), dpi=130, layout="constrained")
    drawn: Axes = figure.subplots()
    drawn.grid(color="#dddddd", lw=0.6)
    rows = np.arange(len(frame))[::-1]
    for part, name, marker, colour, aside in (
        ("diverged", "diverged or failed", "X", VERMILLION, 0.2),
        ("collapsed", "collapsed", "o", BLUE, -0.2),
    ):
        drawn.plot(
            frame[part], rows + aside, marker, color=colour, ms=7, mew=1.5, label=name,
            mfc=colour if marker == "X" else "none",
        )  # fmt: skip
    names = zip(frame["hyperparameter"], frame["region"], strict=True)
    drawn.set_yticks(
        rows, [_text(f"{hyperparameter}: {region}") for hyperparameter, region in names], fontsize=9
    )
    drawn.set_xlim(-0.03, 1.03)
    drawn.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    drawn.set_xlabel("share of trainings")
    finish(figure, drawn, path, "What goes wrong, and where", from_zero=False)


def pruned(path: Path, tables: ReportFrames) -> None:
    """How far each trial was trained, and what it had come to there."""
    figure, axes = figure_and_axes()
    finite = tables.trials.loc[np.isfinite(tables.trials["value"])]
    for was, name, marker, colour in (
        (False, "not pruned", "o", SKY),
        (True, "pruned", "v", VERMILLION),
    ):
        some = finite.loc[(finite["status"] == "pruned") == was]
        axes.plot(
            some["budget"], some["value"], marker, color=colour, ms=7, label=name,
            mfc="none" if was else colour,
        )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("share of the budget used")
    axes.set_ylabel(METRICS[tables.metric].title)
    finish(figure, axes, path, "Pruned trials", from_zero=False)


def _use_log_scale(axes: Axes, values: np.ndarray) -> None:
    """Labels are plain numbers, at more places of a decade the fewer there are of `values`."""
    axes.set_xscale("log")
    decades = np.ptp(np.log10(values)) if len(values) else 0.0
    if decades < 1.0:
        axes.xaxis.set_major_locator(MaxNLocator(6))
    elif decades < 2.5:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value, 6)))


def _finite(values: Any) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _texts(values: Any) -> list[str]:
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    """Text as it is, where matplotlib would read mathematics in it."""
    return str(value).replace("$", r"\$")
