"""A configuration as the command that trains it."""

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from hydra.core.override_parser.types import Quote, QuotedString

from dqn.compose.arguments import grammar_text
from dqn.compose.help_page import CONF
from dqn.config import Config, EnvConfig
from dqn.config.config import NON_RESULT_KEYS
from dqn.config.fields import override_text

_WORD = re.compile(r"[A-Za-z_][\w-]*")
_OPEN = "gymnasium"  # the option of the group env that takes any id


def run_command(config: Config) -> str:
    """`python -m dqn.run` with every key that is not the exercise's, quoted for a shell.

    Neither the name of a folder nor the number of workers, which no result depends on.
    """
    default = Config().to_mapping()
    keys = config.to_mapping()
    changed = [
        f"{name}={override_text(value)}"
        for name, value in keys.items()
        if name not in ("env", *NON_RESULT_KEYS) and value != default[name]
    ]
    return shlex.join(["python", "-m", "dqn.run", *_environment(config.env), *changed])


def _environment(env: EnvConfig) -> Iterator[str]:
    for path in sorted((CONF / "env").glob("*.yaml")):
        known = yaml.safe_load(path.read_bytes())
        if path.stem != _OPEN and EnvConfig(**known) == env:
            if env != Config().env:
                yield f"env={path.stem}"
            return
    yield f"env={_OPEN}"
    yield f"env.id={_quoted(env.id)}"
    for name in ("max_episode_steps", "solved_return"):
        if (value := getattr(env, name)) is not None:
            yield f"env.{name}={override_text(value)}"
    yield from (f"+env.kwargs.{name}={_quoted(value)}" for name, value in flat(env.kwargs))


def flat(values: Mapping[str, Any], outer: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by dotted name; an empty mapping is one of them."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{outer}{name}.")
        else:
            yield f"{outer}{name}", value


def _quoted(value: Any) -> str:
    """As Hydra's grammar has it: text in quotes unless it is one word, and no number or flag."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_quoted, value))}]"
    if isinstance(value, str) and not (_WORD.fullmatch(value) and yaml.safe_load(value) == value):
        return QuotedString(value, Quote.single).with_quotes()
    return grammar_text(value)
