"""Passwords and tokens: never on a screen, and in no file that this program writes.

The password of any URL, and what was looked up of a `${oc.env:VAR}`, is left out of every line of
an error when it is made, and of whatever is kept.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

STARS = "***"
REMEDY = (
    f"{STARS} stands for a password, which is kept nowhere: put it into an environment variable "
    "VAR and write ${oc.env:VAR} in its place"
)

# Up to the last @ of the word: a password may hold any character.
_URL = re.compile(r"(\b[A-Za-z][\w+.-]*://[^\s:/@?#'\"]*:)(?!/)(\S*)(?=@)")
_QUERY = re.compile(
    r"([?&;](?:(?:ssl)?password|passwd|pwd|token|secret|api_?key)=)([^&;\s'\",]+)", re.IGNORECASE
)
_TOKEN = re.compile(r"(\bhttps?://)([^\s:/@?#'\"]+)(?=@)", re.IGNORECASE)
_WHOLE = re.compile(r"[A-Za-z][\w+.-]*://[^\s:/@?#'\"]*:(.+)@[^@]*", re.DOTALL)
"""A text that is a URL and nothing else: here a password may begin with / or hold a blank."""
VARIABLE = re.compile(r"\$\{oc\.env:\s*([^,}\s]+)\s*(,[^}]*)?\}")
_PLAIN = re.compile(r"[\d.eE+_-]{1,9}|true|false|null|inf", re.IGNORECASE)
_SHORTEST = 3  # characters of a value that a line is searched for

_KNOWN: dict[str, str] = {}
"""What a looked-up value is shown as."""


def hidden(text: str) -> str:
    """`text` without the passwords of URLs, and without what was looked up of `${oc.env:VAR}`."""
    return _without_known(without_passwords(text), _KNOWN)


def without_passwords(text: str) -> str:
    """`text` with `***` for the password of every URL in it; `${oc.env:VAR}` stays.

    What `remember` was given to be shown as `***` is left out too.
    """
    starred = [value for value, shown in _KNOWN.items() if shown == STARS]
    return _without_urls(_without_known(text, starred))


def _without_known(text: str, values: Iterable[str]) -> str:
    for value in sorted(values, key=len, reverse=True):
        if value in text:
            shown = _KNOWN[value]
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", lambda _, shown=shown: shown, text)
    return text


def _without_urls(text: str) -> str:
    if "://" not in text:
        return text
    kept = list(dict.fromkeys(found[0] for found in VARIABLE.finditer(text) if not found[2]))
    places = {f"\0{number}\0": name for number, name in enumerate(kept)}  # meanwhile
    for place, name in places.items():
        text = text.replace(name, place)
    text = _QUERY.sub(_starred, _TOKEN.sub(_starred, _URL.sub(_starred, text)))
    for place, name in places.items():
        text = text.replace(place, name)
    return text


def _starred(found: re.Match[str]) -> str:
    kept = re.fullmatch(r"(\0\d+\0)+", found[2]) or found[2] in ("", STARS)
    return found[0] if kept else f"{found[1]}{STARS}"


def has_secret(text: str) -> bool:
    """Whether `without_passwords` leaves something out of `text`."""
    return without_passwords(text) != text


def has_password(text: str) -> bool:
    """Whether `text` is a URL with its password, or holds one."""
    return _without_urls(text) != text or _hard_password(text) is not None


def _hard_password(text: str) -> str | None:
    """The password of a text that is a URL, where a search for URLs does not find all of it."""
    found = _WHOLE.fullmatch(text)
    if found is None or VARIABLE.sub("", found[1]) in ("", STARS):
        return None
    return None if _without_urls(text) == text.replace(found[1], STARS) else found[1]


def map_texts(change: Callable[[str], str], value: Any) -> Any:
    """Plain nested values with each text changed."""
    if isinstance(value, Mapping):
        return {name: map_texts(change, part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [map_texts(change, part) for part in value]
    return change(value) if isinstance(value, str) else value


def without_secrets(value: Any) -> Any:
    """Plain nested values with every text as `without_passwords` gives it."""
    return map_texts(without_passwords, value)


def clean(folder: Path) -> None:
    """Leave passwords out of the YAML files in `folder`, which Hydra has just written."""
    from omegaconf import OmegaConf

    for path in folder.glob("*.yaml"):
        text = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        kept = without_secrets(text)
        if kept != text:
            path.write_text(OmegaConf.to_yaml(OmegaConf.create(kept)), encoding="utf-8")


def remember(value: str, shown: str = STARS) -> None:
    """Have `hidden` show a secret as `shown`, unless it is too short or too plain to be one."""
    if len(value) >= _SHORTEST and not _PLAIN.fullmatch(value):
        _KNOWN.setdefault(value, shown)


def remember_secrets(value: Any) -> None:
    """Have `hidden` leave out every secret that plain nested values, unresolved, name or hold.

    That is the value of each `${oc.env:VAR}`, and a URL's password that no search would find.
    """
    map_texts(_remember_of, value)


def _remember_of(text: str) -> str:
    for found in VARIABLE.finditer(text):
        if value := os.environ.get(found[1]):
            remember(value, f"${{oc.env:{found[1]}}}")
    if password := _hard_password(text):
        remember(password)
        remember(password.replace("'", "\\'"))  # as an override has it in quotes
    return text
