"""The best trainings' weights, from which model.keras, the GIF and the Q-value figure are made."""

import zipfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dqn.runtime.atomic_write import replacing
from dqn.storage import quarantine
from dqn.storage.columns import Cell
from dqn.storage.layout import WEIGHTS
from dqn.storage.seeds_text import RowId


@dataclass(frozen=True)
class Best:
    """The network of one training: W0, b0, W1, b1, ... as in `dqn.agents.networks`."""

    trial: int
    seed: int
    weights: list[np.ndarray]


class BestWeights:
    """Keeps one file of weights a trial in `folder`, that of its best training of `rows`.

    Best is the highest `test_return`, then `mean_return`, of the trainings that are done; of the
    others only where none is. A file names its training, and the one it replaces stays until the
    new training's line is in seeds.csv: so a kill at any moment leaves the best of those that have
    a line. Files of trainings without a line are removed here; damaged ones are set aside, and one
    line on standard error says so.
    """

    def __init__(self, folder: Path, rows: Mapping[RowId, Mapping[str, Cell]]):
        self._folder, self._rows = folder, rows
        self._best: dict[int, RowId] = {}
        damaged = []
        for path in sorted(folder.glob(".weights-*.npz")):
            found = WEIGHTS.fullmatch(path.name)
            if found is None:
                continue
            key = int(found[1]), int(found[2])
            if key in rows and not _read(path):
                damaged.append((path, quarantine.move_aside(path, folder)))
            elif key not in rows:
                path.unlink()
            elif key[0] not in self._best or _rank(rows[key]) > _rank(rows[self._best[key[0]]]):
                self.commit([key])
            else:
                path.unlink()
        if damaged:
            (path, aside), *others = damaged
            more = f" and {len(others)} more like it" if others else ""
            quarantine.report(f"{path}: must be weights, is damaged; it is now {aside.name}{more}")

    @property
    def trials(self) -> set[int]:
        """Those whose best network is here."""
        return set(self._best)

    def save_if_best(
        self, rows: Iterable[Mapping[str, Cell]], weights: Iterable[list[np.ndarray]]
    ) -> list[RowId]:
        """Before lines are written: save those weights that are their trial's best; of which."""
        better: dict[int, tuple[Mapping[str, Cell], list[np.ndarray]]] = {}
        for row, arrays in zip(rows, weights, strict=True):
            trial = _key_of(row)[0]
            best = self._rows[self._best[trial]] if trial in self._best else None
            best = better[trial][0] if trial in better else best
            if arrays and (best is None or _rank(row) > _rank(best)):
                better[trial] = row, arrays
        for row, arrays in better.values():
            with replacing(self._path(_key_of(row)), durable=True) as temporary:
                np.savez(temporary, *arrays)
        return [_key_of(row) for row, _ in better.values()]

    def commit(self, keys: Iterable[RowId]) -> None:
        """After the lines of those whose weights were saved are there: remove the others'."""
        for key in keys:
            self.drop(key[0])
            self._best[key[0]] = key

    def forget(self, keys: Collection[RowId]) -> None:
        """Before trainings are replaced: remove what is here of the old ones."""
        for trial, best in list(self._best.items()):
            if best in keys:
                self.drop(trial)

    def drop(self, trial: int) -> None:
        """Remove a trial's weights, if they are here."""
        if (key := self._best.pop(trial, None)) is not None:
            self._path(key).unlink(missing_ok=True)

    def load(self, trial: int) -> Best | None:
        """The best training of a trial, or None where no network of it is here."""
        key = self._best.get(trial)
        weights = _read(self._path(key)) if key else []
        if key is None or not weights:
            return None
        return Best(*key, weights)

    def _path(self, key: RowId) -> Path:
        return self._folder / f".weights-{key[0]}-{key[1]}.npz"


def read_best(folder: Path, trial: int, rows: Iterable[Mapping[str, Cell]]) -> Best | None:
    """The best network of `trial` that a folder has of its `rows`; nothing is mended or removed.

    None where there is none, as of a trial that is not the best of its sweep.
    """
    for row in sorted(rows, key=_rank, reverse=True):
        _, seed = _key_of(row)
        if weights := _read(folder / f".weights-{trial}-{seed}.npz"):
            return Best(trial, seed, weights)
    return None


def _read(path: Path) -> list[np.ndarray]:
    """The arrays of a file of weights; none of a damaged one."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return [arrays[name] for name in arrays.files]
    except (OSError, ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile):
        return []


def _key_of(row: Mapping[str, Cell]) -> RowId:
    return int(row["trial"] or 0), int(row["seed"] or 0)


def _rank(row: Mapping[str, Cell]) -> tuple[bool, float, float]:
    return (row["status"] == "done", _or_lowest(row["test_return"]), _or_lowest(row["mean_return"]))


def _or_lowest(value: Cell) -> float:
    return -np.inf if value is None else float(value)
