"""A `Plot` as a PNG, drawn without pyplot: nothing global changes, nothing needs a screen.

Or in axes of whoever asked for it; then new ones are pyplot's, which a notebook shows.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis as MatplotlibAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from dqn.plotting.plot import Axis, Band, Bars, Cells, Level, Line, Note, Plot
from dqn.plotting.style import BLACK, BLUE, DASHES, GREY, MARKS
from dqn.runtime.atomic_write import replacing
from dqn.statistics.formatting import format_number
from dqn.storage.layout import MADE_BY

_WIDTH, _HEIGHT, _DPI = 7.2, 4.4, 130
_LETTERS_PER_INCH = 11  # of the labels along an axis, beyond which they would touch
_LONG = 40  # letters in a legend, beyond which each name has a line of its own


def look_for_ipython() -> None:
    """Have Matplotlib do so now: one that another thread has imported by half it cannot read."""
    Figure().savefig(io.BytesIO())


def write_png(path: Path, plot: Plot) -> None:
    """Write a plot to `path`, whole or not at all."""
    figure = Figure(figsize=_size(plot), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    _draw(axes, plot, figure.get_figwidth())
    axes.set_title(_text(plot.title), loc="left", fontsize=12)
    _finish(figure, path)


def write_panels(
    path: Path, plots: Sequence[Plot], title: str, columns: int, size: tuple[float, float]
) -> None:
    """The same of several plots side by side, `size` inches each, with one y axis for all."""
    rows = -(-len(plots) // columns)
    width, height = size
    figure = Figure((width * columns, height * rows + 0.6), dpi=_DPI, layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, plot in zip(panels.flat, plots, strict=False):
        _draw(axes, plot, width)
        axes.set_title(_text(plot.title), loc="left", fontsize=10)
    for axes in panels.flat[len(plots) :]:
        axes.set_visible(False)
    for axes in panels[:, 1:].flat:
        axes.set_ylabel("")
    figure.suptitle(_text(title), x=0.01, ha="left", fontsize=11)
    _finish(figure, path)


def draw_in(plot: Plot, axes: Axes | None = None) -> Axes:
    """Draw a plot in `axes`, with its title and its legend; by default in a new figure of pyplot.

    The axes are given back, to be changed like any other.
    """
    if axes is None:
        from matplotlib import pyplot  # not above: it may choose a screen

        _, axes = pyplot.subplots(figsize=_size(plot), layout="constrained")
        legend: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (0.0, -0.14)}
        columns, sizes = 4, (12, 9)
    else:  # it may be small
        legend, columns, sizes = {"loc": "best"}, 1, (10, 8)
    _draw(axes, plot, axes.figure.get_figwidth())
    axes.set_title(_text(plot.title), loc="left", fontsize=sizes[0])
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        columns = 1 if max(map(len, labels)) > _LONG else columns
        axes.legend(handles, labels, ncols=columns, frameon=False, fontsize=sizes[1], **legend)
    return axes


def _size(plot: Plot) -> tuple[float, float]:
    """Width and height in inches."""
    height = 1.7 + 0.36 * plot.rows if plot.rows else _HEIGHT
    return max(_WIDTH, 1.25 * plot.columns), height


def plain(axes: Axes) -> None:
    """A light grid below what is drawn, and no frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)


