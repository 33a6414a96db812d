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

from dqn.config import components
from dqn.config.values import flag_in, is_yaml, number_in, plain
from dqn.runtime.errors import must_be

Kind = Literal["lane", "shape", "run"]

INT_BOUND = 2**31  # whole numbers live in 32-bit integers
AUTO = "auto"  # a number that is found when it is needed
_MISSING = "???"  # how Hydra's YAML files mark a value that the user has to give
_LONGEST_TEXT = 200  # characters of a name, well below what a file system allows
_LONGEST_SHOWN = 60  # characters of a value in a message

_INTERVAL = re.compile(r"(>=? |[\[(])([\d.]+)(?:, ([\d.]+)\])?( or inf)?")
_LIST = re.compile(r"\s*[\[(]([^\[\]()]*)[\])]\s*")


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
        words = self.range.split(" | ") if " | " in self.range else ()
        return tuple(word for word in words if word != components.PATH)

    @property
    def takes_path(self) -> bool:
        """Whether a component of one's own, by its import path, is allowed beside the words."""
        return self.range.endswith(f" | {components.PATH}")

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


def config_field(kind: Kind, default: Any, *about: str) -> Any:
    """A dataclass field of a kind, with its default and the rest of its `FieldInfo`, in order."""
    metadata = {"key": FieldInfo(kind, *about)}
    if isinstance(default, Mapping):  # a mapping has no hash
        return field(default_factory=dict, hash=False, metadata=metadata)
    return field(default=default, metadata=metadata)


lane, shape, run = (functools.partial(config_field, kind) for kind in get_args(Kind))


def _counted(value: object) -> object:
    """Text that plainly is a number as one: of a variable of the shell, or YAML 1.1's `1e-4`."""
    number = number_in(value) if isinstance(value, str) else None
    return value if number is None else number


def _number(value: object, about: FieldInfo) -> float:
    number: Any = _counted(value)
    if type(number) not in (int, float) or not about.allows(float(number)):
        raise ValueError
    return float(number)


def _whole(value: object, about: FieldInfo) -> int:
    number: Any = _counted(value)
    if type(number) not in (int, float) or number % 1 != 0:
        raise ValueError
    if number >= INT_BOUND:
        raise ValueError(" and < 2^31")
    return int(_number(number, about))


def _flag(value: object, about: FieldInfo) -> bool:
    flag = flag_in(value) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise ValueError
    return flag


def _text(value: object, about: FieldInfo) -> str:
    if type(value) is int:
        value = str(value)  # name=17
    if isinstance(value, date):
        value = value.isoformat()  # YAML 1.1's
    own = about.takes_path and components.is_path(value)
    if not isinstance(value, str) or (about.choices and value not in about.choices and not own):
        raise ValueError
    if not value.isprintable() or not 0 < len(value) <= _LONGEST_TEXT:
        raise ValueError(f" of 1 to {_LONGEST_TEXT} printable characters")
    return value


def _widths(value: object, about: FieldInfo) -> tuple[int, ...]:
    if isinstance(value, str) and (found := _LIST.fullmatch(value)):
        value = found[1].split(",")
    if not isinstance(value, list) or not value:
        raise ValueError
    return tuple(_whole(width, about) for width in value)


def _mapping(value: object, about: FieldInfo) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError
    if not is_yaml(value):
        raise ValueError(" that YAML has (numbers, text, true, false, null, lists and mappings)")
    return dict(value)


_NUMBER, _WHOLE = "a number", "a whole number"
# By a field's annotation: what a value must be, its reader, an example where the default is null.
_READERS: dict[object, tuple[str, Any, object]] = {
    float: (_NUMBER, _number, 195.0),
    int: (_WHOLE, _whole, 500),
    bool: ("true or false", _flag, None),
    str: ("a", _text, "first_try"),
    int | str: ("auto or a whole number", lambda x, of: x if x == AUTO else _whole(x, of), None),
    tuple[int, ...]: ("a non-empty list of whole numbers, each", _widths, None),
    Mapping[str, Any]: ("a mapping of names to values", _mapping, "{}"),
}


def validate(name: str, setting: Field, value: object) -> Any:
    """`value` as the field `setting` holds it; 1e3 becomes 1000 for an int, a list a tuple.

    `name` is the key as a user writes it, such as "env.id". Raises `UserError`.
    """
    about: FieldInfo = setting.metadata["key"]
    kind: Any = setting.type
    optional = isinstance(kind, UnionType) and NoneType in get_args(kind)
    noun, read, example = _READERS[get_args(kind)[0] if optional else kind]
    # Whatever an object of another library, or of the user's own, raises: it is no value of ours.
    with contextlib.suppress(Exception):
        value = plain(value)
    value = components.path_of(name, value)
    text = value if isinstance(value, str) else ""
    if optional and (value is None or (text == "null" and read is not _text)):
        return None
    if optional and about.choices and text.lower() in ("null", "none"):
        return None
    default = setting.default if setting.default not in (None, dataclasses.MISSING) else example
    example = f"{name}={override_text(default)}"
    if text == _MISSING:
        raise must_be(name, "given", "nothing", example=example, value=value)
    try:
        return read(value, about)
    except OverflowError:
        bound = " and finite"
    except ValueError as error:
        bound = str(error)
    if about.choices:
        words = (*about.choices, *components.names_of(name))
        *others, last = (*words, *["null"] * optional, *[components.PATH] * about.takes_path)
        rule = f"{', '.join(others)} or {last}"
        if optional:
            example = f"{name}={about.choices[0]}"
        near = closest_match(override_text(value), words)
        if about.takes_path and components.is_path(dotted := ":".join(text.rsplit(".", 1))):
            near = dotted
        if near:
            advice = f"did you mean {name}={near}?"
            raise must_be(name, rule, short_repr(value), advice, value=value)
    else:
        span = f"in {about.range}" if about.range.startswith(("[", "(")) else about.range
        rule = f"{_noun(noun, value, span)} {span}".strip() + bound
    raise must_be(name, rule, short_repr(value), example=example, value=value)


def _noun(noun: str, value: object, span: str) -> str:
    """What a value must be besides in its range; "" where it is that, and only out of range."""
    number: Any = _counted(value)
    if noun not in (_NUMBER, _WHOLE) or type(number) not in (int, float):
        return noun
    if isinstance(number, float) and not math.isfinite(number):
        return noun.replace("a ", "a finite ")
    return "" if span and (noun == _NUMBER or number % 1 == 0) else noun


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
