"""seeds.csv: one line a finished training, appended whole or not at all."""

import math
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import pandas as pd

from dqn.runtime.atomic_write import replacing, sync
from dqn.runtime.errors import RunError
from dqn.storage import columns
from dqn.storage.columns import Cell, Row
from dqn.storage.safe_yaml import refuse_endless
from dqn.storage.seeds_text import RowId, SeedsText, checksum_of, line_of, row_id

__all__ = ["RowId", "SeedsTable", "read_seeds", "read_text"]


class SeedsTable:
    """The rows of seeds.csv at `path`, in memory and on disk; one process at a time may write.

    `hyperparameters` are the names of their columns; as a mapping, with the value that a column has
    where the file lacks it, unless its key is `varied` between trials. Columns are found by name.
    A last line without its end (the process was killed while writing it) is left out. `checksums`
    are those of lines as they were written, and with `is_kept` all of them can be had elsewhere.
    What is damaged is in `text`: nothing is mended, or written, before `rewrite`.

    Raises `RunError`, one line, for a header that cannot be understood. Opening reads the whole
    file, 0.6 s for 20,000 lines; adding a line costs the same whatever is there.
    """

    def __init__(
        self,
        path: Path,
        hyperparameters: Iterable[str],
        varied: Callable[[str], bool] = lambda column: False,
        checksums: Collection[int] = (),
        is_kept: bool = True,
    ):
        self.path = path
        self.hyperparameters = tuple(hyperparameters)
        self.columns = columns.columns_of(self.hyperparameters)
        defaults = hyperparameters if isinstance(hyperparameters, Mapping) else {}
        try:
            refuse_endless(path)
        except ValueError as error:
            raise RunError(f"{path}: {error}; move it away") from error
        raw = path.read_bytes() if path.exists() else b""
        self._data = _with_line_ends(raw)
        self._header = line_of(self.columns).encode()
        sums = frozenset(checksums)
        if checksum_of(self._data[self._data.rfind(b"\n") + 1 :]) in sums:
            self._data += b"\n"  # the last line is whole, but for its end
        self._is_mended = self._data != raw
        cut = b"\n" not in self._data and self._data != self._header[:-1]
        self.is_lost = not self._data.strip() or (is_kept and cut)
        """Whether there is no file, or nothing in it that can be understood."""
        data = self._header if self.is_lost else self._data
        try:
            self.text = SeedsText(data, self.columns, defaults, varied, sums)
        except ValueError as error:
            self.is_lost = is_kept and data.count(b"\n") < 2  # no line but that header
            if not self.is_lost:
                raise RunError(
                    f"{path}, line 1: {error}; it is left as it is: restore that line, or move the "
                    "file away, and the same command makes it from what episodes.parquet keeps"
                ) from error
            self.text = SeedsText(self._header, self.columns)
        self.rows: dict[RowId, Row] = self.text.rows
        """By (trial, seed), in the order they stand in the file; a blank cell is None."""

    @property
    def fits(self) -> bool:
        """Whether the file has our columns in our order, and ends with a whole line."""
        first, end, _ = self._data.partition(b"\n")
        first = first.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\r")
        is_whole = self.text.end == len(self._data) and not self.text.is_padded
        return first + end == self._header and is_whole and not self._is_mended

    @property
    def foreign(self) -> bool:
        """Whether it has columns that are not ours."""
        return not set(self.columns).issuperset(self.text.header)

    def add(self, *rows: Mapping[str, Cell], replaced: Collection[RowId] = ()) -> None:
        """Append rows: a value for every column, None or NaN for a blank.

        Where rows of `replaced` trainings go, it is in one replacement of the file.
        """
        lines = {row_id(row): self.row(row) for row in rows}
        if self.is_lost or replaced:
            kept = {key: row for key, row in self.rows.items() if key not in replaced}
            self._put({**kept, **lines})
            return
        _append(self.path, "".join(map(self.line, lines.values())).encode())
        self.rows.update(lines)

    def row(self, cells: Mapping[str, Cell]) -> Row:
        """A row with our columns alone, None for a blank."""
        return {name: _blank_if_nan(cells[name]) for name in self.columns}

    def line(self, row: Mapping[str, Cell]) -> str:
        """A row's line, with its end."""
        return line_of([_blank_if_nan(row[name]) for name in self.columns])

    def sort(self) -> None:
        """Order the rows by trial and seed, in one replacement of the file unless they are."""
        if list(self.rows) != (ordered := sorted(self.rows)):
            self._put({key: self.rows[key] for key in ordered})

    def frame(self) -> pd.DataFrame:
        """The table as `pandas.read_csv` gives it: NaN where a cell is blank."""
        frame = pd.DataFrame(list(self.rows.values()), columns=list(self.columns))
        blank = [name for name in self.columns if columns.may_be_blank(name)]
        numbers = [
            name for name in blank if bool(frame[name].isna().all())
        ]  # of type object otherwise
        return frame.astype(dict.fromkeys(numbers, float))

    def rewrite(self) -> None:
        """Put the rows as they are now in the place of the file."""
        self._put(dict(self.rows))

    def _put(self, rows: Mapping[RowId, Row]) -> None:
        lines = [line_of(self.columns), *map(self.line, rows.values())]
        with replacing(self.path, durable=True) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")
        self.rows.clear()
        self.rows.update(rows)
        self.is_lost = False


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


def read_seeds(path: Path) -> list[Row]:
    """The rows of the seeds.csv at `path`, in their order; a blank cell is None.

    Raises as `read_text`, also where a column is missing.
    """
    return list(read_text(path).rows.values())


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
        data = _with_line_ends(path.read_bytes())
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


def _with_line_ends(data: bytes) -> bytes:
    if b"\n" not in data and data.count(b"\r") > 1:  # those of an old spreadsheet
        return data.replace(b"\r", b"\n")
    return data


def _blank_if_nan(value: Cell) -> Cell:
    return None if isinstance(value, float) and math.isnan(value) else value


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
