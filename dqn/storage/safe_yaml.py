"""YAML that anyone may have written, as plain values: nothing in it runs, and it has an end."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from dqn.config.fields import short_repr

_DEEPEST = 50  # nested lists and mappings; libyaml's loader ends the interpreter at 10⁵
# YAML 1.1 takes 1e-4, without a dot or without a sign of the exponent, for text: Hydra does not.
_FLOAT = (
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """YAML 1.1 but for numbers, which are as Hydra reads them."""


_Loader.add_implicit_resolver(*_FLOAT)


def plain(text: str | bytes) -> Any:
    """What a document says, in mappings, lists, text, numbers, flags and dates.

    Raises `ValueError`, one line, for anything else; also for an alias, as a few of them make a
    short file as large as one likes, and for what is nested deeper than any file of ours.
    """
    try:
        _refuse_vast(text)
        return yaml.load(text, _Loader)
    except (
        yaml.YAMLError,
        ValueError,  # 2001-99-99, bytes that are no text
        LookupError,  # !!bool x
        AttributeError,  # !!timestamp x
    ) as error:
        raise ValueError(" ".join(str(error).split())) from error


def plain_of(path: Path) -> Any:
    """What the file at `path` says, as `plain`; raises `OSError` where it cannot be opened."""
    refuse_endless(path)
    return plain(path.read_bytes())


def texts_of(path: Path) -> Any:
    """What the file at `path` says, every value the text that stands there; as `plain_of`."""
    refuse_endless(path)
    text = path.read_bytes()
    plain(text)
    return yaml.load(text, yaml.BaseLoader)


def refuse_endless(path: Path) -> None:
    """Raise `ValueError` for what is there and no file: a pipe or a device has no end."""
    if path.exists() and not path.is_file():
        raise ValueError("must be a file, is none")


def written(value: Any, **style: Any) -> str:
    """Plain values as a document that `plain` reads; `style` is of `yaml.dump`."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, **style)


Difference = tuple[str, Any, Any]
"""Name, what it was, what it is now; None where there is nothing."""


def differences(old: Any, new: Any, name: str = "") -> Iterator[Difference]:
    """Where two nested mappings of plain values differ, by dotted name; a long list by entry."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif _are_long_lists(old, new):
        for i, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from differences(was, now, f"{name}[{i}]")
    elif old != new:
        yield name, old, new


def _are_long_lists(old: Any, new: Any) -> bool:
    return (
        isinstance(old, list)
        and isinstance(new, list)
        and len(old) == len(new)
        and short_repr(old).endswith("...")
    )


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Always: what is there twice is written twice."""
        return True

    def represent_text(self, data: str) -> yaml.ScalarNode:
        """Text of several lines is escaped: it stays on one, and PyYAML adds blanks to a NEL."""
        style = '"' if len(f"{data}.".splitlines()) > 1 else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_implicit_resolver(*_FLOAT)  # text that looks like such a number stands in quotes
_Dumper.add_representer(str, _Dumper.represent_text)


def _refuse_vast(text: str | bytes) -> None:
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"lists and mappings must be nested {_DEEPEST} deep at most, are not")
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"every value must be written out, got the alias *{event.anchor}")
