"""What a setting says of itself, and the check of one value against that.

A setting's range is written once, in the words the help page shows ("> 0", "(0, 1]",
"relu | tanh"), and those words are what is enforced.
"""

import contextlib
import dataclasses
import difflib
import functools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field
from datetime import date
from types import NoneType, UnionType
from typing import Any, Literal, get_args

from dqn.config.values import flag_in, is_written, list_in, number_in, plain
from dqn.runtime.errors import must_be

Kind = Literal["lane", "shape", "run"]

_INTERVAL = re.compile(r"(>=? |[\[(])([\d.]+)(?:, ([\d.]+)\])?( or inf)?")
INT_BOUND = 2**31  # whole numbers live in 32-bit integers
_LONGEST_TEXT = 200  # characters of a name, well below what a file system allows
_LONGEST_SHOWN = 60  # characters of a value in a message
AUTO = "auto"  # a number that is found when it is needed
MISSING = "???"  # how Hydra's YAML files mark a value that the user has to give


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """The metadata of one setting; `symbol`, `unit` and `range` are "" where there is none.

    `range` is an interval ("> 0", ">= 1", "> 0 or inf", "[0, 1]", "(0, 1]") for a number and for
    each number of a list; for text it is choices ("relu | tanh", or one word where there is but
    one) or a noun ("folder name").
    """

    kind: Kind
    symbol: str
    unit: str
    range: str
    meaning: str

    @property
    def choices(self) -> tuple[str, ...]:
        """The words allowed; empty where any will do."""
        return tuple(self.range.split(" | ")) if " | " in self.range else ()

    def allows(self, number: float) -> bool:
        """Whether a number lies in the range; NaN never does, infinity only where it is named."""
        low, open_below, high, unbounded = _interval(self.range)
        above = number > low if open_below else number >= low
        return above and number <= high and (math.isfinite(number) or unbounded)


@functools.cache
def _interval(text: str) -> tuple[float, bool, float, bool]:
    """Lower end of a range, whether it is left out, upper end, whether infinity is named."""
    found = _INTERVAL.fullmatch(text)
    if found is None:
        return -math.inf, False, math.inf, False
    opening, low, high, unbounded = found.groups()
    return float(low), opening not in (">= ", "["), float(high or math.inf), bool(unbounded)


def config_field(default: Any, *about: Any) -> Any:
    """A dataclass field with its default and the parts of its `FieldInfo`, in that order."""
    metadata = {"key": FieldInfo(*about)}
    if isinstance(default, Mapping):  # a mapping has no hash
        return field(default_factory=dict, hash=False, metadata=metadata)
    return field(default=default, metadata=metadata)


def _number(value: object, about: FieldInfo) -> float:
    value = _counted(value)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not about.allows(float(value))
    ):
        raise ValueError
    return float(value)


