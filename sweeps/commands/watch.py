"""`python -m sweeps watch`: the page of a run, a grid or a study while it trains.

It goes by the folder's files alone: what trains is not asked, and not waited for.
"""

import argparse
import contextlib
import math
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, TextColumn

from dqn.runtime.atomic_write import replacing
from dqn.runtime.errors import RunError, UserError, must_be
from dqn.runtime.interrupts import ctrl_c
from dqn.statistics.formatting import count
from dqn.storage.reader import read, read_so_far
from dqn.terminal.console import Screen
from sweeps.analysis.held_out import FOLDER as VALIDATION
from sweeps.commands.list import (
    OUTPUTS,
    Entry,
    best_text,
    entry_of,
    progress_text,
    status_of,
)
from sweeps.commands.report import PAGE, report, report_on

EXAMPLES = """\
examples
  python -m sweeps watch cartpole                        outputs/sweeps/cartpole, or outputs/runs/
  python -m sweeps watch outputs/runs/a --interval 10    looks for something new every 10 s
  python -m sweeps watch cartpole --once                 the page as it is now
"""
AT_WORK = ("running", "validating")
_LOOK = 2.0  # seconds between looks at the files
_BETWEEN = 10.0  # seconds without anybody at work after which a study, or its validation, is over
_SHARE = 0.1  # of the time, at most, goes into making pages
_FILES = ("seeds.csv", "trials.csv", "validation.csv", f"{VALIDATION}/seeds.csv")
_REFRESH = re.compile(r'<meta http-equiv="refresh" content="\d+">\n')

Mark = tuple[tuple[int, int] | None, ...]
"""Of each file that a page is made from, when it was last written and its size."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `watch`."""
    add = parser.add_argument
    add("name", metavar="NAME", help="of a folder in outputs/sweeps or outputs/runs, or its path")
    add(
        "--interval", type=_seconds, default=30, metavar="S",
        help="seconds between two pages at least (default: 30)",
    )  # fmt: skip
    add("--once", action="store_true", help="make the page once")


