"""What a caller in Python gives by keyword, as the words of a command line: `lr=0.0005`.

What is checked, chosen and refused is then the same. Texts stand in quotes where the grammar of
Hydra has another meaning for them, so every value comes back as it was given.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypedDict

from dqn.compose.arguments import grammar_text
from dqn.compose.help_page import CONF, default_groups
from dqn.config import Config, EnvConfig
from dqn.config.components import path_of
from dqn.config.config import KEYS, refuse_unknown
from dqn.config.fields import short_repr, validate
from dqn.config.values import is_yaml, plain
from dqn.runtime.errors import UserError, must_be, only_for

_ANY_ENV = "gymnasium"  # the option of the group env that takes any id
_ID = re.compile(r"[\w.-]+:.+|(?:.+/)?[\w.-]+-v\d+")
_LISTS = ("hidden",)
"""Keys whose one value is a list."""


class Keywords(TypedDict, total=False):
    """Every key and group of a configuration, for editors and type checkers."""

    env: str | Mapping[str, Any] | EnvConfig
    preset: str
    sweep: str
    lr: float
    gamma: float
    optimizer: str
    network: str
    hidden: Sequence[int]
    activation: str
    batch_size: int
    buffer_size: int
    learning_starts: int
    train_freq: int
    target_update: int
    tau: float
    epsilon_start: float
    epsilon_min: float
    epsilon_decay: float
    epsilon_schedule: str
    exploration_steps: int
    reward_scale: float
    double: bool
    huber_delta: float
    grad_clip: float
    timeout_terminal: bool
    episodes: int
    steps: int
    seeds: int
    first_seed: int
    test_episodes: int
    workers: int | str
    fleet: str
    ray_address: str | None
    tracking: str | None


def words_of(keywords: Mapping[str, Any], config: Config | None = None) -> list[str]:
    """The words of a command line that say the same; those of `config` first.

    A mapping stands for what is nested: `env={"id": "CartPole-v1"}`; a name may be dotted too.
    Raises `UserError` for a key that does not exist, and for a value that no file could hold.
    """
    words = []
    if config is not None:
        for group in {*default_groups()} - {"env"}:
            if group in keywords:
                advice = "leave out one of them"
                raise only_for(group, "a call without a Config", advice, keywords[group])
        values = {**config.to_mapping(), "name": None, **keywords}
        keywords = {name: value for name, value in values.items() if name != "name" or value}
    for name, value in keywords.items():
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        words += _env(value) if name == "env" else [_word(name, value)]
    return words


def folder_word(folder: str | os.PathLike[str], key: str) -> str:
    """The word that names the folder of results by `key`, hydra.run.dir or hydra.sweep.dir."""
    try:
        path = os.path.expanduser(os.fspath(folder))
    except TypeError as error:
        example = 'folder="results/a"'
        raise must_be("folder", "a path", short_repr(folder), example=example) from error
    return f"{key}={grammar_text(path)}"


def _word(name: str, value: Any) -> str:
    """One key and its value."""
    if name in KEYS:
        _refuse_several(name, value)
    elif not (name in default_groups() or name.startswith(("env.kwargs.", "hydra.", "hydra/"))):
        refuse_unknown(name, groups=default_groups(), value=value)
    added = "++" if name.startswith("env.kwargs.") else ""
    return f"{added}{name}={grammar_text(_plain(name, value))}"


def _env(value: Any) -> Iterator[str]:
    """The words of an environment: an option of its group, an id, or what is nested in `env`."""
    if isinstance(value, EnvConfig):
        value = asdict(value)
    if not isinstance(value, Mapping):
        value = _plain("env", value)
        is_option = (CONF / "env" / f"{value}.yaml").is_file()
        if isinstance(value, str) and not is_option and _ID.fullmatch(value):
            value = {"id": value}
    if not isinstance(value, Mapping):
        yield _word("env", value)
        return
    if "id" in value:
        yield f"env={_ANY_ENV}"
    for name, part in value.items():
        key = f"env.{name}"
        if key == "env.kwargs" and isinstance(part, Mapping):
            if all(isinstance(inner, str) and inner.isidentifier() for inner in part):
                yield from (_word(f"{key}.{inner}", argument) for inner, argument in part.items())
            else:
                yield f"++{_word(key, part)}"
        else:
            yield _word(key, part)


def _plain(name: str, value: Any) -> Any:
    """A value as YAML has it; raises `UserError` for any other."""
    value = path_of(name, value)
    try:
        made = plain(value)
        if is_yaml(made) and not isinstance(made, bytes):
            return made
    except Exception:  # whatever an object of the user's own raises
        made = value
    if name in KEYS:
        validate(name, KEYS[name], value)  # says what the key must be
    rule = "a value that YAML has (a number, text, True, False, None, a list or a mapping)"
    raise must_be(name, rule, short_repr(value), value=value)


def _refuse_several(name: str, value: Any) -> None:
    """Raise `UserError` for a list where a key has one value: that is a grid."""
    if name in _LISTS or name == "env.kwargs":
        return
    if isinstance(made := _plain(name, value), list):
        got = short_repr(made)
        advice = f'a grid over them is sweeps.grid({{"{name}": {got}}})'
        raise must_be(name, "one value", got, advice, value=value)


def refuse_sweep(keywords: Mapping[str, Any], instead: str) -> None:
    """Raise `UserError` for keywords that would make a sweep of a run."""
    for name, value in keywords.items():
        if name == "sweep" and value is not None:
            raise only_for("sweep", "sweeps", f"write {instead}", value)
        if name.startswith(("hydra.sweeper", "hydra/sweeper", "hydra.sweep.")):
            raise UserError(f"{name} only applies to sweeps: write {instead}", name, value)
