"""Folders of results below another folder, and what they take of the disk."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from dqn.storage.layout import FORMAT_FILE, is_results
from dqn.storage.manifest import CONFIG, SWEEP


def results_below(folder: Path) -> Iterator[tuple[Path, OSError | None]]:
    """Every folder of results at `folder` or below it, in order of their paths.

    Nothing within one is looked into, hidden folders are passed over and links not followed; tables
    alone, as in outputs/reference, are none. A folder that cannot be looked into comes with the
    reason.
    """
    if any(os.path.lexists(folder / n) for n in (FORMAT_FILE, CONFIG, SWEEP)) and is_results(
        folder
    ):
        yield folder, None
        return
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            )
    except OSError as error:
        yield folder, error
        return
    for name in names:
        yield from results_below(folder / name)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder, however deep; what cannot be looked into counts nothing."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                found = os.lstat(os.path.join(place, name))
            except OSError:  # gone meanwhile
                continue
            total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total
