"""What a caller in Python wants to vary, as the words of a command line."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from dqn.compose.keywords import words_of
from dqn.compose.overrides import sweep_texts
from dqn.config.components import path_of
from dqn.config.fields import short_repr
from dqn.config.values import plain
from dqn.runtime.errors import UserError, must_be
from sweeps.search.intervals import Interval

_SWEEP = re.compile(r"\s*(?:\w+\(.*\)|[^,'\"\[{]+(?:,[^,]+)+)\s*", re.DOTALL)
"""A sweep as a command line has it: interval(1e-4,1e-2), or values with commas between."""


def words_of_space(space: Mapping[str, Any], is_grid: bool) -> list[str]:
    """The words of a space: choices, ranges and intervals by key; one value is no choice.

    Raises `UserError` for what is no space.
    """
    if not isinstance(space, Mapping):
        rule, example = "a mapping of keys to values", '{"lr": [1e-4, 1e-3]}'
        raise must_be("the space", rule, short_repr(space), example=example, value=space)
    return list(_words(space, is_grid, ""))


def _words(space: Mapping[str, Any], is_grid: bool, outer: str) -> Iterator[str]:
    for inner, value in space.items():
        name = f"{outer}{inner}"
        if isinstance(value, Mapping) and name in ("env", "env.kwargs"):
            yield from _words(value, is_grid, f"{name}.")
        elif (text := _text(name, value, is_grid)) is None:
            yield from words_of({name: value})
        else:
            yield f"{'++' if name.startswith('env.kwargs.') else ''}{name}={text}"


def _text(name: str, value: Any, is_grid: bool) -> str | None:
    """The sweep of one key; None of one value."""
    if isinstance(value, Interval):
        if is_grid:
            advice = f'search it with sweeps.tune({{"{name}": {value!r}}})'
            raise must_be(name, "a list of values in a grid", repr(value), advice, value=value)
        return value.text
    if isinstance(value, range) and not is_grid and value:
        return f"range({value.start},{value.stop},{value.step})"
    if isinstance(value, str):
        return value if _SWEEP.fullmatch(value) else None
    if type(value).__module__.startswith("optuna."):
        from sweeps.search.space import written

        return written(cast(Any, value))
    if isinstance(value, tuple) and not is_grid and len(value) == 2 and _are_numbers(value):
        low, high = map(repr, value)
        advice = (
            f"write sweeps.uniform({low}, {high}) or sweeps.log({low}, {high}), or [{low}, {high}] "
            "for these two values"
        )
        raise must_be(name, "an interval or a list", repr(value), advice, value=value)
    if isinstance(value, set | frozenset):
        value = sorted(value, key=repr)
    if isinstance(value, list | tuple):
        value = [path_of(name, one) for one in value]
    values = plain(value)
    if not isinstance(values, list):
        return None
    if not values:
        raise must_be(name, "at least one value", "none", "name some, or leave the key out")
    if name == "hidden" and not all(isinstance(widths, list) for widths in values):
        rule, example = "a list of lists of widths", '"hidden": [[32, 32], [64, 64]]'
        raise must_be(name, rule, short_repr(values), example=example, value=value)
    for one in values:
        words_of({name: one})  # says what a value must be
    try:
        (text,) = sweep_texts({name: values})
    except UserError as error:
        raise UserError(str(error), name, value) from error
    return text.partition("=")[2]


def _are_numbers(values: tuple[Any, ...]) -> bool:
    return all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
