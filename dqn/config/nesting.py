"""Keys with dots, such as "env.id", in mappings that nest."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from dqn.config.fields import override_text, short_repr
from dqn.runtime.errors import must_be


def nested(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """A mapping with "env.id" and the like in the mapping `env`; raises `UserError` for both."""
    found = {name: value for name, value in values.items() if str(name).startswith("env.")}
    left = {name: value for name, value in values.items() if name not in found}
    for name, value in found.items():
        *outer, last = str(name).split(".")
        node = left
        for part in outer:
            inner = node.get(part, {})
            node[part] = dict(inner) if isinstance(inner, Mapping) else _fields(inner)
            node = node[part]
        if node.get(last) is not None:
            both = f"{short_repr(value)} and {short_repr(node[last])}"
            raise must_be(name, "given once", both, "leave out one of them", value=value)
        node[last] = value
    return left


def _fields(env: object) -> dict[str, Any]:
    if not is_dataclass(env):
        got, rule = short_repr(env), "a mapping with an id"
        raise must_be("env", rule, got, "write its keys in it", value=env)
    return {setting.name: getattr(env, setting.name) for setting in fields(env)}


def refuse_dotted(name: str, value: object) -> None:
    """Raise `UserError` for a key with dots in a file, where it would stand for no mapping."""
    *outer, last = name.split(".")
    text = override_text(value)
    for part in reversed(outer):
        text, last = f"{{{last}: {text}}}", part
    got = f"{name}: {override_text(value)}"
    raise must_be(name, "nested in a file", got, f"write {last}: {text}", value=value)
