"""How an object of results looks in a notebook: a heading, and a table of text."""

import html
from collections.abc import Iterable, Sequence
from pathlib import Path

_STYLE = "text-align:right"


def heading(title: str, text: str) -> str:
    """A line of HTML, its title in bold."""
    return f"<p><b>{html.escape(title)}</b>: {html.escape(text)}</p>"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML."""
    head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
    lines = [
        "".join(f'<td style="{_STYLE}">{html.escape(cell)}</td>' for cell in row) for row in rows
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def stopped(path: Path, what: str) -> KeyboardInterrupt:
    """What is raised after Ctrl-C."""
    return KeyboardInterrupt(
        f"stopped: the {what} that had ended are in {path}; the same call resumes with "
        f"folder={str(path)!r}, or with the same name"
    )
