"""The bytes of a seeds.csv as rows: columns by name, values for what they plainly are."""

import csv
import difflib
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dqn.statistics.metrics import METRICS
from dqn.storage import columns
from dqn.storage.columns import Cell, Row

RowId = tuple[int, int]
"""(trial, seed)."""

_MARK = b"\xef\xbb\xbf"  # a spreadsheet's
_CLOSE = 0.6  # how alike two names are of which one may be the other, damaged
FOLLOWING = ("steps", "episodes", *METRICS, "seconds")
"""Columns that may be missing: computed from the episodes, or blank."""
_FLAGS = {"true": "True", "false": "False", "1": "True", "0": "False", "1.0": "True",
          "0.0": "False", "yes": "True", "no": "False"}  # fmt: skip


@dataclass
class SeedsText:
    """What the bytes `data` of a seeds.csv say.

    `expected` are the columns it should have, by default those that every one has. A column of
    hyperparameters that is missing has its value in `defaults`, unless it is `varied` between
    trials; one of `FOLLOWING` is None. A last line without its end is left out.
    """

    data: bytes
    expected: tuple[str, ...] = ()
    defaults: Mapping[str, Cell] = field(default_factory=dict)
    varied: Callable[[str], bool] = lambda column: True
    header: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    rows: dict[RowId, Row] = field(default_factory=dict)
    lines: dict[RowId, bytes] = field(default_factory=dict)
    """As they stand, without their ends."""
    damage: list[tuple[int, str, bytes]] = field(default_factory=list)
    """Line number, from 1, what is wrong with it, and the line."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for a header that cannot be understood."""
        data = self.data
        if b"\n" not in data and data.count(b"\r") > 1:  # line ends of an old spreadsheet
            data = data.replace(b"\r", b"\n")
        first, *lines = data.split(b"\n")[:-1] or [data]
        while lines and not lines[-1].strip(b" \t\r,;"):
            lines.pop()
        first = first.removeprefix(_MARK).removesuffix(b"\r")
        self._delimiter = max(b",;\t", key=first.count)
        cells = [name.strip() for name in self._cells(first)]
        self.header = tuple(cells[: _last_filled(cells, 0)])
        places = self._places()
        names, order = list(places), list(places.values())
        readers = [_reader_of(name) for name in names]
        width = len(self.header)
        filled = {name: self.defaults.get(name) for name in self.missing}
        for number, raw in enumerate(lines, start=2):
            line = raw.removesuffix(b"\r")
            try:
                cells = self._cells(line)
                del cells[_last_filled(cells, width) :]
                if len(cells) != width:
                    raise ValueError(f"must have {width} cells, has {len(cells)}")
                row = self._row(names, readers, [cells[place] for place in order])
                row.update(filled)
                if (key := row_id(row)) in self.rows:
                    raise ValueError("trial {} seed {} is there twice".format(*key))
                self.rows[key], self.lines[key] = row, line
            except ValueError as error:
                self.damage.append((number, str(error), line))

    def _places(self) -> dict[str, int]:
        """Where each column stands."""
        wanted = self.expected or (
            *(name for name in self.header if columns.known(name)),
            *(name for name in columns.needed() if name not in self.header),
        )
        missing = [name for name in wanted if name not in self.header]
        unknown = [name for name in self.header if not columns.known(name)]
        lost = [name for name in missing if not self._may_be_missing(name)]
        renamed = [name for name in missing if difflib.get_close_matches(name, unknown, 1, _CLOSE)]
        if any(self.header.count(name) > 1 for name in wanted) or lost or renamed:
            raise ValueError(self._wrong(missing))
        self.missing = tuple(missing)
        return {name: self.header.index(name) for name in wanted if name not in missing}

    def _wrong(self, missing: Sequence[str]) -> str:
        twice = {n: None for n in self.header if self.header.count(n) > 1 and columns.known(n)}
        unknown = [name for name in self.header if not columns.known(name)]
        wrong = {"missing": missing, "twice": twice, "unknown": unknown}
        shown = "; ".join(f"{what}: {', '.join(them)}" for what, them in wrong.items() if them)
        return f"the columns must be those of seeds.csv; {shown}"

    def _may_be_missing(self, column: str) -> bool:
        is_default = column in self.defaults and not self.varied(column)
        return bool(self.defaults) and (column in FOLLOWING or is_default)

    def _cells(self, line: bytes) -> list[str]:
        try:
            text = line.decode("utf-8")
            found = next(csv.reader([text], strict=True, delimiter=chr(self._delimiter)), [])
        except csv.Error as error:
            raise ValueError(f"must be comma-separated cells ({error})") from error
        if self._delimiter == ord(";"):  # where a comma is the decimal point
            found = [_with_point(cell) for cell in found]
        return found

    def _row(self, names: Sequence[str], readers: Sequence, cells: Sequence[str]) -> Row:
        try:
            values = [read(text) for read, text in zip(readers, cells, strict=True)]
        except (ValueError, KeyError):
            triples = zip(names, readers, cells, strict=True)
            values = [_plainly(name, read, text) for name, read, text in triples]
        return dict(zip(names, values, strict=True))


def row_id(row: Mapping[str, Cell]) -> RowId:
    """The (trial, seed) of a row."""
    return row["trial"], row["seed"]  # pyright: ignore[reportReturnType]


def line_of(cells: Sequence[Cell]) -> str:
    """A line of seeds.csv, with its end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _reader_of(column: str) -> Callable[[str], Cell]:
    read = columns.reader_of(column)
    if read is str:
        return str.strip
    return (lambda text: read(text.strip())) if column.startswith("env.kwargs") else read


def _last_filled(cells: Sequence[str], least: int) -> int:
    """How many cells are left without the blank ones at the end, which a spreadsheet adds."""
    count = len(cells)
    while count > least and not cells[count - 1].strip():
        count -= 1
    return count


def _plainly(name: str, read: Callable[[str], Cell], text: str) -> Cell:
    """A cell in another way to write it: TRUE, 1.0 for a count, spaces around it."""
    stripped = text.strip()
    tries = [text, stripped, stripped.lower(), _FLAGS.get(stripped.lower(), stripped)]
    try:
        number = float(stripped)
        if math.isfinite(number) and number.is_integer():
            tries.append(str(int(number)))
    except ValueError:
        pass
    for attempt in tries:
        try:
            return read(attempt)
        except (ValueError, KeyError):
            continue
    raise ValueError(f"column {name} must be {columns.expected_in(name)}, is {text[:60]!r}")


def _with_point(cell: str) -> str:
    number = cell.strip().replace(",", ".", 1)
    try:
        float(number)
    except ValueError:
        return cell
    return number