def watch(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Make the page anew whenever there is something new, until nobody trains there or Ctrl-C.

    Status, text, plain values: those of the last page. Raises `UserError` for what is no folder of
    results, or has nothing in it and is not trained; `RunError` where the last page cannot be made.
    """
    folder = folder_named(args.name)
    args = argparse.Namespace(folder=folder, metric=None, **vars(args))
    read_so_far(folder)  # refuse now what can never be shown
    if args.once:
        return report(args)
    try:
        with ctrl_c() as stop, Watch(args) as seen:
            is_over = seen.follow(stop.wait)
        if is_over:
            return report(args)
    finally:
        keep_still(folder / PAGE)
    what = f"no longer watched; {seen.entry.status}: {progress_text(seen.entry)}"
    made = f"\nwritten: {folder / PAGE}" if seen.pages else ""
    return 0, what + made, {"report": str(folder / PAGE) if seen.pages else None}


def folder_named(name: str) -> Path:
    """The folder of results at a path, or of a name in outputs/; `UserError` where there is none.

    A sweep of a name comes before a run of it.
    """
    for folder in (Path(name), OUTPUTS / "sweeps" / name, OUTPUTS / "runs" / name):
        if folder.is_dir():
            return folder
    rule = f"a folder of results, or the name of one in {OUTPUTS}/sweeps or {OUTPUTS}/runs"
    raise must_be("NAME", rule, name, "python -m sweeps list shows what is there")


class Watch(Screen):
    """One folder, looked at again and again: a bar on a terminal, lines elsewhere; and its page."""

    def __init__(self, args: argparse.Namespace, clock: Callable[[], float] = time.monotonic):
        super().__init__("", BarColumn(24), TextColumn("{task.fields[text]}"))
        self._args, self._folder, self._clock = args, args.folder, clock
        self._bar = self.bars.add_task("", total=1.0, text="looking ...")
        self._seen: Mark | None = None
        self._shown: Mark | None = None
        """Of what the page shows."""
        self._due = -1.0
        self._best = self._line = ""  # what was said last
        self.entry: Entry = Entry(self._folder)
        self.pages = 0
        """How many were made."""

    def follow(self, wait: Callable[[float], bool]) -> bool:
        """Until nobody trains there: True; or until `wait`, for so many seconds, says to stop."""
        at_work = -math.inf  # when it was last seen to train
        while True:
            self._look()
            if self.entry.status in AT_WORK:
                at_work = self._clock()
            elif self._clock() >= at_work + (_BETWEEN if self.entry.kind == "study" else 0.0):
                return True
            if self._seen != self._shown and self.entry.best and self._clock() >= self._due:
                self._page()
            if wait(min(_LOOK, self._args.interval)):
                return False

    def _look(self) -> None:
        """See how far it is; the tables are read where they are not what they were."""
        mark = mark_of(self._folder)
        if mark != self._seen:
            with contextlib.suppress(UserError, RunError, OSError):  # caught between two files
                self.entry = entry_of(read_so_far(self._folder))
                self._seen = mark
        status = status_of(self._folder, self.entry.over >= self.entry.asked)
        self.entry = replace(self.entry, status=status)
        self._show()

    def _show(self) -> None:
        entry, share = self.entry, self.entry.over / max(1, self.entry.asked)
        text = f"{entry.status} · {progress_text(entry)} done"
        if entry.failed:
            text += f" · {entry.failed} failed"
        if entry.status == "validating":
            with contextlib.suppress(UserError, RunError, OSError):
                rows = read_so_far(self._folder / VALIDATION).rows.values()
                text = f"validating · {count(sum(map(len, rows)), 'training')} on new seeds done"
        elif entry.status == "running":
            text += self.time_left(share)
        self.bars.update(self._bar, completed=min(1.0, share), text=text)
        best = "; ".join(best_text(best, entry.kind) for best in entry.best)
        if best and best != self._best:
            self._best = best
            self.above(f"best so far: {best}")
        line = f"{text}; best so far: {best}" if best else text
        if line != self._line:
            self.now_and_then(line)

    def line(self, text: str) -> None:
        """As `Screen.line`."""
        self._line = text
        super().line(text)

    def _page(self) -> None:
        """Make the page; it loads itself again for as long as it is watched."""
        began, mark = self._clock(), self._seen
        interval = round(self._args.interval)
        try:
            report_on(
                self._args, read(self._folder), self._tell, lambda html: reloading(html, interval)
            )
            self.pages += 1
            if self.pages == 1:
                self.notice(f"written, and written again when there is more: {self._folder / PAGE}")
        except RunError as error:
            self.notice(f"{error}; tried again")
        self._shown = mark
        took = self._clock() - began
        self._due = self._clock() + max(self._args.interval, took / _SHARE)

    def _tell(self, step: str) -> None:
        self.bars.update(self._bar, text=step)


def mark_of(folder: Path) -> Mark:
    """Which files a page would be made from: the same as long as there is nothing new."""
    found = []
    for name in _FILES:
        try:
            about = os.stat(folder / name)
            found.append((about.st_mtime_ns, about.st_size))
        except OSError:
            found.append(None)
    return tuple(found)


def reloading(html: str, seconds: int) -> str:
    """The page, which loads itself again after so many seconds."""
    return html.replace("</head>", f'<meta http-equiv="refresh" content="{seconds}">\n</head>', 1)


def keep_still(page: Path) -> None:
    """Have a page that loads itself again, if there is one, no longer do so."""
    with contextlib.suppress(OSError):
        html = page.read_text(encoding="utf-8")
        head, end, body = html.partition("</head>")
        still = _REFRESH.sub("", head, count=1) + end + body
        if still != html:
            with replacing(page) as temporary:
                temporary.write_text(still, encoding="utf-8")


def _seconds(text: str) -> float:
    number = float(text)
    if not 1 <= number < 1e6:
        raise argparse.ArgumentTypeError(f"must be a number of seconds >= 1, got {text}")
    return number


_seconds.__name__ = "number of seconds >= 1"  # argparse says it of what is no number
