"""Hydra's sweeps as Optuna's distributions.

The syntax is hydra-optuna-sweeper's: `interval(1e-4, 1e-2)`, `int(interval(1, 9))`,
`tag(log, ...)`, `range(1, 17)`, `choice(...)` and `a,b,c`.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, get_args

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
)
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from dqn.compose.arguments import grammar_text
from dqn.compose.help_page import default_groups
from dqn.compose.hydra_errors import one_line
from dqn.compose.overrides import sweep_texts
from dqn.config.components import COMPONENTS
from dqn.config.config import KEYS, key_of, refuse_unknown
from dqn.config.fields import validate
from dqn.runtime.errors import UserError, must_be
from sweeps.search.space import Compose, Space, canonical, value_text, written


def search_space(
    overrides: Iterable[Override],
    params: Mapping[str, Any],
    compose: Compose,
    parser: OverridesParser | None = None,
) -> Space:
    """The space that `hydra.sweeper.params` and a command line's `overrides` span together.

    A command line wins: its sweep takes the place of the same key's in `params`, and its one value
    takes the key out of the space. In `params` a value is a sweep's text, or a list to choose from.
    A key that counts is sampled whole, whatever its interval was written with.

    Raises `UserError`, one line, for what cannot be searched: an unknown key, one that no network
    sees, an empty interval, a value outside its key's range, and the like.
    """
    parser = parser or OverridesParser.create()
    with one_line():
        of_params = parser.parse_overrides(sweep_texts(params))
    swept = {override.key_or_group: override for override in of_params}
    for override in overrides:
        if override.is_sweep_override():
            swept[override.key_or_group] = override
        else:
            swept.pop(override.key_or_group, None)
    if not swept:
        example = "'lr=tag(log,interval(1e-4,1e-2))'"
        raise UserError(
            f"a study must have a parameter to search, got none (for example {example})"
        )
    return {name: _distribution(override, compose) for name, override in swept.items()}


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
    found = Recorded({}, {}, {})

    def keep(name: str, named: str, text: str, distribution: BaseDistribution) -> None:
        found.params[named], found.space[name] = text, distribution
        found.sampled_as[name] = named

    for named, text in dict(params or {}).items():
        if (name := named.lstrip("+")) in space:
            now = space[name]
            try:
                then = now if text == written(now) else parse(name, text)
            except UserError:
                continue
            if _meaning(then) == _meaning(now):
                keep(name, named, text, then)
    for name, distribution in space.items():
        if name not in found.space:
            keep(name, name, written(distribution), distribution)
    return found


def _meaning(distribution: BaseDistribution) -> object:
    """What is equal for equal distributions, whatever the order of choices; 1 is 1.0, not true."""
    if isinstance(distribution, CategoricalDistribution):
        return {(isinstance(value, bool), value) for value in distribution.choices}
    return distribution


def _distribution(override: Override, compose: Compose) -> BaseDistribution:
    """The distribution of one sweep."""
    key, text = str(override.key_or_group), override.input_line or ""
    if override.is_hydra_override():
        raise UserError(f"{key} cannot be searched, got {text}; write one value", key)
    groups = {*default_groups()} - {"sweep"}
    if key not in groups and not key.startswith("env.kwargs."):
        refuse_unknown(key, text, groups)
        if key_of(KEYS[key]).kind == "run":
            rule = "one for the whole study, as no network sees it"
            raise must_be(key, rule, text, "write one value")
    sweep: Any = override.value()
    if isinstance(sweep, IntervalSweep | RangeSweep):
        return _numbers(override, sweep, compose)
    return _choice(override, sweep, compose)


def _numbers(
    override: Override, sweep: IntervalSweep | RangeSweep, compose: Compose
) -> BaseDistribution:
    key, text = str(override.key_or_group), override.input_line
    kinds = {KEYS[key].type, *get_args(KEYS[key].type)[:1]} if key in KEYS else set()
    # The annotation of hidden, a list, has int as its first argument, too.
    is_number = kinds & {int, float} and key != "hidden"
    if not (is_number or key.startswith("env.kwargs.")):
        rule, example = "a choice(...), as it is no number", f"{key}=choice(A,B)"
        raise must_be(key, rule, text, example=example)
    if sweep.tags - {"log"}:
        raise must_be(key, "tagged with nothing but log", text, "write tag(log,interval(low,high))")
    log, is_whole = "log" in sweep.tags, int in kinds
    if isinstance(sweep, IntervalSweep):
        low, high, step = sweep.start, sweep.end, None
        numbers = low, high
        if low is None or high is None or not -math.inf < low < high < math.inf:
            rule = "an interval(low,high) of finite low < high"
            raise must_be(key, rule, text, "write the lower end first")
    else:
        numbers = sweep.start, sweep.stop, sweep.step
        low, high, step = _ends_of_range(key, text, numbers, is_whole)
        if log and step != 1:
            raise must_be(key, "a range of step 1 with log", text, "leave out the step")
    are_whole = all(isinstance(number, int) for number in numbers)
    ends = (int(end) if are_whole else end for end in (low, high))
    low, high = (_validated(override, end, compose) for end in ends)
    if log and low <= 0:
        raise must_be(key, "an interval from > 0 with log", text, "raise its lower end")
    if is_whole or are_whole:
        return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return FloatDistribution(float(low), float(high), log=log and step is None, step=step)


def _ends_of_range(
    key: str, text: str | None, numbers: tuple[Any, ...], is_whole: bool
) -> tuple[float, float, float]:
    """The least and the most value of a range, and the step between two."""
    start, stop, step = (float(number or 0) for number in numbers)
    count = math.ceil((stop - start) / step) if step and math.isfinite(start + stop) else 0
    example = f"{key}=range(1,17)"
    if count < 1:
        rule = "a range(start,stop,step) that is not empty"
        raise must_be(key, rule, text, example=example)
    if is_whole and not (start.is_integer() and step.is_integer()):
        raise must_be(key, "a range of whole numbers", text, example=example)
    low, high = sorted((start, start + (count - 1) * step))
    return low, high, abs(step)


def _choice(override: Override, sweep: Any, compose: Compose) -> BaseDistribution:
    key, text = str(override.key_or_group), override.input_line
    items = [sweep]
    if isinstance(sweep, ChoiceSweep):
        items = sweep.list
        if sweep.tags:
            advice = "tag(log,...) is for intervals"
            raise must_be(key, "a choice without a tag", text, advice)
    elif override.is_sweep_override():
        items = list(override.sweep_iterator())  # glob(...)
    if not items:
        raise must_be(key, "something to choose from", text, "write two values")
    values = []
    for item in items:
        # A name of a component stands for its path, which needs no quotes.
        written_as = None if key in COMPONENTS else item
        value = canonical(_validated(override, _plain(item), compose), written_as)
        if value in values:
            got = f"{value_text(value)} twice in {text}"
            raise must_be(key, "a choice of different values", got, "leave one out")
        values.append(value)
    return CategoricalDistribution(values)


def _validated(override: Override, value: Any, compose: Compose) -> Any:
    """One value of a sweep as its key holds it: its own range is checked, not rules between two."""
    key = override.key_or_group
    try:
        if key in KEYS:
            return validate(key, KEYS[key], value)
        compose({key: grammar_text(value)})
    except UserError as error:
        raise error.followed_by(f" (in {override.input_line})") from error
    return value


def _plain(item: Any) -> Any:
    """An element of Hydra's grammar as plain Python."""
    if isinstance(item, QuotedString):
        return item.text
    if isinstance(item, dict):
        return {str(_plain(name)): _plain(part) for name, part in item.items()}
    return [_plain(part) for part in item] if isinstance(item, list) else item
