"""What a call from Python does otherwise than a command: notices are warnings, bars can be off."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dqn.runtime.notices import heard_by, notice
from dqn.runtime.standard_streams import refuse_system
from dqn.terminal.console import showing

_PACKAGES = tuple(
    f"{path}/" for path in (Path(__file__).parents[1], Path(__file__).parents[2] / "sweeps")
)


@contextmanager
def python_call(progress: bool = True) -> Iterator[Callable[[str], None]]:
    """Have notices raise `UserWarning`s of the caller's line, and show progress or none.

    What is given says such a notice.
    """
    refuse_system()
    with showing(progress), heard_by(_warn):
        yield notice


def _warn(line: str) -> None:
    """A warning at the line outside of this project that led here."""
    frame, level = sys._getframe(1), 2
    while frame is not None and _is_inner(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    warnings.warn(line.removeprefix("warning: "), UserWarning, stacklevel=level)


def _is_inner(file: str) -> bool:
    return file.startswith(_PACKAGES) or file.endswith("contextlib.py")
