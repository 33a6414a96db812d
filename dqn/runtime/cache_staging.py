"""The folder in which TensorFlow finds and leaves compiled programs, one at a time.

It is not trusted with the cache itself. Of a file there that was cut it makes an error, one with a
wrong bit in its code it runs, and where it cannot write it fails. So it is given a folder that is
there while a program is compiled and holds nothing but that program, if it was kept and is whole.
"""

import atexit
import contextlib
import errno
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dqn.runtime.atomic_write import remove

PREFIX = ".tmp-dqn-programs-"
_LEAST = 64_000_000  # bytes that must be free: programs have one to ten million
_AGE = 3600.0  # seconds after which what a killed process has left is nobody's
_UNSAFE = set(" \t\r\n\"'\\")  # in TF_XLA_FLAGS these do not stand for themselves


class Staging:
    """One process's such folder; `path` is where TensorFlow looks, None where nowhere has room.

    It leads to a folder in any of `places`, of which the first that has room is its own.
    """

    def __init__(self, places: Sequence[Path]):
        self._name = f"{PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
        safe = [place for place in places if _UNSAFE.isdisjoint(str(place))]
        self.places = [place for place in safe if _has_room(place)]
        self.path = self.places[0] / self._name if self.places else None
        if self.path is not None:
            _sweep(self.path.parent)
            atexit.register(self._remove)

    @contextlib.contextmanager
    def holding(self, place: Path, name: str, program: bytes) -> Iterator[Path]:
        """The folder, in `place`, with `program` in a file of that name if any; then removed."""
        assert self.path is not None
        folder = place / self._name
        try:
            with contextlib.suppress(OSError):  # then TensorFlow makes it, or says why not
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if folder != self.path:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    self.path.symlink_to(folder)
                if program:
                    (folder / name).write_bytes(program)
            yield self.path
        finally:
            self._remove()

    def _remove(self) -> None:
        for place in self.places:
            with contextlib.suppress(OSError):
                remove(place / self._name)


def places(folder: Path | None) -> list[Path]:
    """Where such a folder may be: beside what is kept, in memory, among temporary files."""
    found = [*([folder] if folder else []), Path("/dev/shm")]
    with contextlib.suppress(OSError):  # there is none that can be written to
        found.append(Path(tempfile.gettempdir()))
    return found


def refuse_full(place: Path) -> None:
    """Raise `OSError` where nothing can be written, or not several programs."""
    about = os.statvfs(place)
    if about.f_bavail * about.f_frsize < _LEAST:
        raise OSError(errno.ENOSPC, "the disk is full")
    with tempfile.TemporaryFile(dir=place, prefix=PREFIX) as file:
        file.write(b"0")


def _has_room(place: Path) -> bool:
    try:
        refuse_full(place)
    except OSError:
        return False
    return True


def _sweep(place: Path) -> None:
    """Remove what processes that were killed while they compiled have left."""
    for left in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.lstat().st_mtime > _AGE and left.is_dir():
                remove(left)
