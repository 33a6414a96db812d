"""Passwords and tokens: never on a screen, and in no file that this program writes.

Whoever needs one writes `${oc.env:VAR}`, which stays as written wherever the setting is kept, and
is looked up where it is used. What was looked up, and the password of any URL, is left out of every
line by `hidden`.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from dqn.errors import UserError

STARS = "***"
REMEDY = (
    f"{STARS} stands for a password, which is kept nowhere: put it into an environment variable "
    "VAR and write ${oc.env:VAR} in its place"
)

# Up to the last @ of the word: a password may hold any character.
_URL = re.compile(r"(\b[A-Za-z][\w+.-]*://[^\s:/@?#'\"]*:)(?!/)(\S*)(?=@)")
_QUERY = re.compile(
    r"([?&;](?:password|passwd|pwd|token|secret|api_?key)=)([^&;\s'\",]+)", re.IGNORECASE
)
_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pwd|secret|token|credential|"
    r"(?:api|access|secret|private|auth)_?key)s?$",
    re.IGNORECASE,
)
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|-")  # apiKey, api-key
_VARIABLE = re.compile(r"\$\{oc\.env:\s*([^,}\s]+)\s*(,[^}]*)?\}")
_SHORTEST = 3  # characters of a value that a line is searched for

_KNOWN: dict[str, str] = {}
"""What a looked-up value is shown as."""


def hidden(text: str) -> str:
    """`text` without the passwords of URLs, and without what was looked up of `${oc.env:VAR}`."""
    if "://" in text:
        kept = list(dict.fromkeys(found[0] for found in _VARIABLE.finditer(text) if not found[2]))
        for number, name in enumerate(kept):
            text = text.replace(name, _place(number))
        text = _QUERY.sub(_starred, _URL.sub(_starred, text))
        for number, name in enumerate(kept):
            text = text.replace(_place(number), name)
    for value, name in sorted(_KNOWN.items(), key=lambda known: -len(known[0])):
        if value in text:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", lambda _, name=name: name, text)
    return text


def _place(number: int) -> str:
    """What stands for a `${oc.env:VAR}` of a text while passwords are looked for in it."""
    return f"\0{number}\0"


def _starred(found: re.Match[str]) -> str:
    kept = re.fullmatch(r"(\0\d+\0)+", found[2]) or not found[2]
    return found[0] if kept else f"{found[1]}{STARS}"


def has_secret(text: str) -> bool:
    """Whether the password of a URL stands in `text` as it is."""
    return hidden(text) != text


def without_secrets(value: Any) -> Any:
    """Plain nested values with every text as `hidden` gives it."""
    if isinstance(value, Mapping):
        return {name: without_secrets(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(part) for part in value]
    return hidden(value) if isinstance(value, str) else value


def remember(value: str, shown: str = STARS) -> None:
    """Have `hidden` show a secret as `shown`, unless it is too short or too plain to be one."""
    if len(value) >= _SHORTEST and not re.fullmatch(r"[\d.+-]{1,6}|true|false|null", value, re.I):
        _KNOWN.setdefault(value, shown)


def remember_variables(text: str) -> None:
    """Have `hidden` leave out the values of the variables that `text` names by `${oc.env:VAR}`."""
    for found in _VARIABLE.finditer(text):
        if value := os.environ.get(found[1]):
            remember(value, f"${{oc.env:{found[1]}}}")


def is_variable(value: object) -> bool:
    """Whether a text holds `${oc.env:VAR}`, which is looked up where it is used."""
    return isinstance(value, str) and "${oc.env:" in value


def looked_up(value: Any, key: str) -> Any:
    """Plain nested values with every `${oc.env:VAR}` replaced; `key` is where they were written.

    Raises `UserError` for a variable that is not set, or that stands in what cannot be read.
    """
    if isinstance(value, Mapping):
        return {name: looked_up(part, f"{key}.{name}") for name, part in value.items()}
    if isinstance(value, list):
        return [looked_up(part, key) for part in value]
    if not is_variable(value):
        return value
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    remember_variables(value)
    try:
        return OmegaConf.to_container(OmegaConf.create({"_": value}), resolve=True)["_"]
    except OmegaConfBaseException as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{key} must be given by an environment variable that is set, got {value} ({reason}); "
            f"set it, or write ${{oc.env:VAR,DEFAULT}}"
        ) from error


def refuse_literal(kwargs: Any, key: str) -> None:
    """Refuse a password among the arguments of an environment: they are kept in every table."""
    if isinstance(kwargs, Mapping):
        for name, value in kwargs.items():
            inner = f"{key}.{name}"
            if _NAME.search(_WORDS.sub("_", str(name))) and isinstance(value, str) and not is_variable(value):
                _refuse(inner)
            refuse_literal(value, inner)
    elif isinstance(kwargs, list):
        for value in kwargs:
            refuse_literal(value, key)
    elif isinstance(kwargs, str) and has_secret(kwargs):
        _refuse(key)


def _refuse(key: str) -> None:
    raise UserError(
        f"{key} must not be a password in plain sight, as it is kept with the results, got "
        f"{STARS}; put it into an environment variable VAR and write "
        f"'{key}=${{oc.env:VAR}}'"
    )
