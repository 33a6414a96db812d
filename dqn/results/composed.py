"""config.yaml: what was composed, and that a folder of results holds one configuration only."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from dqn.config import Config
from dqn.errors import RunError, UserError
from dqn.results.atomic import replacing


def keep_config(path: Path, config: Config) -> None:
    """Write `config` to `path`, or hold it against what is there.

    `seeds` may differ: more of them add seeds, and the higher number is what the file then says.
    Any other difference raises `UserError`, which shows it; a file that is not a configuration
    raises `RunError`.
    """
    new = config.to_mapping()
    if path.exists():
        old = _read(path)
        _refuse_changes(path, old, new)
        if old["seeds"] >= new["seeds"]:
            return
    with replacing(path, durable=True) as temporary:
        temporary.write_text(
            yaml.safe_dump(new, sort_keys=False, allow_unicode=True), encoding="utf-8"
        )


def _read(path: Path) -> dict[str, object]:
    try:
        mapping = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(mapping, dict):
            raise RunError(f"{path}: must be a mapping of keys to values, is {mapping!r}")
        return Config.from_mapping(mapping).to_mapping()
    except (yaml.YAMLError, UnicodeError, UserError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path}: must be the configuration of this folder: {reason}") from error


def _refuse_changes(path: Path, old: Mapping[str, object], new: Mapping[str, object]) -> None:
    was, now = _flat(old), _flat(new)
    changed = [name for name in now if name != "seeds" and was.get(name) != now[name]]
    if changed:
        shown = "; ".join(f"{name} was {was.get(name)} and is now {now[name]}" for name in changed)
        back = " ".join(f"{name}={_written(was.get(name))}" for name in changed)
        raise UserError(
            f"{path}: a folder of results holds one configuration, but {shown}; "
            f"choose another folder with name=NAME, or go back to {back}"
        )


def _written(value: object) -> str:
    """A value as one writes it on the command line."""
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    return str(value).replace(" ", "")


def _flat(mapping: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat = {}
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
