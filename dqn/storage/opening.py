"""Opens a folder's tables: seeds.csv is held against episodes.parquet, which it follows from."""

import shlex
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pandas as pd

from dqn.storage import quarantine
from dqn.storage.columns import Cell, Row
from dqn.storage.episodes import EpisodeStore
from dqn.storage.seeds import SeedsTable
from dqn.storage.seeds_text import RowId, SeedsText


def open_tables(
    folder: Path,
    base: Callable[[Collection[str]], Mapping[str, Cell]],
    computed: Callable[[Row, pd.DataFrame], Row],
    was_killed: bool,
    is_silent: bool = False,
) -> tuple[SeedsTable, EpisodeStore]:
    """seeds.csv and episodes.parquet of `folder`, made if they are not there.

    `base` gives the hyperparameter columns, with the base configuration's values, from the columns
    that rows have; `computed` what follows from the episodes of a row. A row that was written
    before a column existed has its value from there. What was done is said in a line per file, but
    for what a kill explains, and of seeds.csv nothing where `is_silent`. Raises `RunError` where
    seeds.csv is no file.
    """
    store = EpisodeStore(folder / "episodes.parquet")
    written = {name for row in store.rows.values() for name in row}
    defaults = base(written)
    seeds = SeedsTable(folder / "seeds.csv", defaults, store.rows)
    store.complete(
        seeds.columns, lambda row, episodes: {**defaults, **computed({**defaults, **row}, episodes)}
    )
    check = _Check(seeds, written, was_killed)
    if check.differs:
        problems = [] if is_silent else check.problems
        aside = quarantine.copy_aside(seeds.path, folder) if problems and check.data else None
        seeds.write()
        if problems:
            more = f" and {len(problems) - 1} more like it" if len(problems) > 1 else ""
            copy = f"; the file as it was is now {aside.name}" if aside else ""
            text = f"{problems[0]}{more}; restored from episodes.parquet{copy}"
            quarantine.report(f"{seeds.path}{text}")
        if check.removed and not is_silent:
            (trial, seed), *others = check.removed
            more = f" and {len(others)} more" if others else ""
            quarantine.report(
                f"{seeds.path}: the line of trial {trial} seed {seed}{more} was removed and is "
                f"back; to have it trained again, give python -m sweeps forget "
                f"{shlex.quote(str(folder))} --trial {trial} --seed {seed}"
            )
    store.save()  # after seeds.csv: a kill in between leaves a table that has all that parts have
    quarantine.report_lost(store.aside, 0 if is_silent else len(check.lost), store.path)
    return seeds, store


class _Check:
    """What a seeds.csv says against its rows; `written` are the columns they were written with."""

    def __init__(self, seeds: SeedsTable, written: Collection[str], was_killed: bool):
        self.data = seeds.read()
        self.problems: list[str] = []
        self.removed: list[RowId] = []
        """Trainings whose lines somebody took out."""
        self.lost: list[RowId] = []
        """Trainings that it has a line of, though their episodes are gone."""
        self._rows, self._was_killed = seeds.rows, was_killed
        keys = {seeds.line(row).encode(): key for key, row in seeds.rows.items()}
        header, *lines = self.data.splitlines(keepends=True) or [b""]
        is_whole = header == seeds.header and len(lines) == len(keys)
        self.differs = not is_whole or keys.keys() != set(lines)
        if not self.differs:
            seeds.order(keys[line] for line in lines)
        elif lines or b"\r" in header or (seeds.rows and b"\n" in header):
            self._compare(seeds, written)
        elif self._rows:
            self.problems.append(": must have a line for each training, is lost")

    def _compare(self, seeds: SeedsTable, written: Collection[str]) -> None:
        names = tuple(name for name in seeds.columns if name in written)
        try:
            text = SeedsText(self.data, names)
        except ValueError as error:
            self.problems.append(f", line 1: {error}")
            return
        self.problems += [f", line {number}: {reason}" for number, reason, _ in text.damage]
        for key, row in text.rows.items():
            own = self._rows.get(key)
            # A kill may have left the line of a training that was tried again.
            if self._was_killed and row["status"] in ("failed", "pruned"):
                continue
            if own is None:
                self.lost.append(key)
            elif any(row[name] != own[name] for name in names):
                problem = ": the line of trial {} seed {} must be as it was written, is not"
                self.problems.append(problem.format(*key))
        if not set(seeds.columns).issuperset(text.header):
            self.problems.append(": has columns that are not ours")
        missing = [key for key in self._rows if key not in text.rows]
        tail = self.data.rpartition(b"\n")[2]
        cut = [k for k in missing if tail and seeds.line(self._rows[k]).encode().startswith(tail)]
        # A kill between the part and the lines leaves out the last that were added.
        last = list(self._rows)[len(self._rows) - len(missing) :]
        if not (self._was_killed and missing == last):
            self.removed = [key for key in missing if key not in cut][len(text.damage) :]
