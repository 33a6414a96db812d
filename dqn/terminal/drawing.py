"""Drawing once trainings are over: whatever comes of it, rows and the closing table are shown."""

import sys
from collections.abc import Callable

from dqn.plotting.artefacts import attempt
from dqn.terminal.console import steps


def draw_and_report(what: str, draw: Callable[[], list[str] | None]) -> bool:
    """Draw, and say on standard error what could not be made and why; False after Ctrl-C.

    `draw` gives a line for each file that could not be made; what it raises is one more.
    """
    problems: list[str] = []
    ended = True
    try:
        with attempt("figures", problems), steps() as tell:
            tell(f"drawing {what} ...".replace("  ", " "))
            problems += draw() or []
    except KeyboardInterrupt:
        problems.append("stopped while drawing; the same command draws what is missing")
        ended = False
    for problem in problems:
        print(problem, file=sys.stderr)
    return ended
