"""What a shell offers for a word that is being typed: Hydra's own completion, and what it lacks.

Hydra knows a setting only where the words before compose to a configuration that has it, and of a
value only what it is now.
"""

import os
import re
import shlex
from collections.abc import Iterable

from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from dqn.compose.help_page import CONF, DRY_RUN
from dqn.compose.hydra_private import BashCompletion, ConfigLoaderImpl, get_args_parser
from dqn.compose.overrides import options_of
from dqn.config import Config
from dqn.config.config import KEYS, choices_of

SHELLS = {"bash": " ", "zsh": " ", "fish": "\n"}
"""What parts the words that are offered, by shell."""
_NOT_TYPED = ("hydra=", "_target_=", "_recursive_=", "hydra.sweeper.max_batch_size=")
_CHOICES = re.compile(r"^(\w+):.*#.*?(\w+(?: \| \w+)+)", re.M)
_STUDY = "hydra/sweeper=optuna"


def queried(overrides: Iterable[str]) -> str:
    """The shell that asks, of the words behind `-sc`; "" where none does."""
    asked = {word.removeprefix("query=") for word in overrides if word.startswith("query=")}
    return next(iter(asked & SHELLS.keys()), "")


def answer(shell: str, loader: ConfigLoaderImpl, name: str) -> str:
    """What to print for the line that the shell gives in COMP_LINE."""
    line = BashCompletion.strip_python_or_app_name(os.environ.get("COMP_LINE", "dqn-run "))
    return SHELLS[shell].join(complete(loader, name, line))


def complete(loader: ConfigLoaderImpl, name: str, line: str) -> list[str]:
    """The words that the last one of `line`, which may be empty, can become, in order.

    `name` is that of the configuration. Of the words before, those count that choose an option of
    a group: no other decides which keys there are, and some, as of a search, compose to nothing.
    """
    *before, word = _words(line)
    if word.startswith("-"):
        flags = {flag for a in get_args_parser()._actions for flag in a.option_strings}
        return sorted(flag for flag in {*flags, DRY_RUN} if flag.startswith(word))
    groups = [typed for typed in before if _chooses(loader, typed)]
    found = set(_found(loader, name, groups, word))
    if word.startswith("hydra.sweeper") and not any(map(_is_sweeper, groups)):
        found.update(_found(loader, name, [*groups, _STUDY], word))  # which may be typed later
    key, is_value, _ = word.partition("=")
    if is_value and (choices := _choices(key.lstrip("+"))):
        found = {f"{key}={choice}" for choice in choices}
    return sorted(one for one in found if one.startswith(word) and not one.endswith(_NOT_TYPED))


def _words(line: str) -> list[str]:
    """The words of a line without their quotes; the last is the one that is being typed."""
    whole, blank, last = line.rpartition(" ")
    try:
        words = shlex.split(whole)
    except ValueError:  # a quote that is open
        words = whole.split()
    return [*words, last] if blank else [line]


def _chooses(loader: ConfigLoaderImpl, word: str) -> bool:
    key, is_override, value = word.partition("=")
    return bool(is_override) and value in options_of(loader, key)


def _is_sweeper(word: str) -> bool:
    return word.startswith(("hydra/sweeper=", "sweep="))


def _found(loader: ConfigLoaderImpl, name: str, groups: list[str], word: str) -> list[str]:
    """What Hydra has for a word; a list is written as a whole, an option may have others inside."""
    plugin, line = BashCompletion(loader), " ".join([*groups, word])
    composed = loader.load_configuration(name, groups, RunMode.MULTIRUN)
    found = []
    for one in plugin._query(name, line):
        if one.endswith("."):
            node = OmegaConf.select(composed, one[:-1])
            found.append(f"{one[:-1]}=" if isinstance(node, ListConfig) else one)
            if isinstance(node, DictConfig) and not node:
                found[-1] = f"{one[:-1]}="
        elif one.endswith(("=", "/")) or "=" in one:
            found.append(one)
        else:
            found += [f"{one}=", f"{one}/"]
    return found


def _choices(key: str) -> list[str]:
    """All values of a key that has few."""
    if key in KEYS:
        is_flag = isinstance(getattr(Config(), key, None), bool)
        return ["false", "true"] if is_flag else list(choices_of(key))
    parent, _, last = key.rpartition(".")
    if not parent.startswith("hydra.sweeper"):
        return []
    inner = parent.removeprefix("hydra.sweeper").lstrip(".")
    files = (CONF / "hydra" / "sweeper" / inner).glob("*.yaml")
    known = [_CHOICES.findall(file.read_text("utf-8")) for file in files]
    return [choice for found in known for at, text in found if at == last
            for choice in text.split(" | ")]  # fmt: skip
