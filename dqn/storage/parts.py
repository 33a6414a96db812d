"""One Parquet part of episodes.parquet: finished trainings, their rows and their episodes.

A part is put in place whole, and that is what finishes its trainings. Its table holds their
episodes, with a checksum of each page; its metadata holds their rows of seeds.csv, as JSON with one
checksum. Formats 1 and 2 are read by `older_formats`.
"""

import json
import zlib
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dqn.runtime.atomic_write import replacing
from dqn.runtime.errors import first_line
from dqn.storage.columns import Row
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


class PartError(Exception):
    """A part that cannot be read: which, and why."""

    def __init__(self, part: Path, reason: str):
        super().__init__(f"{part}: {reason}")


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
