"""The best training's weights, from which model.keras, the GIF and the Q-value figure are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dqn.results.atomic import replacing
from dqn.results.seeds import Cell

Rows = Mapping[tuple[int, int], Mapping[str, Cell]]


@dataclass(frozen=True)
class Best:
    """The network of one training: W0, b0, W1, b1, ... and its hidden layers' activation."""

    trial: int
    seed: int
    activation: str
    weights: list[np.ndarray]


class BestWeights:
    """Keeps one file of weights in `folder`: those of the best training of `rows`.

    Best is the highest `test_return`, then `mean_return`, of the trainings that are done; of the
    others only where none is. A file names its training, and the one it replaces stays until the
    new training's line is in seeds.csv: so a kill at any moment leaves the best of those that have
    a line. Files of trainings without a line are removed here.
    """

    def __init__(self, folder: Path, rows: Rows):
        self._folder, self._rows = folder, rows
        files = {_key(path): path for path in sorted(folder.glob(".weights-*-*.npz"))}
        known = [key for key in files if key in rows]
        self._best = max(known, key=lambda key: _rank(rows[key]), default=None)
        for key, path in files.items():
            if key != self._best:
                path.unlink()

    def save_if_best(self, row: Mapping[str, Cell], weights: list[np.ndarray]) -> bool:
        """Before the line of `row` is written: save its weights beside those of the best so far."""
        if self._best is not None and _rank(row) <= _rank(self._rows[self._best]):
            return False
        with replacing(self._path(_key_of(row)), durable=True) as temporary:
            np.savez(temporary, *weights)
        return True

    def settle(self, row: Mapping[str, Cell]) -> None:
        """After the line of `row`, whose weights were saved, is written: remove the others."""
        before, self._best = self._best, _key_of(row)
        if before is not None:
            self._path(before).unlink(missing_ok=True)

    def load(self) -> Best | None:
        """The best training, or None before the first."""
        if self._best is None:
            return None
        with np.load(self._path(self._best)) as arrays:
            weights = [arrays[name] for name in arrays.files]
        return Best(*self._best, str(self._rows[self._best]["activation"]), weights)

    def _path(self, key: tuple[int, int]) -> Path:
        return self._folder / f".weights-{key[0]}-{key[1]}.npz"


def _key_of(row: Mapping[str, Cell]) -> tuple[int, int]:
    return int(row["trial"] or 0), int(row["seed"] or 0)


def _key(weights: Path) -> tuple[int, int]:
    _, trial, seed = weights.stem.split("-")
    return int(trial), int(seed)


def _rank(row: Mapping[str, Cell]) -> tuple[bool, float, float]:
    return (row["status"] == "done", _or_lowest(row["test_return"]), _or_lowest(row["mean_return"]))


def _or_lowest(value: Cell) -> float:
    return -np.inf if value is None else float(value)
