"""What was typed, as Hydra's grammar has it: a name is text whatever it looks like, ~ is a home.

Hydra reads `name=1e3` as a number, `name=a=b` and `hydra.run.dir=~/results` not at all. What such
a word plainly means is written here as Hydra reads it; all others stay as they are.
"""

import os
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from dqn.compose.help_page import default_groups
from dqn.config.fields import override_text
from dqn.config.values import number_in
from dqn.runtime.errors import UserError, must_be

FOLDERS = ("hydra.run.dir", "hydra.sweep.dir")
TEXTS = ("name", "ray_address", "env.id", "hydra.sweeper.storage", *FOLDERS)
"""Keys whose value is text, whatever it looks like."""

_FLAGS = ("--config-dir", "-cd", "--config-path", "-cp")
_WORD = re.compile(r"(\+{0,2})([A-Za-z_][\w.]*)=(.*)", re.DOTALL)
_HOME = re.compile(r"~[\w.-]*(?:/.*)?", re.DOTALL)
_URL = re.compile(r"[A-Za-z][\w+.-]*://\S+")
_REFERENCE = re.compile(r"[\w./:-]*\$\{[^{}'\"]*\}[\w./:-]*")
_IN_QUOTES = re.compile(r"""[\\()\[\]{}=,'"]|^\s|\s$|^$""")
_OF_THE_GRAMMAR = ("'", '"', "[", "{", "(")


def normalize(arguments: Sequence[str]) -> list[str]:
    """The words of a command line, those rewritten whose meaning is plain and Hydra's another.

    Raises `UserError` for a `~` where there is no home directory.
    """
    parser = OverridesParser.create()
    texts = {*TEXTS, *default_groups()}
    words = []
    for before, word in zip(["", *arguments], arguments, strict=False):
        flag, equals, value = word.partition("=")
        if flag in _FLAGS and equals:
            word = f"{flag}={_at_home(flag, value)}"
        elif before in _FLAGS:
            word = _at_home(before, word)
        elif found := _WORD.fullmatch(word):
            plus, key, text = found.groups()
            word = f"{plus}{key}={_value(key, text, parser, texts)}"
        words.append(word)
    return words


def quoted(text: str) -> str:
    """A text as it stands behind `key=`: in quotes, unless it is read as that text without."""
    plain = re.fullmatch(r"[A-Za-z_./][\w./-]*", text) and not _is_read_as_other(text)
    return text if plain else _in_quotes(text)


def grammar_text(value: Any) -> str:
    """A plain value as it stands behind `key=`, whole, however long: read back as the same.

    Raises `UserError` for a mapping that the grammar cannot say.
    """
    if isinstance(value, Mapping):
        pairs = (f"{_name(name)}:{grammar_text(part)}" for name, part in value.items())
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(grammar_text, value))}]"
    return quoted(value) if isinstance(value, str) else override_text(value)


def _name(name: Any) -> str:
    """A name of a mapping, which the grammar has without quotes."""
    text = name if isinstance(name, str) else override_text(name)
    if isinstance(name, str) and (_is_read_as_other(text) or not text or {*text} & {*"'\"$"}):
        raise UserError(
            f"the names in a mapping of a sweep must need no quotes, got {text!r}; write another, "
            "or train it in a command of its own"
        )
    return re.sub(r"([\\()\[\]{}:=, \t])", r"\\\1", text)


def shell_word(key: str, text: str) -> str:
    """`key=text` as a shell and then Hydra read it as that text."""
    word = f"{key}={_in_quotes(text)}"
    return shlex.quote(word) if set(word) & set('"$`\\!') else f'"{word}"'


def _value(key: str, value: str, parser: OverridesParser, texts: Collection[str]) -> str:
    """The value of a key as Hydra is to read it; that of one of `texts` is text."""
    if value == "~":
        return quoted(_at_home(key, value)) if key in FOLDERS else "null"
    closed = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    path = value[1:-1] if closed else value
    if key in FOLDERS and _HOME.fullmatch(path):
        return quoted(_at_home(key, path))
    if key not in texts or not value or value.startswith(_OF_THE_GRAMMAR):
        return value
    try:
        override = parser.parse_overrides([f"{key}={value}"])[0]
    except HydraException:
        return value if "," in value and not _URL.fullmatch(value) else _in_quotes(value)
    if override.is_sweep_override():
        return _in_quotes(value) if _URL.fullmatch(value) else value
    read = override.value()
    is_number = isinstance(read, int) and str(read) == value  # 17, and not 1_7 or True
    same = read is None or isinstance(read, str | list | dict) or is_number
    return value if same else _in_quotes(value)


def _in_quotes(text: str) -> str:
    return QuotedString(text, Quote.single).with_quotes()


def needs_quotes(text: str) -> bool:
    """Whether a text that a `choice(...)` gave is another, or none, without quotes."""
    if _REFERENCE.fullmatch(text):
        return False
    return _is_read_as_other(text) or _IN_QUOTES.search(text) is not None


def _is_read_as_other(text: str) -> bool:
    """Whether the grammar has a number, a flag or null for this text without quotes."""
    return text.lower() in ("null", "true", "false") or number_in(text) is not None


def _at_home(key: str, path: str) -> str:
    found = os.path.expanduser(path)
    if found == path and path.startswith("~") and not Path(path).exists():
        got = f"{path}, and no such home directory is known"
        raise must_be(key, "a folder that can be found", got, "write the whole path", value=path)
    return found
