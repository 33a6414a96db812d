"""Files that are there whole or not at all, whenever the process is killed."""

import errno
import functools
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dqn.runtime.notices import notice

TEMPORARY = ".tmp-dqn-study-"
_MARK = os.urandom(4).hex()
_IS_TEMPORARY = re.compile(rf"{re.escape(TEMPORARY)}(\d+)-[0-9a-f]{{8}}-(?:([01])-)?(.+)")
_OLD = "1"  # how `replacing_folder` marks what it has put aside for a moment
# What network, user-space and foreign file systems return for a sync that they do not have.
_NO_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_NO_SYNC_OF_FOLDERS = _NO_SYNC | {errno.EACCES, errno.EBADF, errno.EIO, errno.EISDIR, errno.EPERM}


def temporary_name(path: Path, place: str = "") -> Path:
    """A name beside `path` for what will take its place, which nobody else gives to a file."""
    return path.with_name(f"{TEMPORARY}{os.getpid()}-{_MARK}-{place}{path.name}")


@contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes the place of `path` when all went well.

    The temporary name keeps the suffix and starts with a dot, so readers of a whole folder (pandas,
    pyarrow) pass it over. `durable` has the bytes and the name on the disk itself before returning:
    needed where a later file speaks of this one, not for what can be drawn or computed again.
    """
    temporary = temporary_name(path)
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
def replacing_folder(
    path: Path, is_ours: Callable[[str], bool] = lambda name: True
) -> Iterator[Path]:
    """A new, empty folder to fill, which takes the place of `path` when all went well.

    Files of the old one and of the new are never seen together, but for those that `is_ours` denies
    by their path within it: they are the user's, and stay. No system call swaps two folders
    everywhere, so a kill between two renames can leave no `path`; `remove_temporaries` then brings
    the old one back.
    """
    fresh, old = temporary_name(path, "0-"), temporary_name(path, f"{_OLD}-")
    try:
        fresh.mkdir()
        yield fresh
        if path.exists():
            _keep_others(path, fresh, is_ours)
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


def refuse_links(folder: Path, is_ours: Callable[[str], bool] = lambda name: True) -> None:
    """Raise `OSError` where a name in `folder` that `is_ours` is a link, which leads elsewhere."""
    for path in folder.iterdir():
        if path.is_symlink() and is_ours(path.name):
            raise OSError(errno.ELOOP, f"{path.name} in it is a link to another place")


def remove_temporaries(folder: Path, inner: Iterable[str] = ()) -> None:
    """Remove what killed processes left half-written in `folder` and in its folders `inner`.

    Nothing else that is there is looked into, links are not followed, and only whole names as
    `temporary_name` makes them count.
    """
    for place in (folder, *(folder / name for name in inner)):
        if place.is_symlink() or not place.is_dir():
            continue
        for path in list(place.iterdir()):
            found = _IS_TEMPORARY.fullmatch(path.name)
            if found is None or _is_at_work(int(found[1])):
                continue
            _, order, name = found.groups()
            if order == _OLD and path.is_dir() and not os.path.lexists(place / name):
                os.replace(path, place / name)
            else:
                remove(path)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, whichever is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_at_work(process: int) -> bool:
    """Whether another process lives: what it writes is not left over."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _keep_others(old: Path, fresh: Path, is_ours: Callable[[str], bool]) -> None:
    """Have in `fresh` too what is in `old` and not ours, or in the place of nothing of ours."""
    for path in old.rglob("*"):
        name = path.relative_to(old)
        is_folder = path.is_dir() and not path.is_symlink()
        if is_ours(name.as_posix()) or os.path.lexists(fresh / name):
            continue
        if is_folder and any(path.iterdir()):  # made where something in it is kept
            continue
        (fresh / name).parent.mkdir(parents=True, exist_ok=True)
        if is_folder:
            (fresh / name).mkdir()
        else:
            _link_or_copy(path, fresh / name)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target, follow_symlinks=False)


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
            f"this file system cannot sync files ({error.strerror or error}): a power failure may "
            "lose what was written last"
        )


@functools.cache
def _say_once(line: str) -> None:
    notice(line)


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder where the file system can do that, on the disk."""
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            (os.fsync if is_folder else sync)(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if not is_folder or error.errno not in _NO_SYNC_OF_FOLDERS:
            raise
