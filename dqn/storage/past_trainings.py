"""What earlier trainings on this machine say of how long the next ones will take."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dqn.config import Config
from dqn.runtime import machine
from dqn.runtime.errors import RunError, UserError
from dqn.storage import machines
from dqn.storage.columns import Row, hyperparameters
from dqn.storage.found import results_below, size_of
from dqn.storage.layout import is_results
from dqn.storage.reader import Results, read_so_far

MOST = 20
"""Folders that are read, the newest."""
_PROGRAM = ("network", "hidden", "activation", "optimizer", "batch_size", "train_freq")
_LANES = 16  # of a block, which `dqn.training` knows
_TABLES = ("episodes.parquet", "seeds.csv", "trials.csv")


@dataclass(frozen=True)
class PastTrainings:
    """Trainings of one folder in the environment of a configuration."""

    folder: Path
    when: float
    """When the last of them finished, in seconds since the epoch."""
    trainings: int
    is_alike: bool
    """Whether they had the same network, minibatch and update frequency."""
    speed: float
    """Environment steps per second of a worker."""
    lanes: float
    """Of which as many were at work then, on average."""
    is_whole: bool
    """Whether its compiling counts in it: short trainings hardly do anything else."""
    spread: float
    """Of their steps, the mean over the most."""
    steps_per_episode: float
    """Of those trainings, in all folders, whose hyperparameters are most like the configuration's.
    """
    bytes_per_episode: float
    """Of all tables."""


def past_trainings(folders: Iterable[Path], config: Config) -> PastTrainings | None:
    """Of the newest of `folders` that was made on this machine, with trainings like `config`'s.

    Where there are none alike, of the newest in its environment; None where there is no such
    either. Folders that cannot be read are passed over.
    """
    here, wanted = machine.describe(), hyperparameters(config)
    newest = sorted(filter(None, map(_when, folders)), reverse=True)[:MOST]
    found: list[tuple[float, Results, list[Row]]] = []
    for when, folder in newest:
        results = _read(folder, here)
        if results is not None and (rows := _in_env(results, config)):
            found.append((when, results, rows))
    if not found:
        return None
    of_program = [
        (when, results, [row for row in rows if all(row[n] == wanted[n] for n in _PROGRAM)])
        for when, results, rows in found
    ]
    alike = [entry for entry in of_program if entry[2]]
    when, results, rows = (alike or found)[0]
    steps = [int(row["steps"] or 0) for row in rows]
    spread = statistics.mean(steps) / max(steps)
    everything = [row for *_, own in alike or found for row in own]
    closest = _most_like(everything, wanted)
    episodes = sum(int(row["episodes"] or 0) for row in closest)
    return PastTrainings(
        results.path,
        when,
        len(rows),
        bool(alike),
        *_speed(results.path, rows, spread),
        spread,
        sum(int(row["steps"] or 0) for row in closest) / max(1, episodes),
        _bytes_per_episode(results),
    )


def folders_near(path: Path, outputs: Path = Path("outputs")) -> list[Path]:
    """Folders of results below `outputs` and beside `path`, that itself included."""
    below = [folder for folder, error in results_below(outputs) if error is None]
    try:
        beside = [other for other in path.parent.iterdir() if is_results(other)]
    except OSError:
        beside = []
    return [*{folder.resolve(): folder for folder in (*below, *beside)}.values()]


def _when(folder: Path) -> tuple[float, Path] | None:
    try:
        return (folder / "seeds.csv").stat().st_mtime, folder
    except OSError:
        return None


def _read(folder: Path, here: dict) -> Results | None:
    known = machines.read(folder)
    same = [all(one.get(n) == here[n] for n in ("processor", "system")) for one in known]
    if not known or not all(same):
        return None
    try:
        return read_so_far(folder)
    except (UserError, RunError, OSError):
        return None


def _in_env(results: Results, config: Config) -> list[Row]:
    """Whole trainings in the environment of `config`."""
    env = results.base.env
    if env.kwargs != config.env.kwargs:
        return []
    return [
        row
        for rows in results.rows.values()
        for row in rows
        if row["env"] == config.env.id and row["status"] == "done"
        and row["steps"] and row["seconds"]
    ]  # fmt: skip


def _most_like(rows: Sequence[Row], wanted: Row) -> list[Row]:
    """Those with as many of the wanted cells as any has."""
    equal = [sum(row.get(name) == cell for name, cell in wanted.items()) for row in rows]
    return [row for row, number in zip(rows, equal, strict=True) if number == max(equal)]


def _speed(folder: Path, rows: Sequence[Row], spread: float) -> tuple[float, float, bool]:
    """Steps per second, lanes at work, whether compiling counts in it."""
    speed = machines.speed_in(folder)
    if speed is not None:
        return *speed, False
    # Of an earlier version, or of a command that was over when all was compiled.
    most = -(-len(rows) // _LANES)
    lanes = min(float(_LANES), len(rows) / most * (spread if most == 1 else 1.0))
    seconds = sum(float(row["seconds"] or 0) for row in rows)
    return sum(int(row["steps"] or 0) for row in rows) / seconds, lanes, True


def _bytes_per_episode(results: Results) -> float:
    """Of the tables of a folder."""
    paths = [results.path / name for name in _TABLES if (results.path / name).exists()]
    size = sum(size_of(path) if path.is_dir() else path.stat().st_size for path in paths)
    episodes = sum(int(row["episodes"] or 0) for own in results.rows.values() for row in own)
    return size / max(1, episodes)
