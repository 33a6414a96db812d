"""A report's figures to point at and to zoom: plotly, from the frames of `tables` and `curves`.

Each has its twin for paper in `stills`. Nothing is told by colour alone: dashes, markers and labels
say the same. Text that comes from a folder is escaped, as plotly reads some of HTML.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dqn.plotting.training_figures import BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION
from dqn.statistics.formatting import count, format_estimate, format_metric
from dqn.statistics.metrics import METRICS
from sweeps.analysis.frames import ReportFrames, good_and_others, on_axes, points, reach, ticks
from sweeps.analysis.hyperparameters import Hyperparameter

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px,2px", "2px,5px")
_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, GREY, "#CC79A7", "#999933")
_MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "pentagon")


def bars(frame: pd.DataFrame, metric: str) -> go.Figure:
    """Importance of hyperparameters beside chance; or, of `frames.effects`, their effect."""
    frame = frame.iloc[::-1]
    names = _texts(frame["hyperparameter"])
    figure = _figure("", "", 90 + 30 * len(frame))
    if "share" in frame:
        figure.add_bar(
            x=frame["share"], y=names, orientation="h", marker_color=BLUE, name="importance",
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=frame["chance"], y=names, mode="markers", name="chance (95 of 100 below)",
            marker={"symbol": "line-ns-open", "size": 18, "color": VERMILLION, "line_width": 3},
            hovertemplate="%{y}: by chance up to %{x:.1%}<extra></extra>",
        )  # fmt: skip
        figure.update_xaxes(title="share of all importance", tickformat=".0%", rangemode="tozero")
        return figure
    figure.add_bar(
        x=_finite(frame["effect"]), y=names, orientation="h", marker_color=BLUE,
        hovertemplate="%{y}: %{x:.3g}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=f"{METRICS[metric].title}, best region − worst", rangemode="tozero")
    return figure


def influence(
    tables: ReportFrames, hyperparameter: Hyperparameter, frame: pd.DataFrame
) -> go.Figure:
    """The metric against a hyperparameter: a dot a trial, and IQM and interval of each region."""
    title = METRICS[tables.metric].title
    figure = _figure(hyperparameter.name, title, 380)
    dots = points(tables, hyperparameter)
    hover = "trial %{customdata[0]}<br>%{customdata[1]}<br>%{y:.2f}<extra></extra>"
    for pruned, name, symbol, colour in (
        (False, "one trial", "circle", SKY),
        (True, "pruned on the way", "triangle-down-open", GREY),
    ):
        some = dots.loc[dots["pruned"] == pruned]
        if len(some):
            figure.add_scatter(
                x=some["x"], y=some["y"], mode="markers", name=name, hovertemplate=hover,
                customdata=list(zip(some["trial"], _texts(some["text"]), strict=True)),
                marker={"symbol": symbol, "size": 7, "color": colour, "opacity": 0.7},
            )  # fmt: skip
    whole = dots.loc[~dots["pruned"]]
    if len(whole):
        figure.add_scatter(
            x=whole["x"].iloc[:1], y=whole["y"].iloc[:1], mode="markers", name="best",
            hovertemplate=hover, marker={"symbol": "star", "size": 15, "color": VERMILLION},
            customdata=[[whole["trial"].iloc[0], _text(whole["text"].iloc[0])]],
        )  # fmt: skip
    value = _finite(frame["value"])
    figure.add_scatter(
        x=frame["place"], y=value, name="IQM, 95 % interval",
        mode="lines+markers" if hyperparameter.numeric else "markers",
        customdata=list(zip(_texts(frame["region"]), _spans(frame, tables.metric), strict=True)),
        hovertemplate="%{customdata[0]}: %{customdata[1]}<extra></extra>",
        error_y=_bars_of(frame), line={"color": BLUE, "width": 2},
        marker={"symbol": "square", "size": 9, "color": BLUE},
    )  # fmt: skip
    _place_hyperparameter(figure, hyperparameter, frame)
    return figure


def learning(frame: pd.DataFrame, unit: str, threshold: float | None) -> go.Figure:
    """Returns as training goes on: a line and its band for each region in `frame`."""
    figure = _figure(unit, "return", 380)
    named = "region" in frame
    for place, region in enumerate(dict.fromkeys(frame["region"]) if named else [None]):
        some = frame.loc[frame["region"] == region] if named else frame
        colour = _COLOURS[place % len(_COLOURS)]
        name = _text(region) if named else "IQM of the seeds"
        band = some.loc[np.isfinite(some["low"]) & np.isfinite(some["high"])]
        figure.add_scatter(
            x=[*band["place"], *band["place"][::-1]], y=[*band["high"], *band["low"][::-1]],
            fill="toself", fillcolor=colour, opacity=0.2, line_width=0, hoverinfo="skip",
            legendgroup=name, showlegend=False, mode="lines",
        )  # fmt: skip
        step = max(1, len(some) // 8)
        figure.add_scatter(
            x=some["place"], y=some["value"], mode="lines+markers", name=name, legendgroup=name,
            line={"color": colour, "width": 2.5, "dash": _DASHES[place % len(_DASHES)]},
            marker={
                "symbol": _MARKERS[place % len(_MARKERS)],
                "size": [8 if n % step == place % step else 0 for n in range(len(some))],
            },
            hovertemplate=f"{name}<br>{unit} %{{x}}: %{{y:.1f}}<extra></extra>",
        )  # fmt: skip
    if threshold is not None:
        figure.add_hline(
            y=threshold, line={"dash": "dot", "width": 1, "color": GREY},
            annotation_text=f"solved at {threshold:g}", annotation_position="top right",
        )  # fmt: skip
    figure.update_xaxes(rangemode="tozero")
    return figure


def axes(tables: ReportFrames) -> go.Figure:
    """Every trial as a line through an axis per hyperparameter; the best trials stand out."""
    hyperparameters = tables.hyperparameters
    places = on_axes(tables)
    good, others = good_and_others(tables)
    figure = _figure("", "", 420)
    for lines, name, colour, width, opacity in (
        (others, "other trials", GREY, 1, 0.3),
        (good[1:], f"the best {len(good)}", BLUE, 2, 0.8),
        (good[:1], "the best", VERMILLION, 4, 1.0),
    ):
        if not len(lines):
            continue
        x = np.tile([*range(len(hyperparameters)), np.nan], len(lines))
        y = np.concatenate([[*places[line], np.nan] for line in lines])
        trials = np.repeat(tables.trials["trial"].to_numpy()[lines], len(hyperparameters) + 1)
        values = np.repeat(tables.trials["value"].to_numpy()[lines], len(hyperparameters) + 1)
        figure.add_scatter(
            x=x, y=y, mode="lines", name=name, opacity=opacity,
            line={"color": colour, "width": width},
            customdata=np.stack([trials, values], -1),
            hovertemplate="trial %{customdata[0]}: %{customdata[1]:.1f}<extra></extra>",
        )  # fmt: skip
    for place, hyperparameter in enumerate(hyperparameters):
        figure.add_shape(
            type="line", x0=place, x1=place, y0=0, y1=1, line={"color": GREY, "width": 1}
        )
        for height, text in ticks(tables, hyperparameter):
            beside = 0 < height < 1  # the others stand where no line comes
            figure.add_annotation(
                x=place, y=height, text=_text(text), showarrow=False, font_size=11,
                xanchor="left" if beside else "center", xshift=4 * beside,
                yanchor="middle" if beside else ("bottom" if height else "top"),
                bgcolor="rgba(128,128,128,0.15)" if beside else None,
            )  # fmt: skip
    figure.update_xaxes(
        tickvals=list(range(len(hyperparameters))), ticktext=_texts(k.name for k in
        hyperparameters), showgrid=False, range=[-0.2, len(hyperparameters) - 0.4], zeroline=False,
    )  # fmt: skip
    figure.update_yaxes(visible=False, range=[-0.1, 1.1])
    return figure


def pair(frame: pd.DataFrame, names: Sequence[str], metric: str) -> go.Figure:
    """The metric where two hyperparameters have their values together."""
    figure = _figure(names[0], names[1], 440)
    shape = len(set(frame["x"])), len(set(frame["y"]))  # cells stand column by column
    texts = [
        f"{format_metric(value, METRICS[metric])}<br>{count(n, 'trial')}" if n else ""
        for value, n in zip(frame["value"], frame["trials"], strict=True)
    ]
    figure.add_heatmap(
        z=_finite(frame["value"]).reshape(shape).T, text=np.reshape(texts, shape).T,
        texttemplate="%{text}", colorscale="Cividis",
        reversescale=METRICS[metric].lower_is_better, xgap=2, ygap=2, hoverinfo="skip",
        showscale=False, textfont_size=13,
    )  # fmt: skip
    for update, index, column in (
        (figure.update_xaxes, "x", "x_region"),
        (figure.update_yaxes, "y", "y_region"),
    ):
        labels = frame.drop_duplicates(index).sort_values(index)
        update(tickvals=labels[index].tolist(), ticktext=_texts(labels[column]), showgrid=False)
    return figure


def held_out(findings: Sequence[Mapping[str, Any]], metric: str) -> go.Figure:
    """What each validated trial claimed, and what was left of it on new seeds."""
    figure = _figure(METRICS[metric].title, "", 120 + 40 * len(findings))
    for part, name, symbol, colour, aside in (
        ("claimed", "claimed, on the seeds it was chosen by", "circle-open", ORANGE, 0.12),
        ("held_out", "held, on new seeds", "square", BLUE, -0.12),
    ):
        some = [(n, one) for n, one in enumerate(findings[::-1]) if one[part] is not None]
        figure.add_scatter(
            x=[one[part] for _, one in some], y=[n + aside for n, _ in some], name=name,
            mode="markers", marker={"symbol": symbol, "size": 11, "color": colour},
            error_x={
                "array": [(one[f"{part}_high"] or one[part]) - one[part] for _, one in some],
                "arrayminus": [one[part] - (one[f"{part}_low"] or one[part]) for _, one in some],
                "color": colour, "symmetric": False,
            },
            hovertemplate="%{x:.2f}<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(findings))),
        ticktext=_texts(one["name"] for one in findings[::-1]), range=[-0.6, len(findings) - 0.4],
    )  # fmt: skip
    return figure


def failures(frame: pd.DataFrame) -> go.Figure:
    """Shares of trainings that diverged and that collapsed, by region of a few hyperparameters."""
    frame = frame.iloc[::-1]
    figure = _figure("share of trainings", "", 110 + 34 * len(frame))
    rows = [
        f"{_text(k)}<br>{_text(r)}"
        for k, r in zip(frame["hyperparameter"], frame["region"], strict=True)
    ]
    for part, name, symbol, colour, aside in (
        ("diverged", "diverged or failed", "x", VERMILLION, 0.2),
        ("collapsed", "collapsed", "circle-open", BLUE, -0.2),
    ):
        figure.add_scatter(
            x=frame[part], y=np.arange(len(frame)) + aside, mode="markers", name=name,
            marker={"symbol": symbol, "size": 11, "color": colour, "line_color": colour},
            customdata=frame["trainings"], hovertemplate="%{x:.0%} of %{customdata}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(tickformat=".0%", range=[-0.03, 1.03])
    figure.update_yaxes(tickvals=list(range(len(frame))), ticktext=rows, tickfont_size=11)
    return figure


def pruned(tables: ReportFrames) -> go.Figure:
    """How far each trial was trained, and what it had come to there."""
    figure = _figure("share of the budget used", METRICS[tables.metric].title, 340)
    finite = tables.trials.loc[np.isfinite(tables.trials["value"])]
    for was, name, symbol, colour in (
        (False, "not pruned", "circle", SKY),
        (True, "pruned", "triangle-down-open", VERMILLION),
    ):
        some = finite.loc[(finite["status"] == "pruned") == was]
        figure.add_scatter(
            x=some["budget"], y=some["value"], mode="markers", name=name, customdata=some["trial"],
            marker={"symbol": symbol, "size": 8, "color": colour},
            hovertemplate="trial %{customdata}<br>%{x:.0%} of it<br>%{y:.1f}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(tickformat=".0%", range=[-0.03, 1.05])
    return figure


def _figure(x: str, y: str, height: int) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template="none", height=height, margin={"l": 8, "r": 12, "t": 8, "b": 8}, dragmode=False,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}, hovermode="closest",
        font={"family": "system-ui, sans-serif", "size": 13}, autosize=True,
    )  # fmt: skip
    figure.update_xaxes(title=_text(x), automargin=True, showline=False, zeroline=False)
    figure.update_yaxes(title=_text(y), automargin=True, showline=False, zeroline=False)
    return figure


def _place_hyperparameter(
    figure: go.Figure, hyperparameter: Hyperparameter, frame: pd.DataFrame
) -> None:
    """The x axis as the hyperparameter has it."""
    if hyperparameter.levels:
        figure.update_xaxes(tickvals=frame["place"].tolist(), ticktext=_texts(frame["region"]))
    if hyperparameter.log:
        figure.update_xaxes(type="log", tickformat="~g")
        if not hyperparameter.levels:
            figure.update_xaxes(dtick="D2" if np.ptp(np.log10(frame["place"])) < 1.5 else 1)


def _bars_of(frame: pd.DataFrame) -> dict[str, Any]:
    low, high = reach(frame)
    return {"array": high, "arrayminus": low, "symmetric": False, "color": BLUE, "thickness": 2}


def _spans(frame: pd.DataFrame, metric: str) -> list[str]:
    return [
        format_estimate(value, ends, METRICS[metric].digits)
        for value, *ends in zip(frame["value"], frame["low"], frame["high"], strict=True)
    ]


def _finite(values: Any) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _texts(values: Any) -> list[str]:
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    """Text as it is, where plotly would read HTML in it."""
    return html.escape(str(value), quote=False)
