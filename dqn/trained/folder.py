"""A folder of results that is read when it is asked, and again once it has grown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dqn.storage.reader import Results, read_so_far

T = TypeVar("T")


class Folder:
    """A folder of results that is read when it is asked, and again once it has grown."""

    def __init__(self, path: str | Path):
        self.path = Path(path).absolute()
        """The folder, as an absolute path."""
        self._state: tuple[Any, ...] | None = None
        self._results: Results | None = None
        self._made: dict[str, Any] = {}

    @property
    def results(self) -> Results:
        """What the folder holds by now; it may hold no training yet."""
        state = tuple(_state_of(self.path / name) for name in ("seeds.csv", "trials.csv"))
        if self._results is None or state != self._state:
            self._results, self._state = read_so_far(self.path, computed=True), state
            self._made = {}
        return self._results

    def _once(self, what: str, make: Callable[[Results], T]) -> T:
        """What is made of the results, kept until the folder has grown."""
        results = self.results
        if what not in self._made:
            self._made[what] = make(results)
        return self._made[what]


def _state_of(path: Path) -> tuple[int, ...] | None:
    """What changes with a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
