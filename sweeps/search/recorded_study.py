"""A study as its folder has it on record, where a command says the same in other words."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, CategoricalDistribution

from dqn.runtime.errors import UserError
from sweeps.search.space import Space, points_of, written


class Recorded(NamedTuple):
    """What a study goes by."""

    params: dict[str, str]
    """Of sweep.yaml: each parameter's values as text."""
    space: Space
    sampled_as: dict[str, str]
    """By parameter, what samplers know it as: an earlier version kept the + of its name."""


def recorded(space: Space, params: Any, parse: Callable[[str, str], BaseDistribution]) -> Recorded:
    """`space` in the words and the order of `params`, what sweep.yaml has of it, or None.

    The order counts for a sampler, so a study keeps to the one it was begun with. A parameter that
    is not the same stays as it is in `space`, for whoever compares the two. `parse` gives the
    distribution of a parameter's text.
    """
    known = dict(params) if isinstance(params, Mapping) else {}
    found = Recorded({}, {}, {})
    for old, text in known.items():
        name = old.lstrip("+")
        if name in space and (as_before := _as_before(space[name], name, text, parse)) is not None:
            found.params[old] = text
            found.space[name], found.sampled_as[name] = as_before, old
    for name, distribution in space.items():
        if name not in found.space:
            found.params[name] = written(distribution)
            found.space[name], found.sampled_as[name] = distribution, name
    return found


def _as_before(
    now: BaseDistribution, name: str, text: Any, parse: Callable[[str, str], BaseDistribution]
) -> BaseDistribution | None:
    """The distribution that `text` says if it is the same as that of `now`, else None."""
    if text == written(now):
        return now
    try:
        then = parse(name, text)
    except UserError:
        return None
    return then if then == now or _choices(then) == _choices(now) != set() else None


def _choices(distribution: BaseDistribution) -> set[tuple[type, Any]]:
    is_choice = isinstance(distribution, CategoricalDistribution)
    return {(type(value), value) for value in points_of(distribution)} if is_choice else set()
