"""One Parquet part of episodes.parquet: its table, and what it keeps of lines of seeds.csv.

A part holds more than its table: a checksum of each page, which finds a damaged one, and for each
training its line in seeds.csv with a checksum, from which one that was damaged or lost is restored.
Format 1 (0.1.0) kept the checksums alone.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dqn.runtime.atomic_write import replacing
from dqn.runtime.errors import first_line
from dqn.storage.seeds_text import RowId, checksum_of

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
_CHECKSUMS = b"seeds.csv"  # in the metadata: trial, seed and checksum of each line
_LINES = b"seeds.csv lines"  # columns, and of each training trial, seed and its whole line
_LAST = b"last added"  # the trainings whose lines may not have been written when it was


class PartError(Exception):
    """A part that cannot be read: which, and why."""

    def __init__(self, part: Path, reason: str):
        super().__init__(f"{part}: {reason}")
        self.part = part


@dataclass
class Kept:
    """What a part keeps of seeds.csv, by training."""

    checksums: dict[RowId, int] = field(default_factory=dict)
    lines: dict[RowId, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    """Of these lines."""
    last: set[RowId] | None = None
    """Added by the last `add`; None where the part does not say."""
    damaged: bool = False

    @property
    def keys(self) -> Collection[RowId]:
        """The trainings of which it keeps anything, as they were added."""
        return dict.fromkeys([*self.checksums, *self.lines]).keys()

    def line(self, key: RowId) -> str | None:
        """A training's whole line, without its end; None where there is none, or it is damaged."""
        line = self.lines.get(key)
        return line if line and checksum_of(line.encode()) == self.checksums.get(key) else None

    def without(self, keys: Collection[RowId]) -> "Kept":
        """The same of all other trainings."""
        checksums = {key: it for key, it in self.checksums.items() if key not in keys}
        lines = {key: it for key, it in self.lines.items() if key not in keys}
        return Kept(checksums, lines, self.columns, self.last)

    def with_lines(
        self, lines: Mapping[RowId, str], columns: tuple[str, ...], last: set[RowId] | None
    ) -> "Kept":
        """The same with whole lines of further trainings."""
        sums = {key: checksum_of(line.encode()) for key, line in lines.items()}
        return Kept({**self.checksums, **sums}, {**self.lines, **lines}, columns, last)


def read_part(part: Path) -> tuple[pa.Table, Kept]:
    """The table and what is kept with it; raises `PartError`."""
    try:
        with pq.ParquetFile(part, page_checksum_verification=True) as file:
            if file.schema_arrow != SCHEMA:
                raise PartError(part, f"its columns must be {', '.join(SCHEMA.names)}")
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        reason = first_line(error)
        raise PartError(part, f"cannot be read as Parquet ({reason})") from error
    return table.replace_schema_metadata(None), _kept(table.schema.metadata or {})


def write_part(part: Path, table: pa.Table, kept: Kept) -> None:
    """Put it in the place of `part`, on the disk itself when this returns."""
    metadata: dict[bytes, Any] = {
        _CHECKSUMS: [[*key, it] for key, it in kept.checksums.items()],
        _LINES: {"columns": kept.columns, "lines": [[*k, it] for k, it in kept.lines.items()]},
    }
    if kept.last is not None:
        metadata[_LAST] = sorted(kept.last)
    text = table.replace_schema_metadata({name: json.dumps(it) for name, it in metadata.items()})
    with replacing(part, durable=True) as temporary:
        # A dictionary of values that hardly repeat costs more than all the rest.
        repeating = [f.name for f in SCHEMA if f.name not in ("epsilon", "loss", "q")]
        pq.write_table(
            text,
            temporary,
            compression="lz4",
            use_dictionary=repeating,  # pyright: ignore[reportArgumentType]
            write_page_checksum=True,
        )


def counts_of(table: pa.Table) -> Counter[RowId]:
    """Rows of each training; they stand together, so that it is enough to look where one ends."""
    trial, seed = (table[name].to_numpy() for name in ("trial", "seed"))
    changes = np.flatnonzero((np.diff(trial) != 0) | (np.diff(seed) != 0)) + 1
    starts = np.concatenate([[0], changes]) if len(trial) else changes
    counts: Counter[RowId] = Counter()
    lengths = np.diff(np.append(starts, len(trial))).tolist()
    for t, s, n in zip(trial[starts].tolist(), seed[starts].tolist(), lengths, strict=True):
        counts[t, s] += n
    return counts


def only(table: pa.Table, keys: Collection[RowId]) -> pa.Table:
    """The rows of some trainings."""
    pairs = zip(table["trial"].to_pylist(), table["seed"].to_pylist(), strict=True)
    return table.filter(pa.array([pair in keys for pair in pairs], pa.bool_()))


def _kept(metadata: Mapping[bytes, bytes]) -> Kept:
    """What is kept, as far as it can be read: Parquet has no checksum of it."""
    kept = Kept()
    try:
        for trial, seed, checksum in json.loads(metadata.get(_CHECKSUMS, b"[]")):
            kept.checksums[int(trial), int(seed)] = int(checksum)
    except (ValueError, TypeError):
        kept.damaged = True
    try:
        text = json.loads(metadata.get(_LINES, b"{}"))
        kept.columns = tuple(map(str, text.get("columns", ())))
        for trial, seed, line in text.get("lines", ()):
            kept.lines[int(trial), int(seed)] = str(line)
    except (ValueError, TypeError, AttributeError):
        kept.damaged = True
    try:
        if _LAST in metadata:
            kept.last = {(int(trial), int(seed)) for trial, seed in json.loads(metadata[_LAST])}
    except (ValueError, TypeError):
        kept.damaged = True
    return kept
