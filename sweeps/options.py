"""The nodes `hydra.sweeper.sampler` and `.pruner`, and what their settings say of themselves.

A node's `_target_` is looked up in a short list and its settings are checked before Optuna sees
them: nothing that a configuration names is imported or called.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

import optuna

from dqn.errors import UserError
from dqn.schema import checked, key, nearest, override_text, shown


def option(default: Any, unit: str, span: str, meaning: str) -> Any:
    """A field of what `hydra.sweeper` may set: no network sees it, and none has a symbol."""
    return key(default, "run", "", unit, span, meaning)


def chosen(part: str, node: Mapping[str, Any], known: Mapping[str, type]) -> Any:
    """The settings of the node `hydra.sweeper.PART`, checked, as its dataclass in `known` has them.

    `known` has one by each `_target_` there may be. Raises `UserError`, one line.
    """
    target, where = node.get("_target_"), f"hydra.sweeper.{part}"
    if target not in known:
        names = [name.rpartition(".")[2] for name in known]
        near = nearest(override_text(target).rpartition(".")[2], names)
        advice = f"did you mean {near}?" if near else f"choose one with hydra/sweeper/{part}="
        raise UserError(
            f"{where}._target_ must be one of {', '.join(known)}, met {shown(target)}; {advice}"
        )
    kind = known[str(target)]
    settings = {setting.name: setting for setting in fields(kind)}
    values = {name: value for name, value in node.items() if name != "_target_"}
    for name, value in values.items():
        if name not in settings:
            near = nearest(override_text(name), settings)
            advice = f"did you mean {where}.{near}?" if near else "leave it out"
            raise UserError(
                f"{override_text(name)} is no setting of {target}, met "
                f"{where}.{override_text(name)}={override_text(value)}; {advice}"
            )
        values[name] = checked(f"{where}.{name}", settings[name], value)
    return kind(**values)


def options_of(part: str, target: Any, known: Mapping[str, type]) -> dict[str, Any]:
    """The node of one `target` that sets nothing itself, with all its settings."""
    return {"_target_": target, **asdict(chosen(part, {"_target_": target}, known))}


def quiet(make: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """One of Optuna's objects, without the word that it is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return make(**options)
