"""What a tracker is: a program that keeps the curves and the final row of each training, too."""

import math
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dqn.runtime.atomic_write import replacing
from dqn.runtime.secrets import without_secrets
from dqn.statistics.metrics import METRICS
from dqn.storage.columns import Cell, Row
from dqn.storage.layout import TRACKING_ID
from dqn.storage.manifest import SWEEP, read_sweep
from dqn.training.jobs import EpisodeBatch

SCALARS = ("return", "length", "epsilon", "loss", "q")
"""Of an episode, in the order of an `EpisodeBatch`; a tracker has them as episode/NAME."""


@dataclass(frozen=True)
class TrackedTraining:
    """A training as a tracker hears of it."""

    trial: int
    seed: int
    hyperparameters: Mapping[str, Cell]
    """As in its row of seeds.csv."""


@dataclass(frozen=True)
class TrackedFolder:
    """A results folder as a tracker knows it: its trainings are grouped by its name."""

    path: Path
    id: str
    """Made once, with the folder."""

    @classmethod
    def at(cls, path: Path) -> "TrackedFolder":
        """The folder at `path`; a run's gets its id here. Raises `OSError`."""
        path = path.absolute()
        return cls(path, _folder_id(path))

    @property
    def name(self) -> str:
        """Its name; that of validation/ has its sweep's before it."""
        is_inner = (self.path.parent / SWEEP).exists()
        return f"{self.path.parent.name}/{self.path.name}" if is_inner else self.path.name

    def id_of(self, training: TrackedTraining) -> str:
        """Of a training's run: the same whenever this (trial, seed) is trained."""
        return f"{self.id}-{training.trial}-{training.seed}"

    def name_of(self, training: TrackedTraining) -> str:
        """Of a training's run, for people."""
        return f"{self.name} trial {training.trial} seed {training.seed}"

    def place_of(self, training: TrackedTraining) -> dict[str, Any]:
        """Where a training belongs."""
        seed = {"trial": training.trial, "seed": training.seed}
        return {"study": self.name, "folder": str(self.path)} | seed


class Tracker(Protocol):
    """Keeps runs, one per training. All calls come from one thread, and any of them may raise."""

    title: str
    """What it is called."""
    package: str
    """What pip installs."""
    where: str
    """One line: where its runs are to be seen."""

    def __init__(self, folder: TrackedFolder) -> None:
        """For the trainings of a folder. Imports its library: raises `ImportError`."""

    def start(self, training: TrackedTraining) -> None:
        """Begin the run of a training; one of the same training is replaced."""

    def log(self, training: TrackedTraining, episodes: EpisodeBatch) -> None:
        """Add episodes to a run."""

    def finish(self, training: TrackedTraining, row: Row) -> None:
        """End a run with its row of seeds.csv."""

    def close(self) -> None:
        """End all that is open: trainings that were stopped."""


def scalars(episodes: EpisodeBatch) -> Iterator[tuple[int, dict[str, float]]]:
    """For each episode, the training's steps at its end and its numbers that are finite."""
    columns = (episodes.returns, episodes.lengths, episodes.epsilon, episodes.loss, episodes.q)
    names = [f"episode/{name}" for name in SCALARS]
    lists = [column.tolist() for column in (episodes.step, *columns)]
    for step, *values in zip(*lists, strict=True):
        pairs = zip(names, values, strict=True)
        yield int(step), {name: value for name, value in pairs if math.isfinite(value)}


def results(row: Row) -> dict[str, float]:
    """What a training took and reached: numbers of its row of seeds.csv, those that it has."""
    cells = {name: row.get(name) for name in ("steps", "episodes", "seconds", *METRICS)}
    return {name: float(cell) for name, cell in cells.items() if cell is not None}


def settings(training: TrackedTraining) -> dict[str, Cell]:
    """Its hyperparameters, without passwords; a number that JSON lacks (inf) is text."""
    return {name: without_secrets(_finite(v)) for name, v in training.hyperparameters.items()}


def _folder_id(path: Path) -> str:
    if (sweep := read_sweep(path / SWEEP)) is not None:
        return str(sweep["identity"])
    file = path / TRACKING_ID
    if not file.exists():
        with replacing(file) as temporary:
            temporary.write_text(f"{uuid.uuid4().hex}\n", encoding="utf-8")
    return file.read_text(encoding="utf-8").strip()


def _finite(cell: Cell) -> Cell:
    return str(cell) if isinstance(cell, float) and not math.isfinite(cell) else cell
