"""One HTML file out of summaries and sections by page.html; it asks no network for anything."""

import base64
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape
from PIL import Image

from dqn.statistics.metrics import METRICS
from sweeps.report.figures import Figure
from sweeps.report.headline import Summary
from sweeps.report.plotly_json import to_plotly

_HERE = Path(__file__).parent
_COLOURS = 64


@dataclass(frozen=True)
class Table:
    """Rows of text under their headings."""

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[str] = ()
    """Columns that are flush left."""


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

    def __post_init__(self):
        object.__setattr__(self, "parts", [part for part in self.parts if part])

    @property
    def figures(self) -> list[Figure]:
        """All that it shows."""
        rows = [part if isinstance(part, list) else [part] for part in self.parts]
        return [cell for row in rows for cell in row if isinstance(cell, Figure)]


def page(title: str, summaries: Sequence[Summary], sections: Sequence[Section], plotly: str) -> str:
    """The whole file; `plotly` is the library's JavaScript, "" where no section has a figure."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "chart": lambda figure: to_plotly(figure.plot),
        "image": _image,
        "marked": _marked,
    }
    return environment.get_template("page.html").render(
        title=title,
        metrics=METRICS.values(),
        summaries=summaries,
        sections=sections,
        plotly=plotly,
    )


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


def _marked(text: str) -> Markup:
    """Escaped, and code where it has backquotes."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _image(figure: Figure) -> str:
    """Its PNG in a third of its bytes: few colours are enough for what is printed from the page."""
    small = io.BytesIO()
    with Image.open(figure.path) as image:
        image.convert("RGB").quantize(_COLOURS).save(small, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(small.getvalue()).decode()}"
