"""Results of formats 1 and 2, carried over: the rows of seeds.csv go into the parts.

Both finished a training with its line in seeds.csv. In the metadata of its parts format 1 (version
0.1.0) kept a checksum of each line, format 2 (0.2.0) the line as well.
"""

import itertools
import json
import math
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from dqn.runtime.errors import RunError
from dqn.storage import quarantine
from dqn.storage.columns import Cell, Row, columns_of
from dqn.storage.episodes import (
    ROWS,
    PartError,
    counts_of,
    only,
    read_part,
    read_table,
    write_part,
)  # fmt: skip
from dqn.storage.safe_yaml import refuse_endless
from dqn.storage.seeds_text import FOLLOWING, RowId, SeedsText, line_of

_ROUNDED = 1e-5  # what a spreadsheet leaves of a number that it shows in few digits
_OF_0_1_0 = (  # noqa: SIM905
    "trial seed env lr gamma hidden activation batch_size buffer_size learning_starts train_freq "
    "target_update tau epsilon_start epsilon_min epsilon_decay epsilon_schedule exploration_steps "
    "reward_scale double huber_delta grad_clip timeout_terminal budget_episodes budget_steps "
    "status steps episodes mean_return best_return final_return test_return solved_at collapse "
    "seconds"
).split()
"""Its columns, beside those of the environment's settings."""
_WORDS = {
    "kept": "kept, as the episodes bear it out",
    "restored": "restored, as the episodes and its checksum prove",
    "added": "added, with what it was by default or follows from the episodes",
    "again": "trained again",
}


class _OldPart:
    """A part of format 1 or 2, or one that was carried over: `rows` are what it keeps for sure."""

    def __init__(self, path: Path):
        self.path, self.table = path, read_table(path)
        self.counts, self.checksums = counts_of(self.table), dict[RowId, int]()
        self.rows: dict[RowId, Row] = {}
        self.columns = _OF_0_1_0
        metadata = self.table.schema.metadata or {}
        if ROWS in metadata:
            self.table, self.rows = read_part(path)
            return
        try:
            for trial, seed, checksum in json.loads(metadata.get(b"seeds.csv", b"[]")):
                self.checksums[trial, seed] = checksum
            kept = json.loads(metadata.get(b"seeds.csv lines", b"{}"))
            self.columns = kept.get("columns") or _OF_0_1_0
            for trial, seed, line in kept.get("lines", ()):
                if zlib.crc32(line.encode()) == self.checksums.get((trial, seed)):
                    data = f"{line_of(self.columns)}{line}\n".encode()
                    self.rows |= SeedsText(data, tuple(self.columns)).rows
        except (ValueError, TypeError, AttributeError):
            pass  # Parquet has no checksum of its metadata: what can be read of it counts


def carry_over(
    folder: Path,
    base: Mapping[str, Cell],
    varied: Callable[[str], bool],
    computed: Callable[[Row, pd.DataFrame], Row],
) -> bool:
    """Give each part of `folder` the rows of its trainings, in one replacement.

    `base` are the hyperparameter columns with the base configuration's values, `varied` says of
    which trials differ, `computed` gives what follows from the episodes of a row. Rows that nothing
    proves are copied aside with their episodes, and trained again. Returns whether it said so: then
    seeds.csv is to be written anew without a word. Raises `RunError`, with all as it was, where
    seeds.csv cannot be understood.
    """
    parts = []
    for path in sorted((folder / "episodes.parquet").glob("part-*.parquet")):
        try:
            parts.append(_OldPart(path))
        except PartError:
            continue  # it is set aside when the store is opened
    return bool(parts) and _Carrying(folder, parts, base, varied, computed).done()


