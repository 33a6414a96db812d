"""seeds.csv: one line a finished training, appended whole or not at all."""

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from dqn.config import Config
from dqn.errors import RunError
from dqn.results.atomic import replacing
from dqn.results.stats import METRICS

STATUSES = ("done", "pruned", "diverged")

Cell = bool | int | float | str | None

# The two budgets share their key with what a training used of them, so their columns say budget.
COLUMN_OF_KEY = {"episodes": "budget_episodes", "steps": "budget_steps"}


def hyperparameters(config: Config) -> dict[str, Cell]:
    """The hyperparameter columns of one configuration, `env` first, in declared order."""
    return {
        COLUMN_OF_KEY.get(name, name): value for name, value in config.hyperparameters().items()
    }


class Seeds:
    """The rows of seeds.csv at `path`, in memory and on disk; one process at a time may write.

    `columns` are those of the hyperparameters, with values of the type each has. A last line
    without its end (the process was killed while writing it) is cut off. Raises `RunError`, with
    file, line and column, for any other damage; the file is then left as it is.
    """

    def __init__(self, path: Path, columns: Mapping[str, Cell]):
        self.path = path
        self.hyperparameters = tuple(columns)
        self._types: dict[str, type] = {
            "trial": int,
            "seed": int,
            **{name: type(value) for name, value in columns.items()},
            "status": str,
            "steps": int,
            "episodes": int,
            **dict.fromkeys(METRICS, float),
            "solved_at": int,
            "seconds": float,
        }
        self.columns = tuple(self._types)
        self.rows: dict[tuple[int, int], dict[str, Cell]] = {}
        """By (trial, seed), in the order they ended; a blank cell is None."""
        if path.exists():
            self._load()
        if not path.exists() or path.stat().st_size == 0:
            with replacing(path, durable=True) as temporary:
                temporary.write_text(_line(self.columns), encoding="utf-8")

    def add(self, row: Mapping[str, Cell]) -> None:
        """Append one row: a value for every column, None or NaN for a blank."""
        row = {name: _blank_if_nan(row[name]) for name in self.columns}
        _append(self.path, _line(list(row.values())).encode())
        self.rows[row["trial"], row["seed"]] = row  # pyright: ignore[reportArgumentType]

    def frame(self) -> pd.DataFrame:
        """The table as `pandas.read_csv` gives it: NaN where a cell is blank."""
        frame = pd.DataFrame(list(self.rows.values()), columns=list(self.columns))
        return frame.astype(dict.fromkeys(METRICS, float))  # one of blanks alone would be object

    def _load(self) -> None:
        data = self.path.read_bytes()
        header, _, body = data.partition(b"\n")
        whole = max(len(header), data.rfind(b"\n") + 1)
        rows = {}
        for number, raw in enumerate([header, *body.split(b"\n")[:-1]], start=1):
            try:
                cells = next(csv.reader([raw.decode("utf-8")], strict=True), [])
                if number == 1:
                    self._check_header(cells)
                    continue
                row = self._parse(cells)
                key = row["trial"], row["seed"]
                if key in rows:
                    raise ValueError("trial {} seed {} is there twice".format(*key))
            except (ValueError, csv.Error) as error:
                raise RunError(
                    f"{self.path}, line {number}: {error}; correct the line, or remove it to train "
                    "that seed again"
                ) from error
            rows[key] = row
        if whole < len(data):
            os.truncate(self.path, whole)
        self.rows = rows

    def _check_header(self, cells: Sequence[str]) -> None:
        if tuple(cells) != self.columns:
            missing = [name for name in self.columns if name not in cells]
            unknown = [name for name in cells if name not in self.columns]
            raise ValueError(
                f"columns must be {', '.join(self.columns)}"
                + (f"; missing: {', '.join(missing)}" if missing else "")
                + (f"; unknown: {', '.join(unknown)}" if unknown else "")
            )

    def _parse(self, cells: Sequence[str]) -> dict[str, Cell]:
        if len(cells) != len(self.columns):
            raise ValueError(f"must have {len(self.columns)} cells, has {len(cells)}")
        row = {}
        for name, text in zip(self.columns, cells, strict=True):
            try:
                row[name] = _parse(text, self._types[name], blank=name in METRICS)
            except (ValueError, KeyError) as error:
                kind = self._types[name].__name__
                raise ValueError(f"column {name} must be a {kind}, is {text!r}") from error
        if row["status"] not in STATUSES:
            raise ValueError(f"status must be {' or '.join(STATUSES)}, is {row['status']!r}")
        return row


def _parse(text: str, kind: type, blank: bool) -> Cell:
    if blank and not text:
        return None
    if kind is bool:
        return {"True": True, "False": False}[text]
    return kind(text)


def _blank_if_nan(value: Cell) -> Cell:
    return None if isinstance(value, float) and math.isnan(value) else value


def _line(cells: Sequence[Cell]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _append(path: Path, line: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            written = 0
            while written < len(line):
                written += file.write(line[written:])
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, size)  # a full disk took half a line: the next one must not join it
            raise
