"""`${oc.env:VAR}`, how a secret is written: kept as written, and looked up where it is used."""

import re
from collections.abc import Mapping
from typing import Any

from dqn.errors import UserError
from dqn.secrets import STARS, has_secret, remember_variables

_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pwd|secret|token|credential|"
    r"(?:api|access|secret|private|auth)_?key)s?$",
    re.IGNORECASE,
)
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|-")  # apiKey, api-key


def is_variable(value: object) -> bool:
    """Whether a text holds `${oc.env:VAR}`, which is looked up where it is used."""
    return isinstance(value, str) and "${oc.env:" in value


def escaped(value: Any) -> Any:
    """Plain nested values in which OmegaConf leaves every `${oc.env:VAR}` as it is."""
    if isinstance(value, dict):
        return {name: escaped(part) for name, part in value.items()}
    if isinstance(value, list):
        return [escaped(part) for part in value]
    return value.replace("${", "\\${") if is_variable(value) else value


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
        return OmegaConf.create({"_": value})["_"]
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
            is_literal = isinstance(value, str) and value and not is_variable(value)
            if is_literal and _NAME.search(_WORDS.sub("_", str(name))):
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
        f"'+{key}=${{oc.env:VAR}}'"
    )