def _finish(figure: Figure, path: Path) -> None:
    """Add the legend of the first axes, and write the file."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        columns = 1 if max(map(len, labels)) > _LONG else 4
        figure.legend(
            handles, labels, loc="outside lower left", ncols=columns, frameon=False, fontsize=9
        )
    with replacing(path) as temporary:
        # Of the time that a report takes to draw, a tenth is for the last 8 % of bytes.
        less: Any = {"compress_level": 3}
        figure.savefig(temporary, metadata={"Software": MADE_BY}, pil_kwargs=less)


def _draw(axes: Axes, plot: Plot, width: float) -> None:
    plain(axes)
    for mark in plot.marks:
        match mark:
            case Line():
                _line(axes, mark)
            case Band():
                axes.fill_between(
                    mark.x, mark.low, mark.high, color=mark.colour, alpha=0.2, lw=0,
                    label=_label(mark.name), step="post" if mark.step else None,
                    where=np.isfinite(mark.low) & np.isfinite(mark.high),  # pyright: ignore[reportArgumentType]
                )  # fmt: skip
            case Bars():
                axes.barh(mark.y, _finite(mark.x), color=BLUE, height=0.6, label=_label(mark.name))  # pyright: ignore[reportArgumentType]
            case Level():
                style: Any = {"color": BLACK, "lw": 1, "ls": DASHES[mark.dash], "zorder": 1}
                axes.axhline(mark.y, label=_label(mark.name), **style)
            case Cells():
                _cells(axes, mark)
            case Note():
                _note(axes, mark)
    if plot.footnote:
        place: Any = {"transform": axes.transAxes, "fontsize": 8, "color": GREY}
        axes.text(0.0, -0.16, _text(plot.footnote), **place)
    _axis(axes.xaxis, plot.x, plot.decades("x"), width)
    _axis(axes.yaxis, plot.y, plot.decades("y"), 0.0)


def _line(axes: Axes, line: Line) -> None:
    open_mark = line.mark.endswith("-open")
    edge = {"mec": line.colour, "mew": 3.0 if line.mark == "line-ns-open" else 1.3}
    style: dict[str, Any] = {
        "color": line.colour, "lw": line.width, "ls": DASHES[line.dash] if line.width else "none",
        "alpha": line.opacity, "label": _label(line.name), "ms": line.size, "zorder": 2.5,
        "drawstyle": "steps-post" if line.step else "default",
    }  # fmt: skip
    if line.mark:
        style |= {"marker": MARKS[line.mark], "markevery": line.marked}
        style |= edge if open_mark else {"mec": "white", "mew": 0.5}
        style |= {"mfc": "none"} if open_mark else {}
    if line.x_error is None and line.y_error is None:
        axes.plot(line.x, _finite(line.y), **style)
    else:
        style |= {"capsize": 4, "elinewidth": 2}
        axes.errorbar(_finite(line.x), _finite(line.y), line.y_error, line.x_error, **style)  # pyright: ignore[reportArgumentType]


def _cells(axes: Axes, cells: Cells) -> None:
    axes.grid(visible=False)
    colours = colormaps["cividis_r" if cells.dark_is_high else "cividis"]
    image = axes.imshow(_finite(cells.values), origin="lower", cmap=colours, aspect="auto")
    axes.figure.colorbar(image, ax=axes, label=cells.title)
    for y, row in enumerate(cells.texts):
        for x, text in enumerate(row):
            value = cells.values[y, x]
            red, green, blue = image.cmap(image.norm(value))[:3] if np.isfinite(value) else (1,) * 3
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            style: Any = {"ha": "center", "va": "center", "fontsize": 9}
            axes.text(x, y, _text(text), color="white" if dark else "black", **style)


def _note(axes: Axes, note: Note) -> None:
    vertical = {"above": "bottom", "below": "top"}.get(note.side, "center")
    style: Any = {"ha": "left" if note.side == "right" else "center", "va": vertical}
    background = {"fc": "white", "ec": "none", "pad": 1}
    axes.text(note.x, note.y, _text(note.text), fontsize=8, bbox=background, zorder=5, **style)


def _axis(drawn: MatplotlibAxis, axis: Axis, decades: float, width: float) -> None:
    """Labels are plain numbers; on a logarithmic axis more a decade the fewer decades there are."""
    name = drawn.axis_name
    axes: Any = drawn.axes
    drawn.set_label_text(_text(axis.title))
    if axis.log:
        getattr(axes, f"set_{name}scale")("log")
        few = LogLocator(subs=(1.0, 2.0, 5.0)) if decades < 2.5 else LogLocator()
        drawn.set_major_locator(MaxNLocator(6) if decades < 1.0 else few)
        drawn.set_minor_locator(NullLocator())
        drawn.set_major_formatter(FuncFormatter(lambda value, _: format_number(value, 6)))
    elif name == "x":
        drawn.set_major_locator(MaxNLocator(8 if axis.whole else 7, integer=axis.whole))
    if axis.percent:
        drawn.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if axis.ticks is not None:
        places, labels = [place for place, _ in axis.ticks], [_text(text) for _, text in axis.ticks]
        slant: Any = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
        dense = sum(map(len, labels)) > _LETTERS_PER_INCH * width > 0
        drawn.set_ticks(places, labels, fontsize=9, **(slant if dense else {}))
        drawn.set_minor_locator(NullLocator())
    if axis.from_zero:
        axes.set(**{f"{name}lim": (0, None)})
    if axis.limits is not None:
        axes.set(**{f"{name}lim": axis.limits})
    if axis.bare:
        drawn.grid(visible=False)
        drawn.set_tick_params(length=0)
        axes.spines["bottom" if name == "x" else "left"].set_visible(False)


def _finite(values: Any) -> np.ndarray:
    values = np.asarray(values, float)
    return np.where(np.isfinite(values), values, np.nan)


def _label(name: str) -> str:
    return _text(name) if name else "_nolegend_"


def _text(value: str) -> str:
    """Text as it is, where Matplotlib would read mathematics in it."""
    return value.replace("$", r"\$")