def _whole(value: object, about: FieldInfo) -> int:
    value = _counted(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    if value >= INT_BOUND:
        raise ValueError(" and < 2^31")
    if not about.allows(value):
        raise ValueError
    return int(value)


def _counted(value: object) -> object:
    """Text that plainly is a number as one: of a variable of the shell, or YAML 1.1's `1e-4`."""
    number = number_in(value) if isinstance(value, str) else None
    return value if number is None else number


def _flag(value: object, about: FieldInfo) -> bool:
    if isinstance(value, str):
        value = flag_in(value)
    if not isinstance(value, bool):
        raise ValueError
    return value


def _text(value: object, about: FieldInfo) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # name=17
    if isinstance(value, date):
        value = value.isoformat()  # YAML 1.1's
    if not isinstance(value, str) or (about.choices and value not in about.choices):
        raise ValueError
    if not value.isprintable() or not 0 < len(value) <= _LONGEST_TEXT:
        raise ValueError(f" of 1 to {_LONGEST_TEXT} printable characters")
    return value


def _widths(value: object, about: FieldInfo) -> tuple[int, ...]:
    if isinstance(value, str):
        value = list_in(value)
    if not isinstance(value, list | tuple) or not value:
        raise ValueError
    return tuple(_whole(width, about) for width in value)


def _mapping(value: object, about: FieldInfo) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError
    if not is_written(value):
        raise ValueError(" that YAML has (numbers, text, true, false, null, lists and mappings)")
    return dict(value)


def _count(value: object, about: FieldInfo) -> int | str:
    return AUTO if value == AUTO else _whole(value, about)


_NUMBER, _WHOLE = "a number", "a whole number"
# By a field's annotation: what a value must be, its reader, an example where the default is null.
_READERS: dict[object, tuple[str, Any, object]] = {
    float: (_NUMBER, _number, 195.0),
    int: (_WHOLE, _whole, 500),
    bool: ("true or false", _flag, None),
    str: ("a", _text, "first_try"),
    int | str: ("auto or a whole number", _count, None),
    tuple[int, ...]: ("a non-empty list of whole numbers, each", _widths, None),
    Mapping[str, Any]: ("a mapping of names to values", _mapping, "{}"),
}


@functools.cache
def _reader(annotation: Any) -> tuple[bool, str, Any, object]:
    """Whether a field may be null, and the entry of `_READERS` that it has."""
    optional = isinstance(annotation, UnionType) and NoneType in get_args(annotation)
    return optional, *_READERS[get_args(annotation)[0] if optional else annotation]


def validate(name: str, setting: Field, value: object) -> Any:
    """`value` as the field `setting` holds it; 1e3 becomes 1000 for an int, a list a tuple.

    `name` is the key as a user writes it, such as "env.id". Raises `UserError`.
    """
    about: FieldInfo = setting.metadata["key"]
    optional, noun, read, example = _reader(setting.type)
    # Whatever an object of another library, or of the user's own, raises: it is no value of ours.
    with contextlib.suppress(Exception):
        value = plain(value)
    missing = isinstance(value, str) and value == MISSING
    is_null = isinstance(value, str) and value == "null" and read is not _text
    if optional and (value is None or is_null):
        return None
    bound = ""
    if not missing:
        try:
            return read(value, about)
        except (ValueError, OverflowError) as error:
            bound = str(error) if isinstance(error, ValueError) else " and finite"
    default = setting.default if setting.default not in (None, dataclasses.MISSING) else example
    example = f"{name}={override_text(default)}"
    if missing:
        raise must_be(name, "given", "nothing", example=example, value=value)
    if about.choices:
        *others, last = about.choices
        rule = f"{', '.join(others)} or {last}" if others else last
        if near := closest_match(override_text(value), about.choices):
            advice = f"did you mean {name}={near}?"
            raise must_be(name, rule, short_repr(value), advice, value=value)
    else:
        span = f"in {about.range}" if about.range.startswith(("[", "(")) else about.range
        rule = " ".join(part for part in (_noun(noun, value, span), span) if part) + bound
    raise must_be(name, rule, short_repr(value), example=example, value=value)


def _noun(noun: str, value: object, span: str) -> str:
    """What a value must be besides in its range; "" where it is that, and only out of range."""
    number = _counted(value)
    if noun not in (_NUMBER, _WHOLE) or isinstance(number, bool):
        return noun
    if isinstance(number, float) and not math.isfinite(number):
        return noun.replace("a ", "a finite ")
    fits = isinstance(number, int) or (isinstance(number, float) and noun == _NUMBER)
    return "" if span and (fits or (isinstance(number, float) and number.is_integer())) else noun


def closest_match(word: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The known word most like `word`, or "" when none is as close as `cutoff`, 1 being equal."""
    return next(iter(difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=cutoff)), "")


def short_repr(value: object) -> str:
    """A value as YAML has it, on one line and shortened where it is long; text in quotes."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    try:
        text = " ".join(repr(value).split())
    except (ValueError, RecursionError):  # an integer of thousands of digits, a list without end
        text = f"a value of type {type(value).__name__} too large to show"
    except Exception:  # whatever an object of the user's own raises
        text = f"a value of type {type(value).__name__} that cannot be shown"
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def override_text(value: object) -> str:
    """A value as a command line's `key=value` has it."""
    if isinstance(value, list | tuple):
        return f"[{','.join(override_text(item) for item in value)}]"
    if isinstance(value, str) and value.isprintable() and 0 < len(value) <= _LONGEST_SHOWN:
        return value
    return short_repr(value)
