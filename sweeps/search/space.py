"""What a study may sample: Optuna's distributions, and a sample as overrides.

Optuna holds numbers and flags as they are and all else as the text that stands behind `key=`, so
that any value survives its storage and comes back the same.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from dqn.config.components import COMPONENTS, own_of
from dqn.config.config import KEYS
from dqn.config.fields import override_text
from dqn.runtime.errors import UserError
from dqn.storage.columns import COLUMN_OF_KEY, Cell, hyperparameters, is_same_cell
from sweeps.search.optuna_private import holds

_MOST_CORNERS = 256
_MOST_TRIED = 1000  # combinations of options, for one row
_FEW = 32  # configurations to compose at the start: 80 ms each

Value = bool | int | float | str
Space = dict[str, BaseDistribution]
"""By parameter, a key or a group, without the + it may be written with; in declared order."""

Compose = Callable[[Mapping[str, Value]], Config]
"""The configuration of a sample on top of the study's own; raises `UserError`."""


def overrides_of(params: Mapping[str, Value]) -> list[str]:
    """A sample as Hydra's overrides; each number is read back as the very same one.

    An environment's own argument need not be there yet, which Hydra accepts with ++.
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
    ends = [low, high + step, step] if step else [low, high]
    if isinstance(distribution, IntDistribution) and step == 1:
        del ends[2]
    text = f"{'range' if step else 'interval'}({','.join(map(str, ends))})"
    return f"tag(log,{text})" if log else text


def base_values(space: Space, base: Config) -> dict[str, Value]:
    """What `base` has for each parameter that is a key of `Config`, as a sample would have it."""
    owners = {name: base.env if "." in name else base for name in space if name in KEYS}
    return {n: canonical(getattr(owner, KEYS[n].name), None) for n, owner in owners.items()}


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


def ends_of(distribution: BaseDistribution) -> list[Value]:
    """Every choice, or the least and the most."""
    if isinstance(distribution, CategoricalDistribution):
        return points_of(distribution)
    return [distribution.low, distribution.high]  # pyright: ignore[reportAttributeAccessIssue]


def corners(space: Space, compose: Compose) -> list[Config]:
    """The configurations that bound a space in what a trap depends on; none of too many.

    Each parameter is at both ends or at every choice; those that no configuration takes are left
    out.
    """
    values: dict[str, list[Value]] = {}
    for name, distribution in space.items():
        ends = ends_of(distribution)
        if name in traps.SCALES:
            low, high = min(ends, key=float), max(ends, key=float)
            ends = [low, high] if float(high) >= traps.LARGEST else [high]
        elif name in KEYS and name not in traps.KEYS and not name.startswith("env."):
            continue
        values[name] = ends
    if math.prod(map(len, values.values())) > _MOST_CORNERS:
        return []
    return [config for _, config in _composed(_products(values), compose)]


def alternatives(space: Space, compose: Compose) -> list[tuple[list[str], Config]]:
    """What the groups and environments in `space` can make of a configuration, and with what.

    All of their combinations, or where those are many each option by itself. What cannot be
    composed by itself is tried with the least and the most of all else that is searched; what is
    then refused too is left out.
    """
    groups = {
        name: points_of(distribution)
        for name, distribution in space.items()
        if name == "env.id" or not (name in KEYS or name.startswith("env.kwargs."))
    }
    if math.prod(map(len, groups.values())) <= _FEW:
        combined = _products(groups)
    else:
        combined = [{name: option} for name, options in groups.items() for option in options]
    others = {name: ends_of(of) for name, of in space.items() if name not in groups}
    rest = [{}, *({name: ends[end] for name, ends in others.items()} for end in (0, -1))]
    found = []
    for params in combined:
        tried = _composed(({**params, **more} for more in rest), compose)
        found += [(overrides_of(params), config) for _, config in itertools.islice(tried, 1)]
    return found


def own_components(
    space: Space, found: Iterable[tuple[Any, Config]], compose: Compose
) -> list[Config]:
    """A configuration for each component of one's own that is searched, or that `found` has.

    `found` is of `alternatives`.
    """
    chosen = [{key: v} for key in COMPONENTS if key in space for v in points_of(space[key])]
    configs = [*(config for _, config in _composed(chosen, compose)), *(one for _, one in found)]
    return list(dict.fromkeys(config for config in configs if own_of(config)))


def _products(values: Mapping[str, Iterable[Value]]) -> list[dict[str, Value]]:
    """Every combination of the values of each parameter."""
    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]


def _composed(
    samples: Iterable[dict[str, Value]], compose: Compose
) -> Iterator[tuple[dict[str, Value], Config]]:
    """Samples with their configurations; one that is refused fails as a trial, and says why."""
    for params in samples:
        with contextlib.suppress(UserError):
            yield params, compose(params)


def params_of_row(
    row: Mapping[str, Cell], space: Space, compose: Compose
) -> dict[str, Value] | None:
    """The sample that a row of seeds.csv was trained with; None where its columns do not say.

    A configuration group, such as a preset, has no column: it is the option under which all columns
    are as they are, if that is the only one.
    """
    values = {name: _value_in(row, name, distribution) for name, distribution in space.items()}
    known = {name: value for name, value in values.items() if value is not None}
    unsaid = {name: points_of(space[name]) for name in space if name not in known}
    if not unsaid:
        return known
    if math.prod(map(len, unsaid.values())) > _MOST_TRIED:
        return None
    samples = (known | tried for tried in _products(unsaid))
    env = [name for name in row if name.startswith("env.")]
    found = [
        params
        for params, config in _composed(samples, compose)
        if all(
            is_same_cell(n, row.get(n), cell) for n, cell in hyperparameters(config, env).items()
        )
    ]
    return found[0] if len(found) == 1 else None


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
    return value if not isinstance(value, str) and holds(distribution, value) else None
