"""seeds.csv: one line a finished training, appended whole or not at all."""

import csv
import io
import math
import os
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from dqn.errors import RunError
from dqn.results import columns, damage
from dqn.results.atomic import replacing, sync
from dqn.results.columns import Cell, Row
from dqn.results.document import refuse_endless

Key = tuple[int, int]
"""(trial, seed)."""


class Seeds:
    """The rows of seeds.csv at `path`, in memory and on disk; one process at a time may write.

    `hyperparameters` are the names of their columns. A last line without its end (the process was
    killed while writing it) is cut off. Of a file that is damaged otherwise what can be read is
    kept: the file is copied to `seeds.csv.damaged-DATE-TIME`, its readable lines are written anew,
    and one line on standard error names the first that was not. Columns are found by their names.

    Opening reads the whole file, 0.6 s for 20,000 lines; adding a line costs the same whatever
    is there.
    """

    def __init__(self, path: Path, hyperparameters: Iterable[str]):
        self.path = path
        self.hyperparameters = tuple(hyperparameters)
        self.columns = columns.columns_of(self.hyperparameters)
        self.rows: dict[Key, Row] = {}
        """By (trial, seed), in the order they stand in the file; a blank cell is None."""
        self._sums: dict[Key, int] = {}  # of the lines as they were read
        if path.exists() and path.stat().st_size:
            self._load()
        else:
            self._rewrite()

    def add(self, *rows: Mapping[str, Cell]) -> None:
        """Append rows: a value for every column, None or NaN for a blank."""
        lines = [{name: _blank_if_nan(row[name]) for name in self.columns} for row in rows]
        _append(self.path, "".join(_line(list(cells.values())) for cells in lines).encode())
        self.rows.update((_key(cells), cells) for cells in lines)

    def remove(self, keys: Iterable[Key]) -> None:
        """Take rows out, in one replacement of the file."""
        for key in keys:
            del self.rows[key]
        self._rewrite()

    def checksum(self, row: Mapping[str, Cell]) -> int:
        """The CRC-32 of a row's line, to be kept elsewhere."""
        return _checksum(_line([_blank_if_nan(row[name]) for name in self.columns]).encode())

    def is_as_written(self, key: Key, checksum: int) -> bool:
        """Whether a row is the one that `checksum` was of; in another form it is still."""
        return self._sums.get(key) == checksum or self.checksum(self.rows[key]) == checksum

    def set_aside(self, keys: Collection[Key]) -> None:
        """Take out rows whose lines have changed since they were written; one line says so."""
        aside = damage.copy_aside(self.path, self.path.parent)
        self.remove(keys)
        trial, seed = min(keys)
        more = f" and {len(keys) - 1} more like it" if len(keys) > 1 else ""
        damage.tell(
            f"{self.path}: the line of trial {trial} seed {seed} must be as it was written, is "
            f"not{more}; what it said is trained again, the file as it was is now {aside.name}"
        )

    def sort(self) -> None:
        """Order the rows by trial and seed, in one replacement of the file unless they are."""
        if list(self.rows) != (ordered := sorted(self.rows)):
            self.rows = {key: self.rows[key] for key in ordered}
            self._rewrite()

    def frame(self) -> pd.DataFrame:
        """The table as `pandas.read_csv` gives it: NaN where a cell is blank."""
        frame = pd.DataFrame(list(self.rows.values()), columns=list(self.columns))
        blank = [name for name in self.columns if columns.may_be_blank(name)]
        numbers = [
            name for name in blank if bool(frame[name].isna().all())
        ]  # of type object otherwise
        return frame.astype(dict.fromkeys(numbers, float))

    def _load(self) -> None:
        data = self.path.read_bytes()
        text = _Text(data, self.columns)
        self.rows, self._sums = text.rows, text.sums
        if text.damage or text.header != self.columns:
            aside = damage.copy_aside(self.path, self.path.parent)
            self._rewrite()
            damage.tell(f"{self.path}{self._told(text)} {aside.name}")
        elif not text.end:  # the header alone, cut at its very end
            self._rewrite()
        elif text.end < len(data):
            os.truncate(self.path, text.end)

    def _told(self, text: "_Text") -> str:
        if not text.damage:
            return ": its columns were not as this program writes them; the file as it was is now"
        number, reason = text.damage[0]
        lines = len(text.damage)
        if number == 1:
            return f", line 1: {reason}; all its seeds are trained again, the file is now"
        what = f"{lines} such lines are" if lines > 1 else "the line is"
        return f", line {number}: {reason}; what it said is trained again, {what} set aside in"

    def _rewrite(self) -> None:
        lines = [
            self.columns,
            *([row[name] for name in self.columns] for row in self.rows.values()),
        ]
        with replacing(self.path, durable=True) as temporary:
            temporary.write_text("".join(map(_line, lines)), encoding="utf-8")


