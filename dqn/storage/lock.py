"""One command at a time writes to a folder of results, where the file system has locks."""

import contextlib
import os
from pathlib import Path

from dqn.runtime.errors import UserError
from dqn.runtime.notices import notice
from dqn.runtime.standard_streams import refuse_system

FILE = ".lock"


class Lock:
    """Held from the moment it is made until `close`, or until its process has ended.

    Raises `UserError` where another process holds it, `OSError` where its file cannot be opened. On
    a file system without locks (some of clusters) it holds nothing, and standard error says so.

    `was_killed` says whether the last to hold it never closed it.
    """

    def __init__(self, folder: Path):
        refuse_system()
        import fcntl  # not on Windows

        self._file = (folder / FILE).open("a", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            process = (folder / FILE).read_text(encoding="utf-8", errors="replace") or "unknown"
            raise UserError(
                f"{folder}: one run at a time may write here, process {process} does; wait for "
                "it, or choose another folder with name=NAME"
            ) from error
        except OSError as error:
            notice(
                f"{folder}: this file system has no locks ({error.strerror or error}): two "
                "commands must not use this folder at the same time"
            )
        try:
            self.was_killed = (folder / FILE).stat().st_size > 0
            self._file.truncate(0)
            self._file.write(str(os.getpid()))
            self._file.flush()
        except BaseException:
            self._file.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether it was let go of."""
        return self._file.closed

    def close(self) -> None:
        """Let another process have it."""
        with self._file, contextlib.suppress(OSError):
            self._file.truncate(0)


def is_held(folder: Path) -> bool:
    """Whether a process writes to a folder of results; False where there are no locks to tell by.

    Nobody is kept waiting: a lock that was let go of is empty, and is not tried.
    """
    import fcntl

    try:
        with (folder / FILE).open("rb") as file:
            if not file.read(1):
                return False
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False
