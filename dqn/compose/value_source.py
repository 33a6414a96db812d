"""Which file of the user's own a value came from: a refusal names it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from yaml import YAMLError

from dqn.compose.help_page import CONF, default_groups
from dqn.compose.hydra_private import ConfigLoaderImpl
from dqn.runtime.errors import must_be
from dqn.storage.safe_yaml import texts_of


def file_that_sets(
    key: str, loader: ConfigLoaderImpl, name: str | None, overrides: Sequence[str]
) -> Path | None:
    """The last file that sets `key`, as its user may open it; None of a file of this package.

    `name` is of the primary configuration, `overrides` choose the groups.
    """
    found = None
    for path, package, node in _files(loader, name, overrides):
        if _sets(node, package, key):
            found = path
    return found if found is None or not found.is_relative_to(CONF) else None


def refuse_misread(
    key: str,
    value: object,
    loader: ConfigLoaderImpl,
    name: str | None,
    overrides: Sequence[str],
) -> None:
    """Refuse a text that YAML reads as a number other than it looks: 12:30:00 is 45000."""
    for path, _, node in _files(loader, name, overrides):
        if not isinstance(node, dict) or node.get(key) != value:
            continue
        written = texts_of(path).get(key)
        if written != str(value):
            got = f"{written}, which YAML reads as {value}"
            raise must_be(
                key, f"in quotes in {path}", got, f"write {key}: '{written}'", value=value
            )


@contextmanager
def naming_undecoded(loader: ConfigLoaderImpl) -> Iterator[None]:
    """Turn a file that is not UTF-8 into a `UserError` that names it."""
    try:
        yield
    except UnicodeDecodeError as error:
        folders = [one.path or "" for one in loader.config_search_path.get_path()]
        for folder in folders:
            if not folder.startswith("file://"):
                continue
            for path in Path(folder.removeprefix("file://")).rglob("*.yaml"):
                if error.object in path.read_bytes():
                    got = f"the byte 0x{error.object[error.start]:02x} in it"
                    advice = "save it as UTF-8"
                    raise must_be(str(path), "UTF-8 text", got, advice) from error
        raise


def refuse_without_package(
    key: str, loader: ConfigLoaderImpl, name: str | None, overrides: Sequence[str]
) -> None:
    """Refuse a file in the folder of a group, such as preset, whose keys would be below `key`."""
    if key == "env" or key not in default_groups():
        return
    for path, package, _ in _files(loader, name, overrides):
        if package == key and not path.is_relative_to(CONF):
            before = path.read_text("utf-8").startswith("\ufeff")
            got = "a byte order mark before it" if before else "another"
            advice = "save it without one" if before else "write that line above its keys"
            rule = "# @package _global_"
            raise must_be(f"the first line of {path}", rule, got, advice)


def _files(
    loader: ConfigLoaderImpl, name: str | None, overrides: Sequence[str]
) -> Iterator[tuple[Path, str, Any]]:
    """Every file that is composed, in order, with its package and what it says."""
    try:
        defaults = loader.compute_defaults_list(name, list(overrides), RunMode.RUN).defaults
    except (HydraException, YAMLError, UnicodeDecodeError):  # refused by its name already
        return
    for default in defaults:
        found = loader.repository.load_config(default.config_path or "")
        if found is None or not found.path.startswith("file://"):
            continue
        path = Path(found.path.removeprefix("file://")) / f"{default.config_path}"
        yield path.with_name(f"{path.name}.yaml"), default.package or "", _text_of(found.config)


def _text_of(config: Any) -> Any:
    return OmegaConf.to_container(config, resolve=False)


def _sets(node: Any, package: str, key: str) -> bool:
    """Whether what a file says in its package sets `key`: nested, or by its dotted name."""
    if package:
        if key != package and not key.startswith(f"{package}."):
            return False
        key = key[len(package) + 1 :]
    while isinstance(node, dict) and key:
        if key in node:
            return True
        first, _, key = key.partition(".")
        node = node.get(first)
    return isinstance(node, dict) and not key
