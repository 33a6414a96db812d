"""A `Plot` as plotly.js reads it, in plain dictionaries: Plotly's own objects take far longer.

A test holds them against Plotly's validators.
"""

import html
import math
from typing import Any

import numpy as np

from dqn.plotting.plot import Axis, Band, Bars, Cells, Level, Line, Note, Plot
from dqn.plotting.style import BLUE, GREY

_PIXELS = 1.4  # per point of a mark's size


def to_plotly(plot: Plot) -> dict[str, Any]:
    """The figure, without its title; NaN and infinity are null."""
    traces = {Line: _line, Band: _band, Bars: _bars, Cells: _cells}
    levels = [mark for mark in plot.marks if isinstance(mark, Level)]
    notes = [_note(mark) for mark in plot.marks if isinstance(mark, Note)]
    layout = {
        "height": 110 + 36 * plot.rows if plot.rows else 400, "autosize": True, "dragmode": False,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8}, "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "font": {"family": "system-ui, sans-serif", "size": 13},
        "xaxis": _axis(plot.x, plot.decades("x")), "yaxis": _axis(plot.y, plot.decades("y")),
        "shapes": [
            {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": level.y, "y1": level.y,
             "line": {"dash": level.dash, "width": 1, "color": GREY}}
            for level in levels
        ],
        "annotations": [
            {"xref": "x domain", "yref": "y", "showarrow": False, "x": 1, "y": level.y,
             "text": _text(level.name), "xanchor": "right", "yanchor": "bottom"}
            for level in levels
        ] + notes,
    }  # fmt: skip
    data = [traces[type(mark)](mark) for mark in plot.marks if type(mark) in traces]
    return {"data": data, "layout": layout}


def _axis(axis: Axis, decades: float) -> dict[str, Any]:
    made: dict[str, Any] = {
        "title": {"text": _text(axis.title)}, "automargin": True, "showline": False,
        "zeroline": False, "showgrid": not axis.bare,
    }  # fmt: skip
    if axis.log:
        made |= {"type": "log", "tickformat": "~g", "dtick": "D2" if decades < 1.5 else 1}
    if axis.percent:
        made["tickformat"] = ".0%"
    if axis.ticks is not None:
        made["tickvals"] = [place for place, _ in axis.ticks]
        made["ticktext"] = [_text(text) for _, text in axis.ticks]
    if axis.from_zero:
        made["rangemode"] = "tozero"
    if axis.limits is not None:  # which Plotly has as powers of ten on a logarithmic axis
        made["range"] = [math.log10(end) if axis.log else end for end in axis.limits]
    return made


def _line(line: Line) -> dict[str, Any]:
    modes = ["lines"] * bool(line.width) + ["markers"] * bool(line.mark)
    made = {
        "type": "scatter", "mode": "+".join(modes), "x": _numbers(line.x), "y": _numbers(line.y),
        "opacity": line.opacity, **_named(line.name), **_hover(line.hover),
        "line": {
            "color": line.colour, "width": 1.25 * line.width, "dash": line.dash,
            "shape": "hv" if line.step else "linear",
        },
    }  # fmt: skip
    if line.mark:
        first, every = line.marked
        size = _PIXELS * line.size
        sizes = [size * (n % every == first % every) for n in range(len(made["x"]))]
        made["marker"] = {
            "symbol": line.mark, "color": line.colour, "size": sizes if every > 1 else size,
            "line": {"width": 3 if line.mark == "line-ns-open" else 1, "color": line.colour},
        }  # fmt: skip
    for name, error in (("error_x", line.x_error), ("error_y", line.y_error)):
        if error is not None:
            low, high = map(_numbers, np.asarray(error))
            made[name] = {"array": high, "arrayminus": low, "symmetric": False, "thickness": 2,
                          "color": line.colour}  # fmt: skip
    return made


def _band(band: Band) -> dict[str, Any]:
    x, low, high = (np.asarray(ends, float) for ends in (band.x, band.low, band.high))
    known = np.isfinite(low) & np.isfinite(high)
    x, low, high = x[known], low[known], high[known]
    return {
        "type": "scatter", "mode": "lines", "x": _numbers([*x, *x[::-1]]),
        "y": _numbers([*high, *low[::-1]]), "fill": "toself", "fillcolor": band.colour,
        "opacity": 0.2, "line": {"width": 0, "shape": "hv" if band.step else "linear"},
        "hoverinfo": "skip", **_named(band.name),
    }  # fmt: skip


def _bars(bars: Bars) -> dict[str, Any]:
    return {
        "type": "bar", "orientation": "h", "x": _numbers(bars.x), "y": _numbers(bars.y),
        "marker": {"color": BLUE}, "textposition": "none",
        **_named(bars.name), **_hover(bars.hover),
    }  # fmt: skip


def _cells(cells: Cells) -> dict[str, Any]:
    return {
        "type": "heatmap", "z": [_numbers(row) for row in cells.values], "xgap": 2, "ygap": 2,
        "text": [[_text(text) for text in row] for row in cells.texts], "hoverinfo": "skip",
        "texttemplate": "%{text}", "textfont": {"size": 13}, "showscale": False,
        "colorscale": "Cividis", "reversescale": cells.dark_is_high,
    }  # fmt: skip


def _note(note: Note) -> dict[str, Any]:
    beside = note.side == "right"
    return {
        "x": note.x, "y": note.y, "text": _text(note.text), "showarrow": False,
        "font": {"size": 11}, "xanchor": "left" if beside else "center", "xshift": 4 * beside,
        "yanchor": {"above": "bottom", "below": "top"}.get(note.side, "middle"),
        **({"bgcolor": "rgba(128,128,128,0.15)"} if beside else {}),
    }  # fmt: skip


def _named(name: str) -> dict[str, Any]:
    return {"name": _text(name), "showlegend": True} if name else {"showlegend": False}


def _hover(texts: Any) -> dict[str, Any]:
    if texts is None:
        return {"hoverinfo": "skip"}
    return {"text": [_text(text) for text in texts], "hovertemplate": "%{text}<extra></extra>"}


def _numbers(values: Any) -> list[float | None]:
    """Seven figures are more than a screen has."""
    return [float(f"{v:.7g}") if np.isfinite(v) else None for v in np.ravel(values).tolist()]


def _text(value: str) -> str:
    """Text as it is, where Plotly would read HTML in it."""
    return html.escape(value, quote=False).replace("\n", "<br>")
