"""Hydra's sweeps as Optuna's distributions.

The syntax is hydra-optuna-sweeper's: `interval(1e-4, 1e-2)`, `int(interval(1, 9))`,
`tag(log, ...)`, `range(1, 17)`, `choice(...)` and `a,b,c`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

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
from dqn.config.config import KEYS, key_of, refuse_unknown
from dqn.config.fields import validate
from dqn.runtime.errors import UserError
from sweeps.search.space import Compose, Space, canonical, value_text


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
    swept: dict[str, Override] = {}
    for text in sweep_texts(params):
        with one_line():
            (override,) = parser.parse_overrides([text])
        swept[override.key_or_group] = override
    for override in overrides:
        if override.is_sweep_override():
            swept[override.key_or_group] = override
        else:
            swept.pop(override.key_or_group, None)
    if not swept:
        raise UserError(
            "a study must have a parameter to search, got none; "
            "write for example 'lr=tag(log,interval(1e-4,1e-2))'"
        )
    return {name: _distribution(override, compose) for name, override in swept.items()}


def _distribution(override: Override, compose: Compose) -> BaseDistribution:
    """The distribution of one sweep."""
    key, text = override.key_or_group, override.input_line or ""
    if override.is_hydra_override():
        raise UserError(f"{key} cannot be searched, got {text}; write one value")
    groups = {*default_groups()} - {"sweep"}
    if key not in groups and not key.startswith("env.kwargs."):
        refuse_unknown(key, text, groups)
        if key_of(KEYS[key]).kind == "run":
            raise UserError(
                f"{key} must be one for the whole study, as no network sees it, got {text}; "
                f"write one value"
            )
    sweep: Any = override.value()
    if isinstance(sweep, IntervalSweep):
        return _interval(override, sweep, compose)
    if isinstance(sweep, RangeSweep):
        return _range(override, sweep, compose)
    if not override.is_sweep_override():
        sweep = ChoiceSweep(list=[sweep])
    return _choice(override, sweep, compose)


def _interval(override: Override, sweep: IntervalSweep, compose: Compose) -> BaseDistribution:
    key, text, log = override.key_or_group, override.input_line, _is_log(override, sweep)
    _refuse_uncounted(override)
    low, high = sweep.start, sweep.end
    if low is None or high is None or not -math.inf < low < high < math.inf:
        raise UserError(
            f"{key} must be an interval(low,high) of finite low < high, got {text}; "
            f"write the lower end first"
        )
    low, high = (_checked(override, end, compose) for end in (low, high))
    _refuse_log_of_zero(override, log, low)
    if _is_whole(key) or isinstance(sweep.start, int):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _range(override: Override, sweep: RangeSweep, compose: Compose) -> BaseDistribution:
    key, text, log = override.key_or_group, override.input_line, _is_log(override, sweep)
    _refuse_uncounted(override)
    start, stop, step = (float(end or 0) for end in (sweep.start, sweep.stop, sweep.step))
    count = math.ceil((stop - start) / step) if step and math.isfinite(start + stop) else 0
    if count < 1:
        raise UserError(
            f"{key} must be a range(start,stop,step) that is not empty, got {text}; "
            f"write for example {key}=range(1,17)"
        )
    whole = all(isinstance(end, int) for end in (sweep.start, sweep.stop, sweep.step))
    if (_is_whole(key) and not start.is_integer()) or (not step.is_integer() and _is_whole(key)):
        raise UserError(
            f"{key} must be a range of whole numbers, got {text}; "
            f"write for example {key}=range(1,17)"
        )
    low, high = sorted((start, start + (count - 1) * step))
    for end in (low, high):
        _checked(override, int(end) if whole else end, compose)
    _refuse_log_of_zero(override, log, low)
    if log and abs(step) != 1:
        raise UserError(f"{key} must be a range of step 1 with log, got {text}; leave out the step")
    if _is_whole(key) or whole:
        return IntDistribution(int(low), int(high), log=log, step=abs(int(step)))
    return FloatDistribution(low, high, step=abs(step))


def _choice(override: Override, sweep: Any, compose: Compose) -> BaseDistribution:
    key, text = override.key_or_group, override.input_line
    if isinstance(sweep, ChoiceSweep):
        if sweep.tags:
            raise UserError(
                f"{key} must be a choice without a tag, got {text}; tag(log,...) is for intervals"
            )
        items: Sequence[Any] = sweep.list
    else:
        items = list(override.sweep_iterator())  # glob(...)
    if not items:
        raise UserError(f"{key} must have something to choose from, got {text}; write two values")
    values = []
    for item in items:
        value = canonical(_checked(override, _plain(item), compose), item)
        if value in values:
            raise UserError(
                f"{key} must be a choice of different values, got {value_text(value)} twice in "
                f"{text}; leave one out"
            )
        values.append(value)
    return CategoricalDistribution(values)


def _checked(override: Override, value: Any, compose: Compose) -> Any:
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


def _is_whole(key: str) -> bool:
    return key in KEYS and int in (KEYS[key].type, *get_args(KEYS[key].type)[:1])


def _refuse_uncounted(override: Override) -> None:
    """Refuse an interval or a range of what is no number."""
    key = override.key_or_group
    numeric = key in KEYS and ({int, float} & {KEYS[key].type, *get_args(KEYS[key].type)[:1]})
    is_list = key == "hidden"  # its annotation, too, has int as its first argument
    if not key.startswith("env.kwargs.") and (is_list or not numeric):
        raise UserError(
            f"{key} must be a choice(...), as it is no number, got {override.input_line}; "
            f"write for example {key}=choice(A,B)"
        )


def _is_log(override: Override, sweep: IntervalSweep | RangeSweep) -> bool:
    if sweep.tags - {"log"}:
        raise UserError(
            f"{override.key_or_group} may have the tag log alone, got {override.input_line}; "
            f"write tag(log,interval(low,high))"
        )
    return "log" in sweep.tags


def _refuse_log_of_zero(override: Override, log: bool, low: float) -> None:
    if log and low <= 0:
        raise UserError(
            f"{override.key_or_group} must be an interval from > 0 with log, got "
            f"{override.input_line}; raise its lower end"
        )
