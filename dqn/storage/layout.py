"""What this program writes in a folder of results, and whether a folder is one."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from dqn.config.config import KEYS
from dqn.runtime.errors import UserError
from dqn.storage.safe_yaml import plain_of

FORMAT_FILE = "format.yaml"
FIGURES = ("returns", "losses", "q_values")
NETWORK_FILES = ("model.keras", "episode.gif", *(f"figures/{name}.png" for name in FIGURES))
BEST_FILES = ("config.yaml", *NETWORK_FILES)
"""Of best/, by their paths within it."""

_TABLES = ("config.yaml", "sweep.yaml", "seeds.csv", "trials.csv", "episodes.parquet",
           "machine.yaml", "components.yaml", FORMAT_FILE)  # fmt: skip
_LATER = ("report.html", "validation.csv", "recommended.yaml")
_FOLDERS = ("figures", "best", "validation", "tensorboard", "wandb", "mlartifacts", ".hydra")
TRACKING_ID = ".tracking"
"""What trackers know a run by; a sweep has its identity."""
MADE_BY = "dqn-study"
"""In the metadata of every figure."""
WEIGHTS = re.compile(r"\.weights-(\d+)-(\d+)\.npz")
"""A file of weights: its trial and its seed."""

_NAMES = {*_TABLES, *_LATER, *_FOLDERS, "model.keras", "episode.gif", ".lock", "study.db",
          "mlflow.db", TRACKING_ID}  # fmt: skip
_ENOUGH = 20  # of our keys in a mapping: nobody else's configuration has so many


def is_written(name: str) -> bool:
    """Whether this program gives the name `name` to something in a folder of results."""
    return name in _NAMES or bool(WEIGHTS.fullmatch(name))


def is_results(folder: Path) -> bool:
    """Whether a folder holds results of this program, damaged ones included."""
    if os.path.lexists(folder / FORMAT_FILE) or _is_ours(_mapping(folder / "config.yaml")):
        return True
    sweep = _mapping(folder / "sweep.yaml")
    seeds = _beginning(folder / "seeds.csv").removeprefix(b"\xef\xbb\xbf")
    return "identity" in sweep or seeds.startswith(b"trial,seed")


def refuse_foreign(
    folder: Path, key: str, also: Collection[str] = (), hydra: str | None = None
) -> None:
    """Refuse a folder that is none of ours, where something of the user's has a name that we write.

    `also` are further such names, `hydra` is the folder in it that Hydra writes to before we are
    called, `key` what names the folder. Raises `UserError`; anything under other names, a folder
    `figures` or `best` included, is no obstacle and is left alone.
    """
    if not folder.is_dir():
        return
    many = key == "hydra.sweep.dir"
    obstacle = None if is_results(folder) else next(_obstacles(folder, also, many), None)
    advice = f"move it away, or choose another folder with {key}=FOLDER"
    if obstacle is None:
        obstacle = next(_of_hydra(folder, many, hydra), None)
        if not many:
            advice += ", or write hydra.output_subdir=null"
    if obstacle is not None:
        raise UserError(
            f"{folder / obstacle}: would be replaced, but is not of this program; {advice}"
        )


def refuse_other(path: Path, *marks: bytes) -> None:
    """Refuse to replace a file that does not begin as ours do, with all of `marks`; `UserError`."""
    if os.path.lexists(path) and not all(mark in _beginning(path) for mark in marks):
        raise UserError(
            f"{path}: would be replaced, but is not of this program; move it away, or give it "
            "another name"
        )


def _obstacles(folder: Path, also: Collection[str], many: bool) -> Iterator[str]:
    pictures = [f"best/{name}" for name in BEST_FILES] if many else NETWORK_FILES
    for name in (*_TABLES, *pictures, *also):
        if os.path.lexists(folder / name):
            yield name
    for path in sorted(folder.iterdir()):
        if WEIGHTS.fullmatch(path.name):
            yield path.name
    if not _is_lock(folder / ".lock"):
        yield ".lock"


def _of_hydra(folder: Path, many: bool, inner: str | None) -> Iterator[str]:
    if many and _is_others(folder / "multirun.yaml"):
        yield "multirun.yaml"
    if inner is not None and _is_others(folder / inner / "config.yaml"):
        yield f"{inner}/config.yaml"
    if inner is not None and not os.path.lexists(folder / inner / "config.yaml"):
        names = (f"{inner}/{name}.yaml" for name in ("hydra", "overrides"))
        yield from (name for name in names if os.path.lexists(folder / name))


def _is_others(path: Path) -> bool:
    """Whether a configuration is there that is none of this program's."""
    return os.path.lexists(path) and bool(_beginning(path)) and not _is_ours(_mapping(path))


def _is_ours(config: Mapping[str, Any]) -> bool:
    known = {name.partition(".")[0] for name in KEYS}
    return len(known.intersection(config)) >= _ENOUGH


def _mapping(path: Path) -> Mapping[str, Any]:
    """What a YAML file says; nothing where it is none, or no mapping."""
    try:
        text = plain_of(path)
    except (OSError, ValueError):
        return {}
    return text if isinstance(text, dict) else {}


def _beginning(path: Path) -> bytes:
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(1000)
    except OSError:
        return b""


def _is_lock(path: Path) -> bool:
    """Whether a lock is ours: a process wrote its number there, or is about to."""
    if not path.is_file():
        return not os.path.lexists(path)
    try:
        return not (text := path.read_bytes()[:64].strip()) or text[:1].isdigit()
    except OSError:
        return True


def shown_path(path: Path) -> str:
    """A path as it is written from the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
