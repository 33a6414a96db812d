"""Bars of a notebook: one output of a cell that is replaced as work proceeds, empty at the end."""

import html
import importlib
import sys
import time
from typing import Any

from rich.progress import Progress

_PAUSE = 0.25  # seconds between two pictures


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, and so can show HTML."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class NotebookBars:
    """The visible tasks of `bars`, which itself is not started."""

    def __init__(self, bars: Progress):
        self._bars, self._output = bars, None
        self._due = 0.0

    def show(self) -> None:
        """Show how they stand, unless they were shown a moment ago."""
        if (now := time.monotonic()) < self._due or not self._bars.tasks:
            return
        self._due = now + _PAUSE
        rows, lines = [], []
        for task in self._bars.tasks:
            if task.visible:
                known = "text" in task.fields  # else it only says what is being done
                name, text = task.description, task.fields.get("text", "")
                lines.append(f"{name} {text}".strip())
                share = f' max="{task.total}" value="{task.completed}"' if known else ""
                cells = (html.escape(name), f"<progress{share}></progress>", html.escape(text))
                rows.append("".join(f"<td>{cell}</td>" for cell in cells))
        table = "".join(f"<tr>{row}</tr>" for row in rows)
        self._put({"text/plain": "\n".join(lines), "text/html": f"<table>{table}</table>"})

    def close(self) -> None:
        """Leave nothing behind."""
        if self._output is not None:
            self._put({"text/plain": "", "text/html": ""})

    def _put(self, shown: dict[str, str]) -> None:
        if self._output is None:
            display: Any = importlib.import_module("IPython.display").display
            self._output = display(shown, raw=True, display_id=True)
        else:
            self._output.update(shown, raw=True)
