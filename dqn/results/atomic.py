"""Files that are there whole or not at all, whenever the process is killed."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".tmp-"


@contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes the place of `path` when all went well.

    The temporary name keeps the suffix and starts with a dot, so readers of a whole folder (pandas,
    pyarrow) pass it over. `durable` has the bytes and the name on the disk itself before returning:
    needed where a later file speaks of this one, not for what can be drawn or computed again.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        yield temporary
        if durable:
            _sync(temporary)
        os.replace(temporary, path)
        if durable:
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A new, empty folder to fill, which takes the place of `path` when all went well.

    Files of the old one and of the new are never seen together. No system call swaps two folders
    everywhere, so a kill between two renames can leave no `path`: for what can be made again.
    """
    fresh, old = (path.with_name(f"{TEMPORARY}{os.getpid()}-{n}-{path.name}") for n in (0, 1))
    try:
        fresh.mkdir()
        yield fresh
        if path.exists():
            os.replace(path, old)
        os.replace(fresh, path)
    finally:
        for temporary in (fresh, old):
            shutil.rmtree(temporary, ignore_errors=True)


def own_folder(path: Path) -> Path:
    """`path`, made if it is not there; raises `OSError` for a link, which may lead anywhere."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, f"{path.name} is a link to another place")
    path.mkdir(exist_ok=True)
    return path


def refuse_links(folder: Path) -> None:
    """Raise `OSError` where something in `folder` is a link: what is written there stays there."""
    for path in folder.iterdir():
        if path.is_symlink():
            raise OSError(errno.ELOOP, f"{path.name} in it is a link to another place")


def remove_temporaries(folder: Path) -> None:
    """Remove what killed processes left half-written in `folder` and below."""
    for temporary in list(folder.rglob(f"{TEMPORARY}*")):
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
