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

from dqn.compose import traps
from dqn.compose.arguments import grammar_text, needs_quotes, quoted
from dqn.config import Config
from dqn.config.config import KEYS
from dqn.config.fields import override_text
from dqn.runtime.errors import UserError
from dqn.storage.columns import COLUMN_OF_KEY, Cell, hyperparameters, is_same_cell

_MOST_CORNERS = 256

Value = bool | int | float | str
Space = dict[str, BaseDistribution]
"""By parameter, a key or a group, without the + it may be written with; in declared order."""

Compose = Callable[[Mapping[str, Value]], Config]
"""The configuration of a sample on top of the study's own; raises `UserError`."""


def overrides_of(params: Mapping[str, Value]) -> list[str]:
    """A sample as Hydra's overrides; each number is read back as the very same one.

    An environment's own argument need not be there yet, which Hydra wants to be told by ++.
    """
    return [
        f"{'++' * name.startswith('env.kwargs.')}{name}={value_text(value)}"
        for name, value in params.items()
    ]


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
        texts = [value_text(value) for value in points_of(distribution)]
        return ",".join(texts) if "null" in texts else f"choice({','.join(texts)})"
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
    if not isinstance(value, str):
        return grammar_text(value)
    if isinstance(written, QuotedString):
        kept = value.isalnum() and quoted(value) == value
        return value if kept else written.with_quotes()
    return quoted(value) if needs_quotes(value) else value  # choice() gives text without them


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
            low, high = min(ends, key=float), max(ends, key=float)
            ends = [low, high] if float(high) >= traps.LARGEST else [high]
        elif key in KEYS and key not in traps.KEYS and not key.startswith("env."):
            continue
        values.append([(name, end) for end in ends])
    found = []
    if math.prod(map(len, values)) <= _MOST_CORNERS:
        for corner in itertools.product(*values):
            with contextlib.suppress(UserError):
                found.append(compose(dict(corner)))
    return found


def _ends(distribution: BaseDistribution) -> list[Value]:
    if isinstance(distribution, CategoricalDistribution):
        return points_of(distribution)
    return [distribution.low, distribution.high]  # pyright: ignore[reportAttributeAccessIssue]


def params_of_row(
    row: Mapping[str, Cell], space: Space, compose: Compose | None = None
) -> dict[str, Value] | None:
    """The sample that a row of seeds.csv was trained with; None where its columns do not say.

    A configuration group, such as a preset, has no column. With `compose`, it is the option under
    which all columns are as they are, if that is the only one.
    """
    params: dict[str, Value | None] = {n: _value_in(row, n, of) for n, of in space.items()}
    unsaid = {name: points_of(space[name]) for name, value in params.items() if value is None}
    if not all(unsaid.values()) or math.prod(map(len, unsaid.values())) > _MOST_TRIED:
        return None
    if unsaid and compose is None:
        return None
    found = []
    for values in itertools.product(*unsaid.values()):
        tried: Any = params | dict(zip(unsaid, values, strict=True))
        if not unsaid or (compose and _is_trained(row, tried, compose)):
            found.append(tried)
    return found[0] if len(found) == 1 else None


_MOST_TRIED = 1000  # combinations of options, for one row


def _value_in(row: Mapping[str, Cell], name: str, distribution: BaseDistribution) -> Value | None:
    """What a row has for a parameter that has a column; None where it has none or says nothing."""
    value = row.get("env" if name == "env.id" else COLUMN_OF_KEY.get(name, name))
    if value is None or not (name in KEYS or name.startswith("env.kwargs.")):
        return None
    if name == "hidden":
        value = f"[{str(value).replace('x', ',')}]"
    if isinstance(distribution, CategoricalDistribution):
        flag = isinstance(value, bool)
        alike = [c for c in points_of(distribution) if c == value and isinstance(c, bool) == flag]
        return next(iter(alike), None)
    return value if not isinstance(value, str) and distribution._contains(value) else None


def _is_trained(row: Mapping[str, Cell], params: Mapping[str, Value], compose: Compose) -> bool:
    """Whether a sample gives the configuration that a row has the columns of."""
    try:
        config = compose(params)
    except UserError:
        return False
    columns = hyperparameters(config, [name for name in row if name.startswith("env.")])
    return all(is_same_cell(name, row.get(name), cell) for name, cell in columns.items())
