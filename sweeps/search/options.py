"""The nodes `hydra.sweeper.sampler` and `.pruner`, and what their settings say of themselves.

A node's `_target_` must be that of a file in conf/. The file has all settings that it may have, so
that no study depends on Optuna's own defaults, and in comments their ranges, as Optuna checks few
of them, and some only in the middle of a study. Nothing else that a configuration names is imported
or called.
"""

import functools
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import optuna

from dqn.compose.help_page import CONF
from dqn.config.familiar import advice_on_sweeper
from dqn.config.fields import closest_match, override_text, run, short_repr, validate
from dqn.runtime.errors import UserError, must_be, unknown_key
from dqn.storage.safe_yaml import plain_of

SWEEPER = "hydra.sweeper"

_SETTING = re.compile(r"(\w+):.*# (.*)")


class _File(NamedTuple):
    """What a file of conf/ says of the `_target_` that it names."""

    option: str
    """Of hydra/sweeper/PART."""
    node: dict[str, Any]
    ranges: dict[str, str]
    """Of settings, "" of those that need none."""


def option(default: Any, unit: str, span: str, meaning: str) -> Any:
    """A field of what `hydra.sweeper` may set: no network sees it, and none has a symbol."""
    return run(default, "", unit, span, meaning)


def chosen(part: str, node: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The class that the node `hydra.sweeper.PART` names, and its settings with their defaults.

    Raises `UserError`, one line.
    """
    target, where, files = node.get("_target_"), f"{SWEEPER}.{part}", _files(part)
    if str(target) not in files:
        options = {name.rpartition(".")[2]: file.option for name, file in files.items()}
        near = closest_match(override_text(target).rpartition(".")[2], options)
        choice = options.get(near, f"NAME, of {', '.join(sorted(options.values()))}")
        meant, rule = f"did you mean {near}? " if near else "", f"one of {', '.join(files)}"
        advice = f"{meant}write hydra/sweeper/{part}={choice}"
        raise must_be(f"{where}._target_", rule, short_repr(target), advice, value=target)
    values, ranges = options_of(part, node), files[str(target)].ranges
    for name, value in node.items():
        if name not in values:
            raise unknown_setting(where, name, value, str(target), values)
        if name != "_target_":
            setting = option(values[name], "", ranges.get(name, ""), "")
            setting.type = int | None if values[name] is None else type(values[name])
            values[name] = validate(f"{where}.{name}", setting, value)
    return values.pop("_target_").rpartition(".")[2], values


def unknown_setting(
    where: str, name: Any, value: Any, owner: str, known: Iterable[str]
) -> UserError:
    """The refusal of a setting below `where` in `hydra.sweeper` that its `owner` does not have."""
    name = override_text(name)
    near, key = closest_match(name, known), f"{where}.{name}"
    guess = f"did you mean {where}.{near}?" if near else "leave it out"
    advice = advice_on_sweeper(key.removeprefix(f"{SWEEPER}.")) or guess
    return unknown_key(key, f"{key}={override_text(value)}, for {owner}", advice, value)


def options_of(part: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """What `node`, of a `_target_` that is one, would be if it set nothing itself."""
    return dict(_files(part)[node["_target_"]].node)


def parts_of(sweeper: Mapping[str, Any], written: Collection[str]) -> dict[str, Any]:
    """The nodes `sampler` and `pruner` of `sweeper`, without what another one's file says.

    A file of conf/ has a `_target_` and its settings. Where the configuration names another target,
    what the file says of its own is no wish of the user's; what is `written` on a command line is.
    """
    parts = {}
    for part in [part for part in ("sampler", "pruner") if part in sweeper]:
        node, where = sweeper[part], f"{SWEEPER}.{part}"
        if not isinstance(node, Mapping):
            advice = f"choose one with {where.replace('.', '/')}="
            raise must_be(where, "a mapping with a _target_", short_repr(node), advice, value=node)
        texts = {target: file.node for target, file in _files(part).items()}
        own = texts.pop(str(node.get("_target_")), {})
        of_others = [item for text in texts.values() for item in text.items()]
        parts[part] = {
            name: value
            for name, value in node.items()
            if name in own or f"{where}.{name}" in written or (name, value) not in of_others
        }
    return parts


@functools.cache
def _files(part: str) -> dict[str, _File]:
    """The files of hydra/sweeper/PART, by the `_target_` of each."""
    found = {}
    for path in sorted((CONF / "hydra" / "sweeper" / part).glob("*.yaml")):
        node, ranges = plain_of(path), {}
        for name, comment in _SETTING.findall(path.read_text("utf-8")):
            cells = [cell for cell in comment.split(" · ") if cell[0] in "><[(" or " | " in cell]
            ranges[name] = "".join(cells)
        found[node["_target_"]] = _File(path.stem, node, ranges)
    return found


def made(
    part: str, make: Callable[..., Any], options: Mapping[str, Any], more: Mapping[str, Any]
) -> Any:
    """One of Optuna's objects, without the word that it is experimental; `more` are not settings.

    Raises `UserError` for settings that it refuses together.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            return make(**options, **more)
        except ValueError as error:
            got = ", ".join(f"{name}={override_text(value)}" for name, value in options.items())
            rule, advice = "settings that go together", "leave one of them out"
            raise must_be(f"{SWEEPER}.{part}", rule, f"{got} ({error})", advice) from error
