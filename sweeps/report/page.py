"""One HTML file out of parts: text, tables, figures. It asks no network for anything.

Built as a tree of elements and only then written, so that whatever a name or a value holds stays
text. Style and behaviour are `page.css` and `page.js`.
"""

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

Element = ElementTree.Element
Part = Element | str | None

_SHOWN, _WHOLE = 25, 60  # rows that are there at once of a table of more than so many


@dataclass(frozen=True)
class Picture:
    """A figure: to point at where there is JavaScript, and as an image on paper and where not."""

    name: str
    title: str
    caption: str
    chart: str
    """JSON of a plotly figure."""
    image: bytes
    """PNG."""
    wide: bool = False
    """Whether it needs more room than a phone has, and is moved sideways there."""


@dataclass(frozen=True)
class Table:
    """Rows of text under their headings."""

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[str] = field(default=())
    """Columns that are flush left."""


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; `name` is what links call it."""

    name: str
    title: str
    parts: Sequence[Part | Picture | Table | list[Picture]]
    """A list of pictures stands side by side where there is room."""


def element(tag: str, *parts: Part, **attributes: str | None) -> Element:
    """An element with text and elements in it; `class_="a"` is class, `aria_label` aria-label.

    An attribute that is None is left out.
    """
    names = {name: name.rstrip("_").replace("_", "-") for name in attributes}
    made = Element(tag, {names[n]: value for n, value in attributes.items() if value is not None})
    last: Element | None = None
    for part in parts:
        if isinstance(part, str):
            if last is None:
                made.text = (made.text or "") + part
            else:
                last.tail = (last.tail or "") + part
        elif part is not None:
            made.append(part)
            last = part
    return made


def page(title: str, top: Iterable[Part], sections: Sequence[Section], plotly: str) -> str:
    """The whole file; `plotly` is the library's JavaScript, "" where no section has a figure."""
    links = [element("a", section.title, href=f"#{section.name}") for section in sections]
    body = element(
        "body",
        element("a", "To the leaderboard", href=f"#{sections[0].name}", class_="skip"),
        element("header", *top),
        element("nav", *links, aria_label="Sections"),
        element("main", *map(_section, sections)),
        element("script", plotly) if plotly else None,
        element("script", _file("page.js")),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", _file("page.css")),
    )
    made = element("html", head, body, lang="en")
    return f"<!doctype html>\n{ElementTree.tostring(made, 'unicode', method='html')}\n"


def of_task(section: Section, task: str, name: str) -> Section:
    """A section of one of several tasks on a page: what links call `name` in front."""

    def named(part: Any) -> Any:
        if isinstance(part, list):
            return [named(one) for one in part]
        is_named = isinstance(part, Picture | Table)
        return replace(part, name=f"{name}-{part.name}") if is_named else part

    parts = [named(part) for part in section.parts]
    return Section(f"{name}-{section.name}", f"{section.title} · {task}", parts)


def paragraph(text: str, class_: str | None = None) -> Element:
    """Text in which `…` between backquotes is code."""
    parts = re.split(r"`([^`]*)`", text)
    marked = (element("code", part) if n % 2 else part for n, part in enumerate(parts))
    return element("p", *marked, class_=class_)


def _section(section: Section) -> Element:
    heading = f"{section.name}-heading"
    return element(
        "section",
        element("h2", section.title, id=heading),
        *map(_part, section.parts),
        id=section.name,
        aria_labelledby=heading,
    )


def _part(part: Part | Picture | Table | list[Picture]) -> Part:
    if isinstance(part, Picture):
        return _picture(part)
    if isinstance(part, list):
        return element("div", *map(_picture, part), class_="pair")
    return _table(part) if isinstance(part, Table) else part


def _picture(picture: Picture) -> Element:
    image = f"data:image/png;base64,{base64.b64encode(picture.image).decode()}"
    height = json.loads(picture.chart)["layout"]["height"]
    return element(
        "figure",
        element("h3", picture.title),
        element(
            "div",
            element("div", class_="chart", style=f"height:{height}px"),
            class_="box wide" if picture.wide else "box",
            tabindex="0" if picture.wide else None,
        ),
        element("img", class_="still", src=image, alt=f"{picture.title}. {picture.caption}"),
        element("figcaption", picture.caption),
        element("script", _inert(picture.chart), type="application/json"),
        id=picture.name,
    )


def _table(table: Table) -> Element:
    words = [column in table.words for column in table.columns]
    kinds = ["word" if word else None for word in words]
    head = element("tr", *(
        element("th", element("button", title, type="button"), scope="col", class_=kind)
        for title, kind in zip(table.columns, kinds, strict=True)
    ))  # fmt: skip
    body = element("tbody")
    many = len(table.rows) > _WHOLE
    for row in table.rows[: _SHOWN if many else _WHOLE]:
        cells = zip(row, kinds, strict=True)
        body.append(element("tr", *(element("td", cell, class_=kind) for cell, kind in cells)))
    all_rows = json.dumps([list(row) for row in table.rows], ensure_ascii=False) if many else ""
    return element(
        "div",
        element("p", table.caption, class_="note"),
        element(
            "div",
            element("table", element("thead", head), body),
            class_="box",
            tabindex="0",
            role="region",
            aria_label=table.caption,
        ),
        element("script", _inert(all_rows), type="application/json") if many else None,
        element("button", f"Show all {len(table.rows):,}", type="button", class_="all", hidden="")
        if many
        else None,
        element("p", f"The first {_SHOWN} of {len(table.rows):,}.", class_="some note")
        if many
        else None,
        class_="table",
        id=table.name,
    )


def _inert(text: str) -> str:
    """JSON in which nothing ends a script or begins a comment."""
    return text.replace("<", "\\u003c")


def _file(name: str) -> str:
    return files("sweeps.report").joinpath(name).read_text("utf-8")


def definitions(pairs: Iterable[tuple[str, Any]]) -> Element:
    """A list of names and values."""
    terms = [
        part for name, value in pairs for part in (element("dt", name), element("dd", str(value)))
    ]
    return element("dl", *terms)
