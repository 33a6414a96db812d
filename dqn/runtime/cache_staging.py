"""The folder in which TensorFlow finds and leaves compiled programs, one at a time.

It is not trusted with the cache itself. Of a file there that was cut it makes an error, one with a
wrong bit in its code it runs, and where it cannot write it fails. So it is given a folder that is
there while a program is compiled and holds nothing but that program, if it was kept and is whole.
"""

import atexit
import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

PREFIX = ".tmp-dqn-programs-"
_LEAST = 64_000_000  # bytes that must be free: programs have one to ten million
_AGE = 3600.0  # seconds after which what a killed process has left is nobody's
_UNSAFE = set(" \t\r\n\"'\\")  # in TF_XLA_FLAGS these do not stand for themselves


class Staging:
    """One process's such folder, in one of `places`; `path` is where, or None where nowhere is."""

    def __init__(self, places: Sequence[Path]):
        self._name = f"{PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
        self._places = [place for place in places if _UNSAFE.isdisjoint(str(place))]
        self.path = next((p / self._name for p in self._places if _can_write(p)), None)
        if self.path is not None:
            _sweep(self.path.parent)
            atexit.register(self._remove)

    @contextlib.contextmanager
    def holding(self, name: str, program: bytes | None) -> Iterator[Path]:
        """The folder, with `program` in a file of that name if there is one; removed afterwards."""
        assert self.path is not None
        try:
            with contextlib.suppress(OSError):  # then TensorFlow makes it, or says why not
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                if program is not None:
                    (self.path / name).write_bytes(program)
            yield self.path
        finally:
            self._remove()

    def elsewhere(self) -> Iterator[Path]:
        """The other places in turn: the same path leads to a folder in each."""
        assert self.path is not None
        for place in self._places:
            if place == self.path.parent or not _can_write(place):
                continue
            self._remove()
            other = place / self._name
            try:
                other.mkdir(mode=0o700)
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.symlink_to(other)
            except OSError:
                continue
            try:
                yield self.path
            finally:
                self._remove()

    def _remove(self) -> None:
        for place in self._places:
            path = place / self._name
            if path.is_symlink():
                path.unlink(missing_ok=True)
            else:
                shutil.rmtree(path, ignore_errors=True)


def places(folder: Path | None) -> list[Path]:
    """Where such a folder may be: beside what is kept, in memory, among temporary files."""
    found = [] if folder is None else [folder]
    found.append(Path("/dev/shm"))
    with contextlib.suppress(OSError):  # there is none that can be written to
        found.append(Path(tempfile.gettempdir()))
    return found


def has_room(place: Path) -> bool:
    """Whether several programs fit there; raises `OSError` where there is no such folder."""
    about = os.statvfs(place)
    return about.f_bavail * about.f_frsize >= _LEAST


def _can_write(place: Path) -> bool:
    try:
        if not has_room(place):
            return False
        with tempfile.TemporaryFile(dir=place, prefix=PREFIX) as file:
            file.write(b"0")
    except OSError:
        return False
    return True


def _sweep(place: Path) -> None:
    """Remove what processes that were killed while they compiled have left."""
    with contextlib.suppress(OSError):
        for left in place.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if time.time() - left.lstat().st_mtime > _AGE and left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
