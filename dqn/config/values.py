"""Values as people hold them, as the plain Python that they are: of NumPy, of pandas, of text.

Nothing is imported for it: an array is known by its `tolist`.
"""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

_DEEPEST = 40  # nested lists and mappings, fewer than a reader of ours takes
_DIGITS = re.compile(r"[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?")
_INFINITE = re.compile(r"([+-]?)\.?(inf(?:inity)?|nan)", re.IGNORECASE)
_PLAIN = (bool, int, float, str)
_KINDS: tuple[tuple[Any, Any], ...] = (
    (str, str.__str__),
    (float, float),
    (Integral, int),
    ((Decimal, Fraction), lambda value: int(value) if float(value).is_integer() else float(value)),
    (Real, float),
    (date, lambda value: value),
    (os.PathLike, os.fspath),
)
"""What is no plain Python, and how it becomes it; the first kind that fits holds."""


def plain(value: Any) -> Any:
    """`value` in None, flags, numbers, text, dates, lists and dictionaries, where it is such.

    Numbers and arrays of NumPy, series of pandas, tensors, tuples, ranges, `Decimal`, `Fraction`,
    paths and enumerations of text or numbers become what they stand for, exactly; anything else is
    given back as it is. Raises `RecursionError` for what holds itself.
    """
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return plain(value.value) if isinstance(value, str | int | float) else value
    for kind, make in _KINDS:
        if isinstance(value, kind):
            return make(value)
    if isinstance(value, Mapping):
        return {plain(name): plain(part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [plain(part) for part in value]
    if callable(numpy := getattr(value, "numpy", None)) and not hasattr(value, "tolist"):
        value = numpy()  # a tensor of TensorFlow
    if callable(to_list := getattr(value, "tolist", None)) and not isinstance(value, type):
        listed = to_list()
        return listed if type(listed) is type(value) else plain(listed)
    return value


def number_in(text: str) -> int | float | None:
    """The number that a text plainly is, as Hydra and YAML write them; None of any other text."""
    text = text.strip()
    if found := _INFINITE.fullmatch(text):
        return float(found[1] + found[2])
    if not _DIGITS.fullmatch(text):
        return None
    digits = text.replace("_", "")
    try:
        return float(digits) if set(digits) & set(".eE") else int(digits)
    except ValueError:  # more digits than Python reads
        return None


def flag_in(text: str) -> bool | None:
    """True or false, where a text plainly says so."""
    return {"true": True, "false": False}.get(text.strip().lower())


def is_yaml(value: Any, depth: int = 0) -> bool:
    """Whether YAML holds a plain value, and gives back the same."""
    if not isinstance(value, Mapping | list):
        return value is None or isinstance(value, (*_PLAIN, bytes, date))
    parts = (*value, *value.values()) if isinstance(value, Mapping) else value
    return depth < _DEEPEST and all(is_yaml(part, depth + 1) for part in parts)
