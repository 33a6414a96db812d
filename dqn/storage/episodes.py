"""episodes.parquet: every finished training, its row and its episodes, whole at every moment.

It is a folder of Parquet parts, which pandas and pyarrow read as one table of episodes; the rows of
seeds.csv stand in their metadata, as JSON with one checksum. Adding trainings rewrites only the
last part, in one atomic replacement, which is what finishes them, until that part is large enough
and a new one starts: a reader never meets a half-written training, and the cost of adding one does
not grow with those before it. Formats 1 and 2 are read by `older_formats`.
"""

import json
import os
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dqn.runtime.atomic_write import replacing, temporary_name
from dqn.runtime.errors import RunError, first_line
from dqn.storage.columns import Row
from dqn.storage.quarantine import move_aside
from dqn.storage.safe_yaml import refuse_endless
from dqn.storage.seeds_text import RowId, row_id

SCHEMA = pa.schema(
    {
        "trial": pa.int64(),
        "seed": pa.int64(),
        "episode": pa.int64(),  # from 1
        "step": pa.int64(),  # environment steps of the training up to the episode's end
        "return": pa.float64(),  # raw sum of rewards
        "length": pa.int64(),  # steps
        "epsilon": pa.float64(),
        "loss": pa.float64(),  # mean over the episode's updates; NaN where there was none
        "q": pa.float64(),  # mean over the episode, of the chosen action
    }
)
ROWS = b"seeds.csv rows"  # in the metadata: the columns, and a list of cells per training
_CHECKSUM = b"seeds.csv rows CRC-32"
PART_ROWS = 10_000  # about 0.3 MB and 2 ms to rewrite; 2 million episodes make 200 parts
PART_TRAININGS = 400  # of a part: their rows are rewritten with it


class PartError(Exception):
    """A part that cannot be read: which, and why."""

    def __init__(self, part: Path, reason: str):
        super().__init__(f"{part}: {reason}")


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
        self._unsaved: list[Path] = []
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
        """Give every row all `columns`; `fill` has what it lacks, of a row and its episodes.

        It is on disk after `save`.
        """
        for part, keys in self._keys.items():
            lacking = [key for key in keys if not self.rows[key].keys() >= set(columns)]
            if lacking:
                self._unsaved.append(part)
                frame = self._table(part).to_pandas()
                groups = dict(list(frame.groupby(["trial", "seed"], sort=False)))
                for key in lacking:
                    row = self.rows[key]
                    filled = fill(row, pd.DataFrame(groups.get(key, frame[:0])))
                    names = dict.fromkeys([*columns, *row])
                    self.rows[key] = {n: row[n] if n in row else filled.get(n) for n in names}

    def save(self) -> None:
        """Write what `complete` has added."""
        for part in self._unsaved:
            self._write(part, self._table(part), self._keys[part])
        self._unsaved.clear()

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


def read_part(part: Path) -> tuple[pa.Table, dict[RowId, Row]]:
    """The episodes, and the rows by training; raises `PartError` unless it is whole."""
    table = read_table(part)
    text = (table.schema.metadata or {}).get(ROWS, b"")
    if str(zlib.crc32(text)).encode() != (table.schema.metadata or {}).get(_CHECKSUM):
        raise PartError(part, "its rows of seeds.csv must be as they were written, are not")
    columns, *cells = json.loads(text)
    rows = {row_id(row): row for own in cells if (row := dict(zip(columns, own, strict=True)))}
    counts = counts_of(table)
    for trial, seed in [*rows, *counts]:
        wanted, found = rows.get((trial, seed), {}).get("episodes", 0), counts[trial, seed]
        if wanted != found:
            reason = f"trial {trial} seed {seed} must have {wanted} episodes, has {found}"
            raise PartError(part, reason)
    return table.replace_schema_metadata(None), rows


def read_table(part: Path) -> pa.Table:
    """The episodes of a part of any format, with its metadata; raises `PartError`."""
    try:
        with pq.ParquetFile(part, page_checksum_verification=True) as file:
            if file.schema_arrow != SCHEMA:
                raise PartError(part, f"its columns must be {', '.join(SCHEMA.names)}")
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise PartError(part, f"cannot be read as Parquet ({first_line(error)})") from error


def write_part(part: Path, table: pa.Table, rows: Mapping[RowId, Row]) -> None:
    """Put trainings in the place of `part`, on the disk itself when this returns."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    cells = [[row.get(name) for name in columns] for row in rows.values()]
    text = json.dumps([columns, *cells]).encode()
    metadata = {ROWS: text, _CHECKSUM: str(zlib.crc32(text)).encode()}
    with replacing(part, durable=True) as temporary:
        # A dictionary of values that hardly repeat costs more than all the rest.
        repeating = [f.name for f in SCHEMA if f.name not in ("epsilon", "loss", "q")]
        pq.write_table(
            table.replace_schema_metadata(metadata),
            temporary,
            compression="lz4",
            use_dictionary=repeating,  # pyright: ignore[reportArgumentType]
            write_page_checksum=True,
        )


def counts_of(table: pa.Table) -> Counter[RowId]:
    """How many episodes each training has; they stand together."""
    trial, seed = (table[name].to_numpy() for name in ("trial", "seed"))
    changes = np.flatnonzero((np.diff(trial) != 0) | (np.diff(seed) != 0)) + 1
    starts = np.concatenate([[0], changes]) if len(trial) else changes
    counts: Counter[RowId] = Counter()
    lengths = np.diff(np.append(starts, len(trial))).tolist()
    for t, s, n in zip(trial[starts].tolist(), seed[starts].tolist(), lengths, strict=True):
        counts[t, s] += n
    return counts


def only(table: pa.Table, keys: Collection[RowId]) -> pa.Table:
    """The episodes of some trainings."""
    pairs = zip(table["trial"].to_pylist(), table["seed"].to_pylist(), strict=True)
    return table.filter(pa.array([pair in keys for pair in pairs], pa.bool_()))
