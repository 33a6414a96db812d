"""seeds.csv: one line per finished training, which follows from episodes.parquet."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd

from dqn.runtime.atomic_write import replacing, sync
from dqn.runtime.errors import RunError
from dqn.storage import columns
from dqn.storage.columns import Cell, Row
from dqn.storage.safe_yaml import refuse_endless
from dqn.storage.seeds_text import RowId, SeedsText, line_of


class SeedsTable:
    """seeds.csv at `path`: a line for each of `rows`, in memory by (trial, seed).

    `hyperparameters` are the names of their columns. What the file says follows from `rows`: where
    it is written, nothing in it counts.
    """

    def __init__(self, path: Path, hyperparameters: Iterable[str], rows: dict[RowId, Row]):
        self.path, self.rows = path, rows
        self.hyperparameters = tuple(hyperparameters)
        self.columns = columns.columns_of(self.hyperparameters)
        self.header = line_of(self.columns).encode()

    def read(self) -> bytes:
        """The file as it is, nothing where there is none; `RunError` for what is no file."""
        try:
            refuse_endless(self.path)
        except ValueError as error:
            raise RunError(f"{self.path}: {error}; move it away") from error
        return self.path.read_bytes() if self.path.exists() else b""

    def append(self, rows: Iterable[Row]) -> None:
        """Append the lines of rows that are new; it costs the same whatever is there."""
        _append(self.path, "".join(map(self.line, rows)).encode())

    def write(self) -> None:
        """Put the lines of all rows in the place of the file."""
        lines = "".join(map(self.line, self.rows.values())).encode()
        with replacing(self.path, durable=True) as temporary:
            temporary.write_bytes(self.header + lines)

    def line(self, row: Mapping[str, Cell]) -> str:
        """A row's line, with its end."""
        return line_of([row[name] for name in self.columns])

    def order(self, keys: Iterable[RowId]) -> bool:
        """Have the rows in this order; whether they were in another."""
        ordered = {key: self.rows[key] for key in keys}
        changes = list(ordered) != list(self.rows)
        self.rows.clear()
        self.rows.update(ordered)
        return changes

    def frame(self) -> pd.DataFrame:
        """The table as `pandas.read_csv` gives it: NaN where a cell is blank."""
        frame = pd.DataFrame(list(self.rows.values()), columns=list(self.columns))
        blank = [name for name in self.columns if columns.may_be_blank(name)]
        # A column of blanks alone would be of objects.
        numbers = [name for name in blank if bool(frame[name].isna().all())]
        return frame.astype(dict.fromkeys(numbers, float))


def env_columns(path: Path) -> tuple[str, ...]:
    """Columns of the environment's settings that the seeds.csv at `path` has; none of no file."""
    try:
        refuse_endless(path)
        with path.open("rb") as file:
            first = file.readline().removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except (OSError, ValueError):
        return ()
    names = [name.strip(' "\r\n') for name in re.split("[,;\t]", first)]
    return tuple(name for name in names if name.startswith("env.") and columns.known(name))


def read_text(
    path: Path,
    defaults: Mapping[str, Cell] | None = None,
    varied: Callable[[str], bool] = lambda column: True,
) -> SeedsText:
    """The seeds.csv at `path`: `SeedsText` says what `defaults` and `varied` are for.

    A last line without its end is one that is being written, and left out; columns that are not
    ours are too. Raises `RunError`, with file, line and column, for a damaged file, and for one
    that cannot be opened.
    """
    try:
        refuse_endless(path)
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: must be readable, is not ({error})") from error
    try:
        text = SeedsText(data, defaults=defaults or {}, varied=varied)
    except ValueError as error:
        raise _damaged(path, 1, str(error)) from error
    if text.damage:
        raise _damaged(path, *text.damage[0][:2])
    return text


def _damaged(path: Path, number: int, reason: str) -> RunError:
    return RunError(
        f"{path}, line {number}: {reason}; correct the line, or start the command that wrote it "
        "again: it sets damaged lines aside, and restores or trains anew what they said"
    )


def _append(path: Path, lines: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            written = 0
            while written < len(lines):
                written += file.write(lines[written:])
            sync(file.fileno())
        except OSError:
            os.truncate(path, size)  # a full disk took half a line: the next one must not join it
            raise
