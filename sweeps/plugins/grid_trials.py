"""The trials of a grid: its jobs numbered once and for all, however the command is written later.

A grid's sweep.yaml has `params`, the keys and groups that differ between jobs with their values.
Trial n is the n-th point of their product, in the order in which the folder has them.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from dqn.config import Config
from dqn.config.config import KEYS
from dqn.config.fields import validate
from dqn.storage.identity import identity_of, text_of
from dqn.training.trial_source import Trial

Params = dict[str, list[str]]
"""By key or group, the text of each of its values."""


@dataclass(frozen=True)
class Point:
    """One job: its overrides, and what it sets each of the grid's keys to."""

    job: tuple[str, ...]
    sets: dict[str, str]


def varied(jobs: Sequence[Sequence[str]]) -> Params:
    """The keys and groups that differ between jobs, each with its values in order.

    Of a key that a job sets twice the last value counts, as for Hydra.
    """
    values: dict[str, dict[str, None]] = {}
    for job in jobs:
        for name, value in dict(map(_split, job)).items():
            values.setdefault(name, {})[value] = None
    return {name: list(each) for name, each in values.items() if len(each) > 1}


class Meaning:
    """What the text of a value says, as text that is the same for all ways to write it."""

    def __init__(self, parser: OverridesParser):
        self._parser = parser
        self._known: dict[tuple[str, str], str] = {}

    def of(self, name: str, value: str) -> str:
        """The meaning of `name=value`."""
        if (name, value) not in self._known:
            self._known[name, value] = self._read(name, value)
        return self._known[name, value]

    def _read(self, name: str, text: str) -> str:
        (override,) = self._parser.parse_overrides([f"{name}={text}"])
        value: Any = override.value()
        if name in KEYS and "${" not in str(value):  # of another key, or a variable
            value = validate(name, KEYS[name], value)
        return text_of(value)


def same_params(meaning: Meaning, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two records' `params` span the same points, in any order and however written."""
    return _meanings(meaning, one) == _meanings(meaning, other)


def points(jobs: Sequence[Sequence[str]], params: Params, meaning: Meaning) -> list[Point]:
    """The jobs in the order of their numbers: that of the product of `params`."""
    found: dict[tuple[str, ...], Point] = {}
    for job in jobs:
        values = {name: value for name, value in map(_split, job) if name in params}
        key = tuple(meaning.of(name, values[name]) for name in params)
        found.setdefault(key, Point(tuple(job), values))
    keys = [[meaning.of(name, value) for value in values] for name, values in params.items()]
    return [found[key] for key in itertools.product(*keys)]


def trials_of(
    points: Sequence[Point], config_of: Callable[[Sequence[str]], Config], seeds: tuple[int, ...]
) -> list[Trial]:
    """A trial of each point; of points with one configuration only the first has seeds."""
    first: dict[str, int] = {}
    trials = []
    for number, point in enumerate(points):
        config = config_of(point.job)
        original = first.setdefault(identity_of(config), number)
        if original == number:
            trials.append(Trial(number, config, seeds))
        else:
            trials.append(Trial(number, config, (), same_as=original))
    return trials


def _split(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.lstrip("+"), value


def _meanings(meaning: Meaning, params: Mapping[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, values in params.items():
        found[name] = {meaning.of(name, str(value)) for value in values}
    return found
