"""What a study may sample: Optuna's distributions, and a sample as overrides.

Optuna holds numbers and flags as they are and all else as the text that stands behind `key=`, so
that any value survives its storage and comes back the same.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from hydra.core.override_parser.types import QuotedString
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from dqn import traps
from dqn.config import KEYS, Config
from dqn.errors import UserError
from dqn.results.columns import COLUMN_OF_KEY, Cell
from dqn.schema import override_text

_MOST_CORNERS = 256

Value = bool | int | float | str
Space = dict[str, BaseDistribution]
"""By parameter, as it is written before the `=`; in declared order."""

Compose = Callable[[list[str]], Config]
"""The configuration of these overrides on top of the study's own; raises `UserError`."""


def overrides_of(params: Mapping[str, Value]) -> list[str]:
    """A sample as Hydra's overrides; each number is read back as the very same one."""
    return [f"{name}={value_text(value)}" for name, value in params.items()]


def value_text(value: Value) -> str:
    """One value of a sample as it stands behind `key=`."""
    return value if isinstance(value, str) else override_text(value)


def size_of(distribution: BaseDistribution) -> int | None:
    """How many values a choice or a range has; None of an interval of real numbers."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if isinstance(distribution, IntDistribution | FloatDistribution) and distribution.step:
        return round((distribution.high - distribution.low) / distribution.step) + 1
    return None


def points_of(distribution: BaseDistribution) -> list[Value]:
    """Every value of a choice or a range, in order; empty of an interval of real numbers."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)  # pyright: ignore[reportReturnType]
    low, step = getattr(distribution, "low", 0), getattr(distribution, "step", 0)
    return [low + i * step for i in range(size_of(distribution) or 0)]


def written(distribution: BaseDistribution) -> str:
    """A distribution as a command line has it."""
    if isinstance(distribution, CategoricalDistribution):
        return f"choice({','.join(value_text(value) for value in points_of(distribution))})"
    low, high, log, step = (getattr(distribution, n) for n in ("low", "high", "log", "step"))
    if isinstance(distribution, IntDistribution):
        ends = f"{low},{high + step}" if step == 1 else f"{low},{high + step},{step}"
        text = f"range({ends})"
    else:
        text = f"range({low},{high + step},{step})" if step else f"interval({low},{high})"
    return f"tag(log,{text})" if log else text


def base_values(space: Space, base: Config) -> dict[str, Value]:
    """What `base` has for each parameter that is a key of `Config`, as a sample would have it."""
    values = {name: base.env if "." in name else base for name in space if name in KEYS}
    return {
        name: canonical(getattr(owner, KEYS[name].name), None) for name, owner in values.items()
    }


def canonical(value: Any, written: Any) -> Value:
    """How a sample holds a value: equal values alike, however they were `written`."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and isinstance(written, QuotedString) and not value.isalnum():
        return written.with_quotes()
    return override_text(value)


def corners(space: Space, compose: Compose) -> list[Config]:
    """The configurations that bound a space in what a trap depends on; none of too many.

    Each parameter is at both ends or at every choice; those that no configuration takes are left
    out.
    """
    values: list[list[tuple[str, Value]]] = []
    for name, distribution in space.items():
        key = name.lstrip("+")
        ends = _ends(distribution)
        if key in traps.SCALES:
            ends = [max(ends, key=float)]
        elif key in KEYS and key not in traps.KEYS and not key.startswith("env."):
            continue
        values.append([(name, end) for end in ends])
    found = []
    if math.prod(map(len, values)) <= _MOST_CORNERS:
        for corner in itertools.product(*values):
            with contextlib.suppress(UserError):
                found.append(compose(overrides_of(dict(corner))))
    return found


def _ends(distribution: BaseDistribution) -> list[Value]:
    if isinstance(distribution, CategoricalDistribution):
        return points_of(distribution)
    return [distribution.low, distribution.high]  # pyright: ignore[reportAttributeAccessIssue]


def params_of_row(row: Mapping[str, Cell], space: Space) -> dict[str, Value] | None:
    """The sample that a row of seeds.csv was trained with; None where its columns do not say.

    They do not for a configuration group, such as a preset, and for an environment's own settings.
    """
    params: dict[str, Value] = {}
    for name, distribution in space.items():
        value = row.get("env" if name == "env.id" else COLUMN_OF_KEY.get(name, name))
        if name not in KEYS or value is None:
            return None
        if name == "hidden":
            value = f"[{str(value).replace('x', ',')}]"
        if not _holds(distribution, value):
            return None
        params[name] = value
    return params


def _holds(distribution: BaseDistribution, value: Value) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    return not isinstance(value, str) and distribution._contains(value)
