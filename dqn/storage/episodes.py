"""episodes.parquet: every finished training, its row and its episodes, whole at every moment.

It is a folder of Parquet parts, which pandas and pyarrow read as one table of episodes. Adding
trainings rewrites only the last part, in one atomic replacement, until that part is large enough
and a new one starts: a reader never meets a half-written training, and the cost of adding one does
not grow with those before it.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dqn.runtime.atomic_write import temporary_name
from dqn.runtime.errors import RunError, first_line
from dqn.storage.columns import Row
from dqn.storage.parts import SCHEMA, PartError, only, read_part, write_part
from dqn.storage.quarantine import move_aside
from dqn.storage.safe_yaml import refuse_endless
from dqn.storage.seeds_text import RowId, row_id

PART_ROWS = 10_000  # about 0.3 MB and 2 ms to rewrite; 2 million episodes make 200 parts
PART_TRAININGS = 400  # of a part: their rows are rewritten with it


class EpisodeStore:
    """Every finished training, in the folder `path`. One process at a time may write there.

    A part that cannot be read is moved out of `path`: `aside` says which, why, and where to.

    Opening reads every part, 2 ms each: 0.7 s for 3 million episodes.
    """

    def __init__(self, path: Path):
        self.path = path
        self.rows: dict[RowId, Row] = {}
        """Of seeds.csv, by (trial, seed), in the order they were added; a blank cell is None."""
        self.aside: list[tuple[str, Path]] = []
        self._keys: dict[Path, list[RowId]] = {}
        """The trainings of each part."""
        if path.exists() and not path.is_dir():
            moved = move_aside(path, path.parent)
            self.aside.append((f"{path}: must be a folder of parts", moved))
        if not path.exists():
            _create(path)
        self._open, self._last = SCHEMA.empty_table(), 0
        for part in sorted(path.glob("part-*.parquet")):
            try:
                number = _number(part)
                table, rows = read_part(part)
                if twice := self.rows.keys() & rows.keys():
                    text = "trial {} seed {} is in an earlier part too".format(*min(twice))
                    raise PartError(part, text)
            except PartError as error:
                self.aside.append((str(error), move_aside(part, path.parent)))
                continue
            self._last, self._open = number, table
            self._keys[part] = list(rows)
            self.rows |= rows
        if not self._keys:
            self._write(path / _name(0), self._open, ())
        self._start_new_part_if_full()

    def add(self, trainings: Sequence[tuple[Row, Mapping[str, Any]]]) -> None:
        """Append trainings: the row of each, and by column its episodes, an array or one value.

        Once this returns they are finished: no kill loses one.
        """
        part = self.path / _name(self._last)
        rows = {row_id(row): row for row, _ in trainings}
        tables = [self._open, *(_table(episodes) for _, episodes in trainings)]
        self.rows |= rows
        try:
            self._write(
                part, pa.concat_tables(tables).combine_chunks(), (*self._keys.get(part, ()), *rows)
            )
        except BaseException:
            for key in rows:
                del self.rows[key]
            raise
        self._start_new_part_if_full()

    def remove(self, keys: Collection[RowId]) -> None:
        """Remove trainings, those that are here."""
        for part, own in list(self._keys.items()):
            if not set(own).isdisjoint(keys):
                left = [key for key in own if key not in keys]
                self._write(part, only(self._table(part), set(left)), left)
        for key in keys:
            self.rows.pop(key, None)

    def complete(
        self, columns: Collection[str], fill: Callable[[Row, pd.DataFrame], Mapping[str, Any]]
    ) -> None:
        """Give every row all `columns`; `fill` has what it lacks, of a row and its episodes."""
        for part, keys in list(self._keys.items()):
            lacking = [key for key in keys if not self.rows[key].keys() >= set(columns)]
            if lacking:
                table = self._table(part)
                frame = table.to_pandas()
                groups = dict(list(frame.groupby(["trial", "seed"], sort=False)))
                for key in lacking:
                    row = self.rows[key]
                    filled = fill(row, pd.DataFrame(groups.get(key, frame[:0])))
                    names = dict.fromkeys([*columns, *row])
                    self.rows[key] = {n: row[n] if n in row else filled.get(n) for n in names}
                self._write(part, table, keys)

    def _table(self, part: Path) -> pa.Table:
        return self._open if part == self.path / _name(self._last) else read_part(part)[0]

    def _write(self, part: Path, table: pa.Table, keys: Iterable[RowId]) -> None:
        keys = list(keys)
        write_part(part, table, {key: self.rows[key] for key in keys})
        self._keys[part] = keys
        if part == self.path / _name(self._last):
            self._open = table

    def _start_new_part_if_full(self) -> None:
        keys = self._keys.get(self.path / _name(self._last), ())
        if self._open.num_rows >= PART_ROWS or len(keys) >= PART_TRAININGS:
            self._last, self._open = self._last + 1, SCHEMA.empty_table()


def read_episodes(
    path: Path, trial: int | None = None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Every row of episodes.parquet at `path`, or those of one trial; nothing is mended.

    All columns, or those that are named.

    Raises `RunError` where a part is damaged, or there is none.
    """
    filters = None if trial is None else [("trial", "==", trial)]
    try:
        for part in path.glob("part-*.parquet"):
            refuse_endless(part)
        return pd.read_parquet(
            path,
            columns=None if columns is None else list(columns),
            filters=filters,
            page_checksum_verification=True,
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RunError(
            f"{path}: cannot be read as Parquet ({first_line(error)}); start the command "
            "that wrote it again: it sets the part that is damaged aside, and trains what it held"
        ) from error


def _table(columns: Mapping[str, Any]) -> pa.Table:
    n = len(columns["return"])
    arrays = {f.name: np.broadcast_to(columns[f.name], n) for f in SCHEMA}
    return pa.table({f.name: pa.array(arrays[f.name], f.type) for f in SCHEMA}, schema=SCHEMA)


def _name(part: int) -> str:
    return f"part-{part:05d}.parquet"


def _create(path: Path) -> None:
    # A first part without rows, and the folder put in place whole: readable before any seed ends.
    fresh = temporary_name(path)
    fresh.mkdir(exist_ok=True)
    write_part(fresh / _name(0), SCHEMA.empty_table(), {})
    os.replace(fresh, path)


def _number(part: Path) -> int:
    digits = part.stem.removeprefix("part-")
    if not digits.isdecimal() or part.name != _name(int(digits)):
        raise PartError(part, "its name must be part- and a number of five digits")
    return int(digits)
