"""episodes.parquet: one row an episode, for any number of seeds, whole at every moment.

It is a folder of Parquet parts, which pandas and pyarrow read as one table. Adding seeds rewrites
only the last part, in one atomic replacement, until that part is large enough and a new one starts:
so a reader never meets a half-written or doubled row, and the cost of adding seeds does not grow
with the seeds before them.
"""

import itertools
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dqn.runtime.atomic_write import temporary_name
from dqn.runtime.errors import RunError, first_line
from dqn.storage.parts import SCHEMA, Kept, PartError, counts_of, only, read_part, write_part
from dqn.storage.quarantine import copy_aside, move_aside
from dqn.storage.safe_yaml import refuse_endless
from dqn.storage.seeds_text import RowId

PART_ROWS = 10_000  # about 0.3 MB and 2 ms to rewrite; 2 million episodes make 200 parts
PART_LINES = 400  # trainings of a part: their lines are rewritten with it


class EpisodeStore:
    """The rows of every finished training, in `path`. One process at a time may write there.

    A part that cannot be read is moved out of `path`: `aside` says which, why, and where to. What
    belongs to no training that is known stays until `keep`.

    Opening reads every part, 2 ms each: 0.7 s for 3 million episodes.
    """

    def __init__(self, path: Path):
        self.path = path
        self.aside: list[tuple[str, Path]] = []
        self.copied: set[RowId] = set()
        """The trainings whose rows `copy_aside` has copied."""
        self._kept: dict[Path, Kept] = {}
        self._counts: dict[Path, Counter[RowId]] = {}
        if path.exists() and not path.is_dir():
            moved = move_aside(path, path.parent)
            self.aside.append((f"{path}: must be a folder of parts", moved))
        if not path.exists():
            _create(path)
        self._open, self._last = SCHEMA.empty_table(), 0
        for part in sorted(path.glob("part-*.parquet")):
            try:
                last = _number(part)
                table, kept = read_part(part)
            except PartError as error:
                self.aside.append((str(error), move_aside(part, path.parent)))
                continue
            self._last, self._open = last, table
            self._kept[part], self._counts[part] = kept, counts_of(table)
        if not self._kept:
            self._write(path / _name(0), self._open, Kept(last=set()))
        self._start_new_part_if_full()

    @property
    def totals(self) -> Counter[RowId]:
        """How many rows each training has."""
        total: Counter[RowId] = Counter()
        for count in self._counts.values():
            total.update(count)
        return total

    def kept(self) -> dict[RowId, Kept]:
        """Of each training of which a part keeps anything, the last such part's."""
        return {key: kept for kept in self._kept.values() for key in kept.keys}

    def last_added(self, finished: Collection[RowId]) -> set[RowId]:
        """The trainings that a kill may have left without a line, of those not `finished`."""
        written = [part for part in self._kept if self._counts[part]]
        if not written:
            return set()
        last = self._kept[written[-1]].last
        if last is not None:
            return last.difference(finished)
        trailing = reversed(self._counts[written[-1]])  # format 1 does not say
        return set(itertools.takewhile(lambda key: key not in finished, trailing))

    def episodes_of(self, keys: Collection[RowId]) -> dict[RowId, pd.DataFrame]:
        """The rows of some trainings."""
        found: dict[RowId, Any] = dict.fromkeys(keys, SCHEMA.empty_table().to_pandas())
        for part, counts in self._counts.items():
            if mine := counts.keys() & keys:
                frame = only(self._table(part), mine).to_pandas()
                for (trial, seed), group in frame.groupby(["trial", "seed"], sort=False):
                    found[int(trial), int(seed)] = group  # pyright: ignore[reportArgumentType]
        return found

    def copy_aside(self, keys: Collection[RowId]) -> list[Path]:
        """Copy the parts that hold rows of these trainings; where to."""
        parts = [part for part, counts in self._counts.items() if counts.keys() & keys]
        self.copied.update(key for part in parts for key in self._counts[part])
        return [copy_aside(part, self.path.parent) for part in parts]

    def keep(
        self, lines: Mapping[RowId, str], columns: tuple[str, ...], without: Collection[RowId] = ()
    ) -> None:
        """Remove rows of all trainings but those of `lines`, and of those `without`.

        Their `lines`, which have these `columns` and no end, are kept with the others. What is so
        already is not written.
        """
        homes = dict.fromkeys(lines, next(reversed(self._kept)))  # of those without an episode
        homes |= {key: part for part, kept in self._kept.items() for key in kept.keys}
        homes |= {key: part for part, counts in self._counts.items() for key in counts}
        own: dict[Path, dict[RowId, str]] = {part: {} for part in self._kept}
        for key, line in lines.items():
            own[homes[key]][key] = line
        for part, kept in list(self._kept.items()):
            mine = own[part]
            last = {key for key in kept.last or () if key in lines}
            new = Kept().with_lines(mine, columns if mine else (), last)
            counts = self._counts[part]
            left = {key for key in counts if key in lines and key not in without}
            if len(left) < len(counts) or kept.damaged or new != kept:
                table = self._table(part)
                self._write(part, table if len(left) == len(counts) else only(table, left), new)

    def add(
        self,
        *trainings: Mapping[str, Any],
        lines: Mapping[RowId, str],
        columns: tuple[str, ...],
        replaced: Collection[RowId] = (),
    ) -> None:
        """Append the episodes of trainings: by column, an array over them or one value for all.

        `lines` are theirs in seeds.csv, without ends, with these `columns`. Rows of `replaced`
        trainings, which were added before, are removed.
        """
        part = self.path / _name(self._last)
        for other, counts in list(self._counts.items()) if replaced else ():
            kept = self._kept[other]
            if other != part and not {*counts, *kept.keys}.isdisjoint(replaced):
                left = only(self._table(other), counts.keys() - set(replaced))
                self._write(other, left, kept.without(replaced))
        before = self._open
        if replaced and not counts_of(before).keys().isdisjoint(replaced):
            before = only(before, counts_of(before).keys() - set(replaced))
        table = pa.concat_tables([before, *map(_table, trainings)]).combine_chunks()
        kept = self._kept.get(part, Kept()).without(replaced)
        self._write(part, table, kept.with_lines(lines, columns, set(lines)))
        self._start_new_part_if_full()

    def commit(self, finished: Collection[RowId]) -> None:
        """Say that trainings that were added and are `finished` have their lines in seeds.csv."""
        part, kept = next(reversed(self._kept.items()))
        if kept.last and (left := kept.last.difference(finished)) != kept.last:
            self._write(part, self._table(part), replace(kept, last=left))

    def frame(self, trial: int | None = None) -> pd.DataFrame:
        """Every row, as `pandas.read_parquet(path)` gives it; or those of one trial alone.

        Raises `RunError` where a part was damaged after it was opened.
        """
        return read_episodes(self.path, trial)

    def _table(self, part: Path) -> pa.Table:
        return self._open if part == self.path / _name(self._last) else read_part(part)[0]

    def _write(self, part: Path, table: pa.Table, kept: Kept) -> None:
        write_part(part, table, kept)
        self._kept[part], self._counts[part] = kept, counts_of(table)
        if part == self.path / _name(self._last):
            self._open = table

    def _start_new_part_if_full(self) -> None:
        kept = self._kept.get(self.path / _name(self._last), Kept())
        if self._open.num_rows >= PART_ROWS or len(kept.lines) >= PART_LINES:
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
    write_part(fresh / _name(0), SCHEMA.empty_table(), Kept(last=set()))
    os.replace(fresh, path)


def _number(part: Path) -> int:
    digits = part.stem.removeprefix("part-")
    if not digits.isdecimal() or part.name != _name(int(digits)):
        raise PartError(part, "its name must be part- and a number of five digits")
    return int(digits)
