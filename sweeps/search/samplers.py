"""Optuna's samplers and one of ours, from the node `hydra.sweeper.sampler`."""

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler

from dqn.compose.overrides import LARGEST_GRID
from dqn.config import Config
from dqn.runtime.errors import UserError, missing_package
from sweeps.search.options import Ranges, chosen, made
from sweeps.search.space import Space, Value, base_values, points_of, size_of, value_text, written

SAMPLERS: Ranges = {
    "optuna.samplers.TPESampler": {"n_startup_trials": ">= 0", "n_ei_candidates": ">= 1"},
    "optuna.samplers.RandomSampler": {},
    "optuna.samplers.GridSampler": {},
    "optuna.samplers.QMCSampler": {"qmc_type": "sobol | halton"},
    "optuna.samplers.CmaEsSampler": {"n_startup_trials": ">= 0", "popsize": ">= 2"},
    "optuna.samplers.GPSampler": {"n_startup_trials": ">= 0"},
    "sweeps.search.samplers.OneAtATime": {},
}
_PACKAGES = {"CmaEsSampler": ("cmaes", "cmaes"), "GPSampler": ("gp", "torch")}
"""What `hydra/sweeper/sampler` calls a sampler, and the package that it needs."""
_RELATIVE = "QMCSampler", "CmaEsSampler", "GPSampler"
"""They sample all parameters that they can together, and warn of the others unless they may not."""


class OneAtATime(BaseSampler):
    """The base values first, then one hyperparameter at a time at each of its other values.

    `points` are all samples, by the number of their trial.
    """

    def __init__(self, points: Sequence[Mapping[str, Value]]):
        self._points = points

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        """None: every parameter is looked up by itself."""
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        """Nothing."""
        return {}

    def sample_independent(
        self, study: Any, trial: Any, param_name: str, param_distribution: Any
    ) -> Any:
        """The parameter's value in the point of the trial's number."""
        return self._points[trial.number][param_name]


@dataclass(frozen=True)
class Sampling:
    """How the trials of a study are sampled.

    `sampler(number)` is what asks for trial `number`. Each is a new object, whose seed is a
    function of the study's and the number, so that nothing is lost with a process that dies;
    only a sequence, a grid or a table of points is the same for all. `limit` is how many trials
    there can be, None without a bound. `counts` says that a sampler keeps its place in the study
    besides what was sampled (the next point of a sequence, a generation of CMA-ES): a study that
    is taken up again has to ask it for every trial anew. `learns` says that it goes by results.
    """

    sampler: Callable[[int], BaseSampler]
    limit: int | None = None
    counts: bool = False
    learns: bool = False


def sampling(node: Mapping[str, Any], space: Space, base: Config, seed: int) -> Sampling:
    """What samples `space` as the node `hydra.sweeper.sampler` says. Raises `UserError`."""
    options = chosen("sampler", node, SAMPLERS)
    name = node["_target_"].rpartition(".")[2]

    def of(number: int) -> int:
        return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])

    if name == "GridSampler":
        grid = optuna.samplers.GridSampler(_grid(space), seed=seed % 2**32)
        return Sampling(lambda number: grid, limit=_size(space))
    if name == "OneAtATime":
        points = one_at_a_time(space, base)
        table = OneAtATime(points)
        return Sampling(lambda number: table, limit=len(points))
    if name in _PACKAGES:
        _refuse_missing(*_PACKAGES[name])
    if name == "CmaEsSampler":
        _refuse_choices(space)
    make = getattr(optuna.samplers, name)

    def sampler(number: int) -> BaseSampler:
        more: dict[str, Any] = {"warn_independent_sampling": False} if name in _RELATIVE else {}
        if name == "QMCSampler":  # one sequence for all: what it leaves out is drawn at random
            more |= {"seed": seed, "independent_sampler": RandomSampler(seed=of(number))}
        return made("sampler", make, options, {"seed": of(number), **more})

    sampler(0)  # what Optuna refuses, before there is a folder
    counts, blind = ("QMCSampler", "CmaEsSampler"), ("QMCSampler", "RandomSampler")
    return Sampling(sampler, counts=name in counts, learns=name not in blind)


def one_at_a_time(space: Space, base: Config) -> list[dict[str, Value]]:
    """The base values, then each parameter's other values in declared order, the rest at base."""
    values = base_values(space, base)
    points = [values]
    for name, distribution in space.items():
        _refuse_size(size_of(distribution) or 0, "a table of points")
        choices = points_of(distribution)
        if values.get(name) not in choices:
            own = value_text(values[name]) if name in values else "that of the configuration"
            raise UserError(
                f"{name} must be a choice or a range that holds its base value {own} for the "
                f"sampler one_at_a_time, got {written(distribution)}; add the base value"
            )
        points += [{**values, name: value} for value in choices if value != values[name]]
    return points


def _grid(space: Space) -> dict[str, list[Value]]:
    _refuse_size(_size(space), "a grid")
    return {name: points_of(distribution) for name, distribution in space.items()}


def _refuse_size(size: int, what: str) -> None:
    if size > LARGEST_GRID:
        raise UserError(
            f"{what} must have at most {LARGEST_GRID:,} points, got {size:,}; choose among fewer "
            f"values, or write hydra/sweeper/sampler=random"
        )


def _size(space: Space) -> int:
    """Points of the grid over `space`."""
    sizes = []
    for name, distribution in space.items():
        if (size := size_of(distribution)) is None:
            raise UserError(
                f"{name} must be a choice or a range for the sampler grid, got "
                f"{written(distribution)}; write for example {name}=choice(A,B)"
            )
        sizes.append(size)
    return math.prod(sizes)


def _refuse_choices(space: Space) -> None:
    """CMA-ES moves a cloud of points through numbers, of which it needs two at least."""
    for name, distribution in space.items():
        if isinstance(distribution, CategoricalDistribution) and not distribution.single():
            raise UserError(
                f"{name} must be an interval or a range for the sampler cmaes, got "
                f"{written(distribution)}; write one, or hydra/sweeper/sampler=tpe"
            )
    if sum(not distribution.single() for distribution in space.values()) < 2:
        raise UserError(
            f"a space must have two parameters at least for the sampler cmaes, got "
            f"{', '.join(space)}; add one, or write hydra/sweeper/sampler=tpe"
        )


def _refuse_missing(name: str, package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise missing_package(f"hydra/sweeper/sampler={name}", package, package)