class _Carrying:
    def __init__(
        self,
        folder: Path,
        parts: Sequence[_OldPart],
        base: Mapping[str, Cell],
        varied: Callable[[str], bool],
        computed: Callable[[Row, pd.DataFrame], Row],
    ):
        self._path, self._parts = folder / "seeds.csv", parts
        self._base, self._varied, self._computed = base, varied, computed
        self._known = {key for part in parts for key in part.rows}
        self._text = self._read()
        missing = [name for name in self._text.missing if name in _OF_0_1_0]
        damage = [] if self._known else self._text.damage
        self._problems = [f", line {number}: {reason}" for number, reason, _ in damage]
        self._outcomes = Counter(again=len(damage))
        if not self._known:
            self._problems += [f": must have a column {name}, has none" for name in missing]
            self._outcomes["added"] = len(missing)

    def done(self) -> bool:
        asides: list[tuple[str, Path]] = []
        lost = 0
        for part in self._parts:
            rows = {**part.rows, **self._proven(part)}
            wrong = {key: self._wrong(key, rows, part) for key in [*part.counts, *rows]}
            wrong = {key: reason for key, reason in wrong.items() if reason}
            rows = {key: row for key, row in rows.items() if key not in wrong}
            if wrong.keys() - self._of_a_kill(part, wrong):
                reason = f"{part.path.parent}: {next(iter(wrong.values()))}"
                asides.append((reason, quarantine.copy_aside(part.path, self._path.parent)))
                lost += len(wrong)
            write_part(part.path, only(part.table, rows) if wrong else part.table, rows)
        if self._problems:
            is_lossy = self._outcomes["again"] or self._outcomes["restored"]
            aside = quarantine.copy_aside(self._path, self._path.parent) if is_lossy else None
            more = f" and {len(self._problems) - 1} more like it" if self._problems[1:] else ""
            done = ", ".join(word for kind, word in _WORDS.items() if self._outcomes[kind])
            copy = f"; the file as it was is now {aside.name}" if aside else ""
            quarantine.report(f"{self._path}{self._problems[0]}{more}; {done}{copy}")
        quarantine.report_lost(asides, lost, self._parts[0].path.parent)
        return bool(self._problems or asides)

    def _read(self) -> SeedsText:
        columns = columns_of(self._base)
        empty = SeedsText(line_of(columns).encode(), columns)
        try:
            refuse_endless(self._path)
            data = self._path.read_bytes() if self._path.exists() else b""
            return SeedsText(data, columns, self._base, self._varied) if data.strip() else empty
        except ValueError as error:
            if self._known:
                return empty
            raise RunError(
                f"{self._path}, line 1: {error}; it is left as it is: restore that line, or move "
                "the file away: then its trainings are set aside, and trained again"
            ) from error

    def _proven(self, part: _OldPart) -> dict[RowId, Row]:
        """The rows of trainings of `part` that seeds.csv alone has, where they can be believed."""
        found = part.table.to_pandas()
        episodes = dict(list(found.groupby(["trial", "seed"], sort=False)))
        rows = {}
        for key, row in self._text.rows.items():
            is_here = key in part.counts or (part is self._parts[-1] and row["episodes"] == 0)
            if key in self._known or not is_here:
                continue
            outcome, row = self._judged(key, part, pd.DataFrame(episodes.get(key, found[:0])))
            if outcome:
                problem = ": the line of trial {} seed {} must be as it was written, is not"
                self._problems.append(problem.format(*key))
                self._outcomes[outcome] += 1
            if outcome != "again":
                later = {name for name in self._text.missing if name not in part.columns}
                rows[key] = {name: cell for name, cell in row.items() if name not in later}
        return rows

    def _judged(self, key: RowId, part: _OldPart, episodes: pd.DataFrame) -> tuple[str, Row]:
        """What becomes of a row, "" where it is as it was written, and the row from now on."""
        row, missing = self._text.rows[key], self._text.missing
        computed = self._computed(row, episodes)
        row |= {name: computed.get(name) for name in missing if name in FOLLOWING}
        written = part.checksums.get(key)
        if written in (None, zlib.crc32(self._text.lines[key]), *self._checksums(row, part)):
            return "", row
        base = {n: v for n, v in self._base.items() if n != "env" and not self._varied(n)}
        proven = {**row, **computed, **base}
        if written in self._checksums(proven, part):
            return "restored", proven
        return ("kept" if computed and not self._has_changed(row, proven) else "again"), proven

    def _checksums(self, row: Row, part: _OldPart) -> list[int]:
        """Of the line of a row, as the version of `part` wrote it.

        With the columns that the file has of the environment's settings, and without: it may have
        got them later.
        """
        env = [name for name in row if name.startswith("env.")]
        place = part.columns.index("env") + 1
        forms = [part.columns, [*part.columns[:place], *env, *part.columns[place:]]]
        return [zlib.crc32(line_of([row.get(n) for n in names])[:-1].encode()) for names in forms]

    @staticmethod
    def _has_changed(row: Row, proven: Row) -> bool:
        return not all(_is_near(row[name], value) for name, value in proven.items())

    def _wrong(self, key: RowId, rows: Mapping[RowId, Row], part: _OldPart) -> str:
        trial, seed = key
        if key not in rows:
            return f"episodes of trial {trial} seed {seed} must have a line in seeds.csv, have none"
        expected, found = rows[key]["episodes"], part.counts[key]
        said = f"must have the {expected} episodes that seeds.csv says, has {found}"
        return f"trial {trial} seed {seed} {said}" if expected != found else ""

    def _of_a_kill(self, part: _OldPart, wrong: Collection[RowId]) -> set[RowId]:
        """The trainings whose lines were not written any more: the last that were added."""
        if part is not self._parts[-1] or not self._text.rows or self._text.damage:
            return set()
        last = reversed(part.counts)
        return set(itertools.takewhile(lambda k: k in wrong and k not in self._text.rows, last))


def _is_near(one: Cell, other: Cell) -> bool:
    """Whether both are the same value, one of them perhaps in fewer digits."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=_ROUNDED, abs_tol=1e-12)
    return one == other
