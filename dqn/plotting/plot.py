"""What a figure shows, in plain values: drawn by `png` for paper, and by a report for its page.

Texts are as they are: each renderer escapes what its library would read in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dqn.plotting.style import BLUE


@dataclass(frozen=True)
class Axis:
    """One axis; without limits it shows all that is drawn."""

    title: str = ""
    log: bool = False
    percent: bool = False
    """Whether values are shares."""
    from_zero: bool = False
    whole: bool = False
    """Whether it counts, so that between two numbers there is nothing to label."""
    limits: tuple[float, float] | None = None
    """Numbers, on a logarithmic axis too."""
    ticks: Sequence[tuple[float, str]] | None = None
    """Places and their labels; None leaves them to the renderer."""
    bare: bool = False
    """Whether it has labels alone: no line and no grid."""


@dataclass(frozen=True)
class Line:
    """Points that a line joins, or marks alone where `width` is 0."""

    x: ArrayLike
    y: ArrayLike
    name: str = ""
    """In the legend; "" is not in it."""
    colour: str = BLUE
    width: float = 2.0
    dash: str = "solid"
    mark: str = ""
    size: float = 6.0
    opacity: float = 1.0
    marked: tuple[int, int] = (0, 1)
    """The first point that has a mark, and how many there are from one mark to the next."""
    step: bool = False
    """Whether a value holds up to the next point."""
    x_error: ArrayLike | None = None
    """[2, points]: how far an interval reaches to the left and to the right."""
    y_error: ArrayLike | None = None
    hover: Sequence[str] | None = None
    """What a page says of each point."""


@dataclass(frozen=True)
class Band:
    """An area between two lines, none where one of them is not finite."""

    x: ArrayLike
    low: ArrayLike
    high: ArrayLike
    name: str = ""
    colour: str = BLUE
    step: bool = False


@dataclass(frozen=True)
class Bars:
    """Bars from 0 to `x`, one at each of `y`."""

    x: ArrayLike
    y: ArrayLike
    name: str = ""
    hover: Sequence[str] | None = None


@dataclass(frozen=True)
class Level:
    """A line across the whole figure."""

    y: float
    name: str = ""
    dash: str = "dash"


@dataclass(frozen=True)
class Cells:
    """Colours of `values` [Y, X] in a grid whose cells have their numbers as places."""

    values: NDArray[np.float64]
    texts: Sequence[Sequence[str]]
    title: str
    """Of the scale."""
    dark_is_high: bool = False


@dataclass(frozen=True)
class Note:
    """Text at a point: centred, or "above", "below" or to the "right" of it."""

    x: float
    y: float
    text: str
    side: str = ""


@dataclass(frozen=True)
class Plot:
    """One pair of axes and what is drawn in it, from the back to the front."""

    title: str
    x: Axis
    y: Axis
    marks: Sequence[Line | Band | Bars | Level | Cells | Note]
    rows: int = 0
    """Lines of text up the y axis that there must be room for; 0: the usual height."""
    columns: int = 0
    """The same along the x axis."""
    footnote: str = ""

    def decades(self, axis: str) -> float:
        """How many powers of ten the points on the axis "x" or "y" span."""
        lines = [np.ravel(getattr(mark, axis)) for mark in self.marks if isinstance(mark, Line)]
        values = np.concatenate([*lines, []]).astype(float)
        values = values[np.isfinite(values) & (values > 0)]
        return float(np.ptp(np.log10(values))) if values.size else 0.0
