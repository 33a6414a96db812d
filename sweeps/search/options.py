"""The nodes `hydra.sweeper.sampler` and `.pruner`, and what their settings say of themselves.

A node's `_target_` is looked up in a short list and its settings are checked before Optuna sees
them: nothing that a configuration names is imported or called.
"""

import functools
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

import optuna

from dqn.compose.help_page import CONF
from dqn.config.familiar import advice_on_sweeper
from dqn.config.fields import closest_match, override_text, run, short_repr, validate
from dqn.runtime.errors import UserError
from dqn.storage.safe_yaml import plain_of

_NONE = object()

Ranges = Mapping[str, Mapping[str, str]]
"""By each `_target_` there may be, the ranges of its settings, "" of those that need none."""


def option(default: Any, unit: str, span: str, meaning: str) -> Any:
    """A field of what `hydra.sweeper` may set: no network sees it, and none has a symbol."""
    return run(default, "", unit, span, meaning)


def chosen(part: str, node: Mapping[str, Any], known: Ranges) -> dict[str, Any]:
    """The settings of the node `hydra.sweeper.PART`, checked, with the defaults of its file.

    The file of a `_target_` in conf/ holds all settings that it may have, so that none depends on
    Optuna's own defaults; `known` has their ranges, as Optuna itself checks few of them, and some
    only in the middle of a study. Raises `UserError`, one line.
    """
    target, where = node.get("_target_"), f"hydra.sweeper.{part}"
    if target not in known:
        raise UserError(
            f"{where}._target_ must be one of {', '.join(known)}, got {short_repr(target)}; "
            f"{_choice(part, override_text(target).rpartition('.')[2])}"
        )
    values = options_of(part, target)
    del values["_target_"]
    for name, value in node.items():
        if name == "_target_":
            continue
        if not isinstance(name, str) or name not in values:
            near = closest_match(override_text(name), values)
            advice = advice_on_sweeper(f"{part}.{override_text(name)}") or (
                f"did you mean {where}.{near}?" if near else "leave it out"
            )
            raise UserError(
                f"{override_text(name)} is no setting of {target}, got "
                f"{where}.{override_text(name)}={override_text(value)}; {advice}"
            )
        setting = option(values[name], "", known[str(target)].get(name, ""), "")
        setting.type = int | None if values[name] is None else type(values[name])
        values[name] = validate(f"{where}.{name}", setting, value)
    return values


def options_of(part: str, target: Any) -> dict[str, Any]:
    """The node of one `target` that sets nothing itself, with all its settings."""
    return dict(_files(part)[target][1])


def _choice(part: str, name: str) -> str:
    """What to write instead of a target `name` that there is none of."""
    options = {target.rpartition(".")[2]: option for target, (option, _) in _files(part).items()}
    near = closest_match(name, options)
    meant = f"did you mean {near}? " if near else ""
    option = options.get(near, f"NAME, of {', '.join(sorted(options.values()))}")
    return f"{meant}write hydra/sweeper/{part}={option}"


def parts_of(sweeper: Mapping[str, Any], written: Collection[str]) -> dict[str, Any]:
    """The nodes `sampler` and `pruner` of `sweeper`, without what another one's file says.

    A file of conf/ has a `_target_` and its settings. Where the configuration names another target,
    what the file says of its own is no wish of the user's; what is `written` on a command line is.
    """
    parts = {}
    for part in ("sampler", "pruner"):
        node, files = sweeper.get(part), _files(part)
        if not isinstance(node, Mapping):
            continue
        target, where = node.get("_target_"), f"hydra.sweeper.{part}."
        _, own = files.get(str(target), ("", {}))
        others = [text for name, (_, text) in files.items() if name != target]
        kept = {"_target_", *own, *(key.removeprefix(where) for key in written)}
        parts[part] = {
            name: value
            for name, value in node.items()
            if name in kept or all(text.get(name, _NONE) != value for text in others)
        }
    return parts


@functools.cache
def _files(part: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """By target, the option of hydra/sweeper/PART that names it, and what its file says."""
    folder = CONF / "hydra" / "sweeper" / part
    text = {path.stem: plain_of(path) for path in sorted(folder.glob("*.yaml"))}
    return {node["_target_"]: (option, node) for option, node in text.items()}


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
            text = ", ".join(f"{name}={override_text(value)}" for name, value in options.items())
            raise UserError(
                f"hydra.sweeper.{part} must have settings that go together, got {text} "
                f"({error}); leave one of them out"
            ) from error
