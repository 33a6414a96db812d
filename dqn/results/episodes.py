"""episodes.parquet: one row an episode, for any number of seeds, whole at every moment.

It is a folder of Parquet parts, which pandas and pyarrow read as one table. Adding a seed rewrites
only the last part, in one atomic replacement, until that part is large enough and a new one starts:
so a reader never meets a half-written or doubled row, and the cost of adding a seed does not grow
with the seeds before it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dqn.errors import RunError
from dqn.results.atomic import TEMPORARY, replacing

PART_ROWS = 10_000  # about 0.3 MB and 5 ms to rewrite; 2 million episodes make 200 parts

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

    Raises `RunError` where a part cannot be read, or holds fewer or more rows than `finished` says.
    """

    def __init__(self, path: Path, finished: Mapping[tuple[int, int], int]):
        self.path = path
        if not path.exists():
            _create(path)
        parts = sorted(path.glob("part-*.parquet")) or [path / _name(0)]
        counts = dict.fromkeys(finished, 0)
        for part in parts:
            for key, count in _counts(part).items():
                if key in finished:
                    counts[key] += count
                else:
                    _remove(part, key)
        for (trial, seed), count in counts.items():
            if count != (expected := finished[trial, seed]):
                raise RunError(
                    f"{path}: trial {trial} seed {seed} must have the {expected} episodes that "
                    f"seeds.csv says, has {count}; remove its line from seeds.csv to train it again"
                )
        self._last = int(parts[-1].stem.removeprefix("part-"))
        self._open = _read(parts[-1])
        self._start_new_part_if_full()

    def add(self, trial: int, seed: int, **columns) -> None:
        """Append one training's episodes: 1-D arrays of one length, one for each other column."""
        n = len(columns["return"])
        columns = {"trial": [trial] * n, "seed": [seed] * n, "episode": range(1, n + 1), **columns}
        rows = pa.table({f.name: pa.array(columns[f.name], f.type) for f in SCHEMA}, schema=SCHEMA)
        both = pa.concat_tables([self._open, rows]).combine_chunks()
        _write(both, self.path / _name(self._last))
        self._open = both
        self._start_new_part_if_full()

    def frame(self) -> pd.DataFrame:
        """Every row, as `pandas.read_parquet(path)` gives it."""
        return pd.read_parquet(self.path)

    def _start_new_part_if_full(self) -> None:
        if self._open.num_rows >= PART_ROWS:
            self._last, self._open = self._last + 1, SCHEMA.empty_table()


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
        pq.write_table(table, temporary, compression="zstd")


def _read(part: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        with pq.ParquetFile(part) as file:
            if file.schema_arrow != SCHEMA:
                raise RunError(f"{part}: its columns must be {', '.join(SCHEMA.names)}")
            return file.read(columns)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(
            f"{part}: cannot be read as Parquet ({reason}); remove it, and the seeds it held from "
            "seeds.csv, to train them again"
        ) from error


def _counts(part: Path) -> dict[tuple[int, int], int]:
    table = _read(part, ["trial", "seed"])
    counts = table.group_by(["trial", "seed"]).aggregate([([], "count_all")])
    trials, seeds, rows = (counts[name].to_pylist() for name in ("trial", "seed", "count_all"))
    return dict(zip(zip(trials, seeds, strict=True), rows, strict=True))


def _remove(part: Path, key: tuple[int, int]) -> None:
    table = _read(part)
    trial, seed = key
    others = pc.or_(pc.not_equal(table["trial"], trial), pc.not_equal(table["seed"], seed))
    _write(table.filter(others), part)
