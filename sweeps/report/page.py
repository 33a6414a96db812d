"""One HTML file out of summaries and sections by page.html; it asks no network for anything."""

import base64
import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from dqn.plotting.plot import Cells
from dqn.statistics.metrics import METRICS
from sweeps.report.figures import Figure
from sweeps.report.headline import Summary
from sweeps.report.plotly_json import to_plotly

_HERE = Path(__file__).parent
_PLOTLY = "plotly-cartesian-*.min.js"


@dataclass(frozen=True)
class Table:
    """Rows of text under their headings."""

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[str] = ()
    """Columns that are flush left."""
    folded: str = ""
    """What it is hidden behind, if it is."""
    is_sorted: bool = True
    """Whether a heading sorts it."""


Part = Markup | Table | Figure | list[Figure]
"""Several figures stand side by side where there is room."""


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; a link calls it by `prefix` and `name`."""

    name: str
    title: str
    parts: Sequence[Any]
    """Each a `Part`; what is none of a section, such as None, is left out."""
    prefix: str = ""
    """Of the names of its tables and figures as well, where one page has several tasks."""
    answers: bool = False
    """Whether it stands before all else."""

    def __post_init__(self):
        object.__setattr__(self, "parts", [part for part in self.parts if part])

    @property
    def figures(self) -> list[Figure]:
        """All that it shows."""
        rows = [part if isinstance(part, list) else [part] for part in self.parts]
        return [cell for row in rows for cell in row if isinstance(cell, Figure)]


@dataclass(frozen=True)
class Task:
    """What a page says of one task."""

    name: str
    """"" where there is one alone."""
    summary: Summary
    sections: Sequence[Section]

    @property
    def answers(self) -> list[Section]:
        """What stands first."""
        return [section for section in self.sections if section.answers]

    @property
    def others(self) -> list[Section]:
        """What stands below the answers of all tasks."""
        return [section for section in self.sections if not section.answers]


def page(title: str, tasks: Sequence[Task]) -> str:
    """The whole file. Without JavaScript it shows the PNGs of `figures.draw`, from beside it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "chart": lambda figure: to_plotly(figure.plot),
        "is_wide": _is_wide,
        "marked": _marked,
    }
    figures = [figure for task in tasks for section in task.sections for figure in section.figures]
    # Their folder stands beside the page; of several tasks, each has one in it.
    top = 3 if len(tasks) > 1 else 2
    sources = {figure.path: quote("/".join(figure.path.parts[-top:])) for figure in figures}
    return environment.get_template("page.html").render(
        title=title,
        metrics=METRICS.values(),
        tasks=tasks,
        sources=sources,
        plotly=plotly() if figures else "",
    )


@cache
def plotly() -> str:
    """The library's JavaScript, of which there is a copy here: gzip in base64, a third as long."""
    (path,) = (_HERE / "vendored").glob(_PLOTLY)
    return base64.b64encode(gzip.compress(path.read_bytes(), mtime=0)).decode()


def paragraph(text: str, style: str = "") -> Markup:
    """A paragraph, in which `…` between backquotes is code; `style` is its class in page.css."""
    kind = Markup(' class="{}"').format(style) if style else ""
    return Markup("<p{}>{}</p>").format(kind, _marked(text))


def code(text: str, folded: str = "") -> Markup:
    """A command or a file; `folded` is what it is hidden behind, if it is."""
    whole = Markup("<pre>{}</pre>").format(text)
    hidden = Markup("<details><summary>{}</summary>{}</details>")
    return hidden.format(folded, whole) if folded else whole


def terms(pairs: Iterable[tuple[str, Any]]) -> Markup:
    """Names and values."""
    each = (Markup("<dt>{}</dt><dd>{}</dd>").format(*pair) for pair in pairs)
    return Markup("<dl>{}</dl>").format(Markup("").join(each))


def _is_wide(figure: Figure) -> bool:
    """Whether a phone has no room for it, so that it is moved sideways there."""
    cells = [len(mark.texts[0]) for mark in figure.plot.marks if isinstance(mark, Cells)]
    return figure.plot.columns > 3 or max(cells, default=0) > 4


def _marked(text: str) -> Markup:
    """Escaped, and code where it has backquotes."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))
