"""Components of one's own: a network or an optimizer that is named by import path, "module:Name".

A configuration has the path alone, so whatever process finds the module has the component too. A
module is imported where something is trained with it, never to look at results.
"""

import contextlib
import difflib
import hashlib
import importlib
import linecache
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dqn.runtime.errors import first_line, must_be

COMPONENTS = ("network", "optimizer")
"""The keys whose values may be one's own."""
PATH = "module:Name"
"""What stands for any import path in the range of a key."""

_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")
_STAMP = "@"  # between a path and what tells its source from another
_DIGITS = 16  # of a hash in the key of a program


class _Loaded(NamedTuple):
    found: Any
    sha256: str
    number: int
    """Of the objects that the path has stood for in this process: a module may be loaded anew."""


_paths: dict[str, dict[str, str]] = {key: {} for key in COMPONENTS}
_loaded: dict[str, _Loaded] = {}
_expected: dict[str, str] = {}


def is_path(value: object) -> bool:
    """Whether a value is written as an import path, "module:Name"."""
    return isinstance(value, str) and _PATH.fullmatch(value) is not None


def give_name(key: str, name: str, path: str) -> None:
    """Have `name` stand for `path` as a value of `key`, in this process."""
    _paths[key][name] = path


def names_of(key: str) -> tuple[str, ...]:
    """The names that were given in this process to paths of `key`."""
    return tuple(_paths.get(key, ()))


def path_of(key: str, value: Any) -> Any:
    """The path that a value of `key` stands for, a name or a class; any other value as it is."""
    if isinstance(value, type) and key in COMPONENTS:
        path = f"{value.__module__}:{value.__qualname__}"
        return path if is_path(path) else value  # a class within another, or a function, has none
    return _paths.get(key, {}).get(value, value) if isinstance(value, str) else value


def own_of(config: Any) -> dict[str, str]:
    """The components of a configuration that are one's own: paths by their keys."""
    return {key: path for key in COMPONENTS if is_path(path := getattr(config, key))}


def load(key: str, path: str) -> Any:
    """What `path` names, its module imported; raises `UserError` where there is no such thing."""
    module, _, name = path.partition(":")
    try:
        home = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's own module raises
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{module}.".startswith(f"{missing}."):
            advice = f"run Python in the folder that holds {missing}, or install it"
            rule = "in a module that can be found"
            raise must_be(key, rule, repr(path), advice, value=path) from error
        got = f"{path!r}: {type(error).__name__}: {first_line(error)}"
        rule = "in a module that can be imported"
        raise must_be(key, rule, got, f"fix {module}", value=path) from error
    try:
        return getattr(home, name)
    except AttributeError as error:
        near = difflib.get_close_matches(name, vars(home), n=1)
        advice = f"did you mean {module}:{near[0]}?" if near else f"define {name} in it"
        raise must_be(key, f"in its module {module}", repr(path), advice, value=path) from error


def source_hash(key: str, path: str) -> str:
    """SHA-256 of the file that defines what `path` names, in hexadecimal digits.

    In a notebook, of the cell. "" where Python has no source of it. What the file imports is not
    looked at. Raises as `load`.
    """
    return _known(key, path).sha256


def stamped(key: str, value: str) -> str:
    """A value of `key` as the key of a program has it: of one's own, with a hash of its source.

    Raises as `load`, and where the source is not the one that was expected.
    """
    if not is_path(value):
        return value
    known = _known(key, value)
    if known.sha256 and _expected.get(value, known.sha256) != known.sha256:
        raise must_be(
            key, "of one source wherever it is trained", f"{value!r} with another in a worker",
            "copy the module to every machine, or start the command again", value=value,
        )  # fmt: skip
    again = f".{known.number}" if known.number else ""
    return f"{value}{_STAMP}{known.sha256[:_DIGITS]}{again}"


def unstamped(name: str) -> str:
    """The value that `stamped` was given."""
    return name.partition(_STAMP)[0]


def is_stamped(name: str) -> bool:
    """Whether a name of a program's key is of a component of one's own."""
    return _STAMP in name


def expect(sources: Mapping[str, str]) -> None:
    """Have `stamped` refuse other sources than these, hashes by path."""
    _expected.update(sources)


def _known(key: str, path: str) -> _Loaded:
    found, before = load(key, path), _loaded.get(path)
    if before is None or before.found is not found:
        number = 0 if before is None else before.number + 1
        source = _source(found, path.partition(":")[0])
        sha256 = hashlib.sha256(source).hexdigest() if source else ""
        _loaded[path] = before = _Loaded(found, sha256, number)
    return before


def _source(found: Any, named: str) -> bytes:
    """The source of what defines `found`, a class or an object of the module `named`."""
    name = found.__module__ if isinstance(found, type) else named
    module: Any = sys.modules.get(name)
    with contextlib.suppress(OSError, TypeError, AttributeError):
        return Path(module.__file__).read_bytes()
    with contextlib.suppress(Exception):  # of a module in an archive
        return module.__loader__.get_source(name).encode()
    for part in vars(found).values():  # a notebook's cell is known by the code it defines
        code = getattr(getattr(part, "fget", part), "__code__", None)
        if code and (lines := linecache.getlines(code.co_filename)):
            return "".join(lines).encode()
    return b""
