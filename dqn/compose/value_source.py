"""Which file of the user's own a value came from: a refusal names it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from yaml import YAMLError

from dqn.compose.help_page import CONF, default_groups
from dqn.compose.hydra_private import FILE, ConfigLoaderImpl
from dqn.runtime.errors import must_be
from dqn.storage.safe_yaml import texts_of

Files = list[tuple[Path, str, Any]]
"""Files in the order in which they are composed: path, package, what it says."""


def composed_files(loader: ConfigLoaderImpl, name: str | None, overrides: Sequence[str]) -> Files:
    """Every file of the primary configuration `name`, and of the groups that `overrides` choose."""
    try:
        defaults = loader.compute_defaults_list(name, list(overrides), RunMode.RUN).defaults
    except (HydraException, YAMLError, UnicodeDecodeError):  # refused by its name already
        return []
    files = []
    for default in defaults:
        found = loader.repository.load_config(default.config_path or "")
        if found is not None and found.path.startswith(FILE):
            path = Path(found.path.removeprefix(FILE), f"{default.config_path}.yaml")
            text = OmegaConf.to_container(found.config, resolve=False)
            files.append((path, default.package or "", text))
    return files


def file_that_sets(key: str, files: Files) -> Path | None:
    """The last file that sets `key`, as its user may open it; None of a file of this package."""
    paths = [
        path for path, package, node in files if _sets({package: node} if package else node, key)
    ]
    return paths[-1] if paths and not paths[-1].is_relative_to(CONF) else None


def refuse_misread(key: str, value: object, files: Files) -> None:
    """Refuse a text that YAML reads as a number other than it looks: 12:30:00 is 45000."""
    for path, _, node in files:
        is_it = isinstance(node, dict) and node.get(key) == value
        if is_it and (written := texts_of(path).get(key)) != str(value):
            got, advice = f"{written}, which YAML reads as {value}", f"write {key}: '{written}'"
            raise must_be(key, f"in quotes in {path}", got, advice, value=value)


def refuse_without_package(key: str, files: Files) -> None:
    """Refuse a file in the folder of a group, such as preset, whose keys would be below `key`."""
    if key == "env" or key not in default_groups():
        return
    for path, package, _ in files:
        if package == key and not path.is_relative_to(CONF):
            before = path.read_text("utf-8").startswith("\ufeff")
            got = "a byte order mark before it" if before else "another"
            advice = "save it without one" if before else "write that line above its keys"
            raise must_be(f"the first line of {path}", "# @package _global_", got, advice)


def _sets(node: Any, key: str) -> bool:
    """Whether a mapping sets `key`: nested, or by its dotted name."""
    return isinstance(node, dict) and any(
        key == name or (key.startswith(f"{name}.") and _sets(part, key[len(f"{name}.") :]))
        for name, part in node.items()
    )
