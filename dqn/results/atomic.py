"""Files that are there whole or not at all, whenever the process is killed."""

import errno
import functools
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".tmp-"
# What file systems of networks, of user space and of other systems answer to a sync they have not.
_NO_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_NO_SYNC_OF_FOLDERS = _NO_SYNC | {errno.EACCES, errno.EBADF, errno.EIO, errno.EISDIR, errno.EPERM}


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
            _sync_folder(path.parent)
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


def sync(file: int) -> None:
    """Have what was written to an open file on the disk itself; done without where it cannot be.

    Raises `OSError` where writing has failed.
    """
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
        _say_once(
            f"this file system cannot sync files ({error.strerror or error}): done without; what "
            "was written last may be lost with the machine's power"
        )


@functools.cache
def _say_once(line: str) -> None:
    print(line, file=sys.stderr)


def _sync(path: Path) -> None:
    with _opened(path) as file:
        sync(file)


def _sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk itself, where the file system can do that."""
    try:
        with _opened(path) as folder:
            os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_SYNC_OF_FOLDERS:
            raise


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
