"""episodes.parquet: one row an episode, for any number of seeds, whole at every moment.

It is a folder of Parquet parts, which pandas and pyarrow read as one table. Adding seeds rewrites
only the last part, in one atomic replacement, until that part is large enough and a new one starts:
so a reader never meets a half-written or doubled row, and the cost of adding seeds does not grow
with the seeds before them.

A part holds more than its table: a checksum of each page, which finds a damaged one, and for each
training a checksum of its line in seeds.csv, which finds a line that has changed.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dqn.errors import RunError
from dqn.results.atomic import TEMPORARY, replacing
from dqn.results.damage import copy_aside, move_aside, tell
from dqn.results.document import refuse_endless
from dqn.results.seeds import Key

_LINES = b"seeds.csv"  # in a part's metadata: trial, seed and checksum of each line
PART_ROWS = 10_000  # about 0.3 MB and 2 ms to rewrite; 2 million episodes make 200 parts

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


class Episodes:
    """The rows of every finished training, in `path`. One process at a time may write there.

    `finished` says how many episodes each (trial, seed) must have. Rows of a training that is not
    among them (the process was killed before its row in seeds.csv) are removed.

    A part that cannot be read is moved out of `path`; one that holds fewer or more rows of a
    training than `finished` says is copied, and that training's rows are removed. One line on
    standard error says so, and `lost` are the trainings whose episodes are gone.

    Those whose line in seeds.csv `is_as_written`, asked with the checksum that is kept here, denies
    are `changed`: their rows are removed too.

    Opening reads every part, 2 ms each: 0.7 s for 3 million episodes.
    """

    def __init__(
        self,
        path: Path,
        finished: Mapping[Key, int],
        is_as_written: Callable[[Key, int], bool] = lambda key, checksum: True,
    ):
        self.path = path
        self.lost: set[Key] = set()
        self.changed: set[Key] = set()
        self._is_as_written = is_as_written
        aside = []
        if path.exists() and not path.is_dir():
            aside.append((f"{path}: must be a folder of parts", move_aside(path, path.parent)))
        if not path.exists():
            _create(path)
        while True:
            try:
                aside += self._settle(finished)
                break
            except _PartError as error:
                aside.append((str(error), move_aside(error.part, path.parent)))
        if aside:
            (reason, first), *others = aside
            more = f" and {len(others)} more like it" if others else ""
            many = f"{len(self.lost)} trainings are" if len(self.lost) != 1 else "one training is"
            tell(f"{reason}; it was set aside as {first.name}{more}, {many} done again")
        elif self.lost:
            tell(
                f"{path}: the episodes of {len(self.lost)} trainings are gone; they are done again"
            )

    def add(self, *trainings: Mapping[str, Any], checksums: Sequence[int]) -> None:
        """Append the episodes of trainings: by column, an array over them or one value for all.

        `checksums` are of their lines in seeds.csv.
        """
        tables = [_table(columns) for columns in trainings]
        sums = zip(trainings, checksums, strict=True)
        lines = _lines(self._open) | {(one["trial"], one["seed"]): it for one, it in sums}
        both = _with_lines(pa.concat_tables([self._open, *tables]).combine_chunks(), lines)
        _write(both, self.path / _name(self._last))
        self._open = both
        self._start_new_part_if_full()

    def frame(self, trial: int | None = None) -> pd.DataFrame:
        """Every row, as `pandas.read_parquet(path)` gives it; or those of one trial alone.

        Raises `RunError` where a part was damaged after it was opened.
        """
        return read_episodes(self.path, trial)

    def _settle(self, finished: Mapping[Key, int]) -> list[tuple[str, Path]]:
        """Leave whole trainings of `finished` alone; what was copied aside before, and why."""
        parts = sorted(self.path.glob("part-*.parquet"))
        if not parts:
            parts = [self.path / _name(0)]
            _write(SCHEMA.empty_table(), parts[0])
        counts, lines = {}, {}
        for part in parts:
            self._last, self._open = _number(part), _read(part)
            counts[part], lines[part] = _counts(self._open), _lines(self._open)
        total: Counter[Key] = Counter()
        for count in counts.values():
            total.update(count)
        self.lost = {key for key, expected in finished.items() if total[key] != expected}
        whole = finished.keys() - self.lost
        sums = [(key, it) for known in lines.values() for key, it in known.items() if key in whole]
        self.changed = {key for key, checksum in sums if not self._is_as_written(key, checksum)}
        whole -= self.changed
        aside = []
        for part, count in counts.items():
            if broken := sorted(self.lost & count.keys()):
                trial, seed = broken[0]
                reason = (
                    f"{part}: trial {trial} seed {seed} must have the {finished[trial, seed]} "
                    f"episodes that seeds.csv says, has {total[trial, seed]}"
                )
                aside.append((reason, copy_aside(part, self.path.parent)))
            if not count.keys() | lines[part].keys() <= whole:
                table = _only(_read(part), whole)
                _write(table, part)
                if part == parts[-1]:
                    self._open = table
        self._start_new_part_if_full()
        return aside

    def _start_new_part_if_full(self) -> None:
        if self._open.num_rows >= PART_ROWS:
            self._last, self._open = self._last + 1, SCHEMA.empty_table()


def read_episodes(path: Path, trial: int | None = None) -> pd.DataFrame:
    """Every row of episodes.parquet at `path`, or those of one trial; nothing is mended.

    Raises `RunError` where a part is damaged, or there is none.
    """
    filters = None if trial is None else [("trial", "==", trial)]
    try:
        for part in path.glob("*"):
            refuse_endless(part)
        return pd.read_parquet(path, filters=filters, page_checksum_verification=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RunError(
            f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]}); remove "
            "the part that is damaged, and the same command trains anew what it held"
        ) from error


def _table(columns: Mapping[str, Any]) -> pa.Table:
    n = len(columns["return"])
    arrays = {f.name: np.broadcast_to(columns[f.name], n) for f in SCHEMA}
    return pa.table({f.name: pa.array(arrays[f.name], f.type) for f in SCHEMA}, schema=SCHEMA)


def _name(part: int) -> str:
    return f"part-{part:05d}.parquet"


def _create(path: Path) -> None:
    # A first part without rows, and the folder put in place whole: readable before any seed ends.
    fresh = path.with_name(f"{TEMPORARY}{path.name}")
    fresh.mkdir(exist_ok=True)
    _write(SCHEMA.empty_table(), fresh / _name(0))
    os.replace(fresh, path)


def _write(table: pa.Table, part: Path) -> None:
    with replacing(part, durable=True) as temporary:
        # A dictionary of values that hardly repeat costs more than all the rest.
        repeating = [f.name for f in SCHEMA if f.name not in ("epsilon", "loss", "q")]
        pq.write_table(
            table,
            temporary,
            compression="lz4",
            use_dictionary=repeating,  # pyright: ignore[reportArgumentType]
            write_page_checksum=True,
        )


class _PartError(Exception):
    def __init__(self, part: Path, reason: str):
        super().__init__(f"{part}: {reason}")
        self.part = part


def _read(part: Path) -> pa.Table:
    try:
        with pq.ParquetFile(part, page_checksum_verification=True) as file:
            if file.schema_arrow != SCHEMA:
                raise _PartError(part, f"its columns must be {', '.join(SCHEMA.names)}")
            table = file.read()
            _lines(table)
            return table
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise _PartError(part, f"cannot be read as Parquet ({reason})") from error
    except (ValueError, TypeError) as error:
        raise _PartError(part, f"what it keeps of {_LINES.decode()} cannot be read") from error


def _lines(table: pa.Table) -> dict[Key, int]:
    """The checksums of lines in seeds.csv that were kept with a part; of an older one, none."""
    kept = json.loads((table.schema.metadata or {}).get(_LINES, b"[]"))
    return {(trial, seed): checksum for trial, seed, checksum in kept}


def _with_lines(table: pa.Table, lines: Mapping[Key, int]) -> pa.Table:
    text = json.dumps([[*key, checksum] for key, checksum in lines.items()])
    return table.replace_schema_metadata({_LINES: text})


def _number(part: Path) -> int:
    digits = part.stem.removeprefix("part-")
    if not digits.isdecimal():
        raise _PartError(part, "its name must be part- and a number")
    return int(digits)


def _counts(table: pa.Table) -> Counter[Key]:
    """Rows of each training; they stand together, so that it is enough to look where one ends."""
    trial, seed = (table[name].to_numpy() for name in ("trial", "seed"))
    changes = np.flatnonzero((np.diff(trial) != 0) | (np.diff(seed) != 0)) + 1
    starts = np.concatenate([[0], changes]) if len(trial) else changes
    counts: Counter[Key] = Counter()
    lengths = np.diff(np.append(starts, len(trial))).tolist()
    for t, s, n in zip(trial[starts].tolist(), seed[starts].tolist(), lengths, strict=True):
        counts[t, s] += n
    return counts


def _only(table: pa.Table, keys: Collection[Key]) -> pa.Table:
    pairs = zip(table["trial"].to_pylist(), table["seed"].to_pylist(), strict=True)
    kept = table.filter(pa.array([pair in keys for pair in pairs], pa.bool_()))
    return _with_lines(kept, {key: it for key, it in _lines(table).items() if key in keys})
