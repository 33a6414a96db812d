"""What this program writes in a folder of results, and whether a folder is one."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from dqn.config import KEYS
from dqn.errors import UserError
from dqn.results.document import plain_of

FORMAT_FILE = "format.yaml"
FIGURES = ("returns", "losses", "q_values")
NETWORK_FILES = ("model.keras", "episode.gif", *(f"figures/{name}.png" for name in FIGURES))
BEST_FILES = ("config.yaml", *NETWORK_FILES)
"""Of best/, by their paths within it."""

_TABLES = ("config.yaml", "sweep.yaml", "seeds.csv", "trials.csv", "episodes.parquet",
           "machine.yaml", FORMAT_FILE)  # fmt: skip
_LATER = ("report.html", "validation.csv", "recommended.yaml")
_FOLDERS = ("figures", "best", "validation", "tensorboard", ".hydra")
WEIGHTS = re.compile(r"\.weights-(\d+)-(\d+)\.npz")
"""A file of weights: its trial and its seed."""

_NAMES = {*_TABLES, *_LATER, *_FOLDERS, "model.keras", "episode.gif", ".lock", "study.db"}
_BY_HYDRA = (".hydra/config.yaml", "multirun.yaml")
_ENOUGH = 20  # of our keys in a mapping: nobody else's configuration has so many


def is_written(name: str) -> bool:
    """Whether this program gives the name `name` to something in a folder of results."""
    return name in _NAMES or bool(WEIGHTS.fullmatch(name))


def is_of_best(name: str) -> bool:
    """Whether best/ may have this path within it from us; one task's folder may be between."""
    return name in BEST_FILES or name.partition("/")[2] in BEST_FILES


def is_results(folder: Path) -> bool:
    """Whether a folder holds results of this program, damaged ones included."""
    if os.path.lexists(folder / FORMAT_FILE) or _is_ours(_mapping(folder / "config.yaml")):
        return True
    sweep = _mapping(folder / "sweep.yaml")
    return "identity" in sweep or _begins(
        folder / "seeds.csv", b"trial,seed,", b"\xef\xbb\xbftrial,seed,"
    )


def refuse_foreign(folder: Path, key: str, also: Collection[str] = (), hydra: bool = False) -> None:
    """Refuse a folder that is none of ours, where a file of the user's has a name that we write.

    `also` are further names; with `hydra` those count that Hydra writes before we are called. `key`
    is what names the folder. Raises `UserError`; anything under other names is no obstacle.
    """
    if not folder.is_dir() or is_results(folder):
        return
    obstacle = next(_obstacles(folder, also, hydra), None)
    if obstacle is None:
        return
    advice = f"move it away, or choose another folder with {key}=FOLDER"
    if obstacle.startswith(".hydra/"):
        advice += ", or write hydra.output_subdir=null"
    raise UserError(
        f"{folder / obstacle}: must not be there before the first training, got a file that is "
        f"not of this program and would be replaced; {advice}"
    )


def _obstacles(folder: Path, also: Collection[str], hydra: bool) -> Iterator[str]:
    best = (f"best/{name}" for name in BEST_FILES)
    for name in (*_TABLES, *_LATER, *NETWORK_FILES, *best, *also):
        if os.path.lexists(folder / name):
            yield name
    for path in sorted(folder.iterdir()):
        if WEIGHTS.fullmatch(path.name):
            yield path.name
    if not _is_lock(folder / ".lock"):
        yield ".lock"
    for name in _BY_HYDRA if hydra else ():
        if os.path.lexists(folder / name) and not _is_ours(_mapping(folder / name)):
            yield name


def _is_ours(config: Mapping[str, Any]) -> bool:
    known = {name.partition(".")[0] for name in KEYS}
    return len(known.intersection(config)) >= _ENOUGH


def _mapping(path: Path) -> Mapping[str, Any]:
    """What a YAML file says; nothing where it is none, or no mapping."""
    try:
        said = plain_of(path)
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _begins(path: Path, *with_: bytes) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(64).startswith(with_)
    except OSError:
        return False


def _is_lock(path: Path) -> bool:
    """Whether a lock is ours: a process wrote its number there, or is about to."""
    if not path.is_file():
        return not os.path.lexists(path)
    try:
        return not (said := path.read_bytes()[:64].strip()) or said.isdigit()
    except OSError:
        return True
