"""`${oc.env:VAR}`, how a secret is written: kept as written, and looked up where it is used."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dqn.runtime.errors import UserError, first_line, must_be
from dqn.runtime.secrets import STARS, has_password, map_texts, remember_secrets

_NAME = re.compile(
    r"(?:(?:^|_)(?:pwd|secret|credential|pin|auth|authorization|bearer|"
    r"(?:api|access|auth|bearer|refresh|id)?_?token|"
    r"(?:api|access|secret|private|auth|license|licence)_?key)s?"
    r"|(?:^|(?:^|_)(?:db|user|login|admin|root|server|proxy|my|sql|mysql|pg|http|smtp)_)pass"
    r"|(?:password|passwd|passphrase|passcode)s?)$",
    re.IGNORECASE,
)
# Names in the plural may count what they name, and tokens be a vocabulary.
_COUNT, _LISTED = re.compile(r"(?:s|auth)$", re.IGNORECASE), re.compile("tokens$", re.IGNORECASE)
_OPEN = re.compile(
    r"(?:^|_)(?:user|user_?name|login|name|id|host|port|url|type|kind|mode|method|scheme|realm|"
    r"scope|email|path|file|region)$",
    re.IGNORECASE,
)
"""What stands beside a secret, in the mapping that has its name."""

_LINE = re.compile(r"^(\s*(?:- )?)([\w-]+)(: )(.+)$", re.MULTILINE)
_OVERRIDE = re.compile(r"(\benv\.kwargs\.(?:[\w-]+\.)*)([\w-]+)(=)([^\s,]+)")
_LOOKED_UP = re.compile(r"\$\{oc\.env:\s*[^,{}\s]+\s*(?:,\s*(?:null|''|\"\")?\s*)?\}")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|-")  # apiKey, api-key


def is_variable(value: object) -> bool:
    """Whether a text holds `${oc.env:VAR}`, which is looked up where it is used."""
    return isinstance(value, str) and "${oc.env:" in value


def escaped(value: Any) -> Any:
    """Plain nested values in which OmegaConf leaves every `${oc.env:VAR}` as it is."""
    return map_texts(lambda x: x.replace("${", "\\${") if is_variable(x) else x, value)


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

    remember_secrets(value)
    try:
        return OmegaConf.create({"_": value})["_"]
    except OmegaConfBaseException as error:
        got, advice = f"{value} ({first_line(error)})", "set it, or write ${oc.env:VAR,DEFAULT}"
        rule = "given by an environment variable that is set"
        raise must_be(key, rule, got, advice, value=value) from error


def refuse_literal(kwargs: Any, key: str) -> None:
    """Refuse a password among the arguments of an environment: they are kept in every table."""
    for where, _ in literals(kwargs, key):
        raise UserError(
            f"{where} must not be a password in plain text, as it is saved with the results, got "
            f"{STARS}; put it into an environment variable VAR and write "
            f"'+{where}=${{oc.env:VAR}}'",
            where,
        )


def literals(value: Any, key: str, named: str = "") -> Iterator[tuple[str, str]]:
    """Every password in plain sight in plain nested values: the key it stands at, and its text.

    `named` is the name of a secret that `value` stands under, if any.
    """
    if isinstance(value, Mapping):
        for name, part in value.items():
            word = _WORDS.sub("_", str(name))
            own = word if _NAME.search(word) else "" if _OPEN.search(word) else named and "s"
            yield from literals(part, f"{key}.{name}", own)
    elif isinstance(value, list):
        for part in value:
            yield from literals(part, key, "" if _LISTED.search(named) else named)
    elif isinstance(value, str):
        if (named and _is_literal(value)) or has_password(value):
            yield key, value
    elif named and not _COUNT.search(named) and type(value) in (int, float):
        yield key, str(value)


def _is_literal(text: str) -> bool:
    """Whether a text under the name of a secret is one, or has one as a variable's default."""
    if not is_variable(text):
        return bool(text)
    while (rest := _LOOKED_UP.sub("", text)) != text:
        text = rest
    return is_variable(text)


def without_literals(text: str) -> str:
    """YAML, or a list of overrides, with `***` for whatever has the name of a secret."""
    return _OVERRIDE.sub(_without_literal, _LINE.sub(_without_literal, text))


def _without_literal(found: re.Match[str]) -> str:
    start, name, equals, value = found.groups()
    bare = value.strip("'\"")
    named = _NAME.search(_WORDS.sub("_", name)) and bare not in ("null", "true", "false")
    return f"{start}{name}{equals}{STARS}" if named and _is_literal(bare) else found[0]