def read_seeds(path: Path) -> list[Row]:
    """The rows of the seeds.csv at `path`, in their order; a blank cell is None.

    A last line without its end is one that is being written, and left out; columns that are not
    ours are too. Raises `RunError`, with file, line and column, for a damaged file, and for one
    that cannot be opened.
    """
    try:
        refuse_endless(path)
        text = _Text(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: must be readable, is not ({error})") from error
    if text.damage:
        number, reason = text.damage[0]
        raise RunError(
            f"{path}, line {number}: {reason}; correct the line, or start the command that wrote "
            "it again: it sets damaged lines aside and trains their seeds anew"
        )
    return list(text.rows.values())


@dataclass
class _Text:
    """What the bytes of a seeds.csv say; `wanted` are the columns to read, by default all known."""

    data: bytes
    wanted: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: dict[Key, Row] = field(default_factory=dict)
    damage: list[tuple[int, str]] = field(default_factory=list)
    """Line number, from 1, and what is wrong with it."""
    sums: dict[Key, int] = field(default_factory=dict)
    """The CRC-32 of each row's line."""
    end: int = 0
    """Bytes up to the end of the last whole line."""

    def __post_init__(self) -> None:
        self.end = self.data.rfind(b"\n") + 1
        first, *lines = self.data[: self.end].split(b"\n")[:-1] or [self.data]
        try:
            self.header = tuple(_cells(first.removeprefix(b"\xef\xbb\xbf")))  # a spreadsheet's mark
            self._choose_columns()
        except ValueError as error:
            self.damage.append((1, str(error)))
            return
        places = [self.header.index(name) for name in self.wanted]
        readers = [columns.reader_of(name) for name in self.wanted]
        for number, raw in enumerate(lines, start=2):
            try:
                cells = _cells(raw)
                if len(cells) != len(self.header):
                    raise ValueError(f"must have {len(self.header)} cells, has {len(cells)}")
                row = self._row([cells[place] for place in places], readers)
                if (key := _key(row)) in self.rows:
                    raise ValueError("trial {} seed {} is there twice".format(*key))
                self.rows[key], self.sums[key] = row, _checksum(raw)
            except ValueError as error:
                self.damage.append((number, str(error)))

    def _choose_columns(self) -> None:
        wanted = self.wanted or tuple(name for name in self.header if columns.known(name))
        missing = [n for n in (self.wanted or columns.needed()) if n not in self.header]
        twice = [name for name in wanted if self.header.count(name) > 1]
        if missing or twice:
            unknown = [name for name in self.header if not columns.known(name)]
            wrong = {"missing": missing, "twice": twice, "unknown": unknown}
            shown = "; ".join(f"{what}: {', '.join(them)}" for what, them in wrong.items() if them)
            raise ValueError(f"the columns must be those of seeds.csv; {shown}")
        self.wanted = wanted

    def _row(self, cells: Sequence[str], readers: Sequence) -> Row:
        try:
            values = [read(text) for read, text in zip(readers, cells, strict=True)]
        except (ValueError, KeyError):
            raise ValueError(self._wrong_cell(cells, readers)) from None
        return dict(zip(self.wanted, values, strict=True))

    def _wrong_cell(self, cells: Sequence[str], readers: Sequence) -> str:
        for name, text, read in zip(self.wanted, cells, readers, strict=True):
            try:
                read(text)
            except (ValueError, KeyError):
                return f"column {name} must be {columns.expected_in(name)}, is {text[:60]!r}"
        raise AssertionError("a cell that could not be read can be read")


def _key(row: Mapping[str, Cell]) -> Key:
    return row["trial"], row["seed"]  # pyright: ignore[reportReturnType]


def _cells(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8")], strict=True), [])
    except csv.Error as error:
        raise ValueError(f"must be comma-separated cells ({error})") from error


def _blank_if_nan(value: Cell) -> Cell:
    return None if isinstance(value, float) and math.isnan(value) else value


def _checksum(line: bytes) -> int:
    return zlib.crc32(line.rstrip(b"\r\n"))


def _line(cells: Sequence[Cell]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


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
