"""What was damaged is kept under another name and reported in one line; it is never overwritten."""

import os
import shutil
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from dqn.runtime.atomic_write import replacing
from dqn.runtime.exit_codes import printable
from dqn.runtime.notices import notice


def copy_aside(path: Path, folder: Path) -> Path:
    """Copy a damaged file into `folder`, under a name that says what it is; the copy's path."""
    aside = _free(path, folder)
    with replacing(aside, durable=True) as temporary:
        shutil.copyfile(path, temporary)
    return aside


def move_aside(path: Path, folder: Path) -> Path:
    """Move a damaged file, or folder, into `folder` likewise; its new path."""
    aside = _free(path, folder)
    os.replace(path, aside)
    return aside


def report(line: str) -> None:
    """One line on standard error."""
    notice(printable(line))


def report_lost(asides: Sequence[tuple[str, Path]], lost: int, store: Path) -> None:
    """One line on `lost` trainings of the `store` of episodes.

    `asides` say of files that were set aside why, and where to.
    """
    many = f"{lost} trainings are" if lost != 1 else "one training is"
    if asides:
        (reason, first), *others = asides
        more = f" and {len(others)} more like it" if others else ""
        report(f"{reason}; it was set aside as {first.name}{more}, {many} trained again")
    elif lost:
        report(f"{store}: the episodes of {lost} trainings are gone; they are trained again")


def _free(path: Path, folder: Path) -> Path:
    name = f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (f"{name}-{n}" if n > 1 else name for n in count(1))
    return next(free for known in names if not os.path.lexists(free := folder / known))
