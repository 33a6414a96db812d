"""Optuna's samplers and one of ours, from the node `hydra.sweeper.sampler`."""

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler

from dqn.compose.overrides import LARGEST_GRID
from dqn.config import Config
from dqn.runtime.errors import UserError, missing_package
from sweeps.search.options import chosen, option, quiet
from sweeps.search.space import Space, Value, base_values, points_of, size_of, value_text, written


@dataclass(frozen=True)
class _Tpe:
    n_startup_trials: int = option(10, "trials", ">= 0", "random ones at first")
    n_ei_candidates: int = option(24, "draws", ">= 1", "of which the most promising is taken")
    multivariate: bool = option(True, "", "", "models parameters together, not one by one")
    group: bool = option(False, "", "", "models conditional parameters apart")
    constant_liar: bool = option(True, "", "", "keeps away from what is being trained")


@dataclass(frozen=True)
class _Random:
    pass


@dataclass(frozen=True)
class _Grid:
    pass


@dataclass(frozen=True)
class _OneAtATime:
    pass


@dataclass(frozen=True)
class _Qmc:
    qmc_type: str = option("sobol", "", "sobol | halton", "the sequence")
    scramble: bool = option(True, "", "", "shifts it at random, by the seed")


@dataclass(frozen=True)
class _CmaEs:
    n_startup_trials: int = option(1, "trials", ">= 0", "random ones at first")
    popsize: int | None = option(None, "trials", ">= 2", "a generation; null: 4 + 3 ln N")
    with_margin: bool = option(False, "", "", "keeps whole numbers from getting stuck")
    lr_adapt: bool = option(False, "", "", "adapts to noisy objectives")
    consider_pruned_trials: bool = option(False, "", "", "learns from pruned trials too")


@dataclass(frozen=True)
class _Gp:
    n_startup_trials: int = option(10, "trials", ">= 0", "random ones at first")
    deterministic_objective: bool = option(False, "", "", "assumes values without noise")


SAMPLERS: dict[str, type] = {
    "optuna.samplers.TPESampler": _Tpe,
    "optuna.samplers.RandomSampler": _Random,
    "optuna.samplers.GridSampler": _Grid,
    "optuna.samplers.QMCSampler": _Qmc,
    "optuna.samplers.CmaEsSampler": _CmaEs,
    "optuna.samplers.GPSampler": _Gp,
    "sweeps.search.samplers.OneAtATime": _OneAtATime,
}


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
    settings = chosen("sampler", node, SAMPLERS)
    options = asdict(settings)

    def of(number: int) -> int:
        return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])

    match settings:
        case _Random():
            return Sampling(lambda number: RandomSampler(seed=of(number)))
        case _Tpe():
            _refuse_contradiction(settings)
            return Sampling(_quietly(optuna.samplers.TPESampler, options, of), learns=True)
        case _Grid():
            grid = optuna.samplers.GridSampler(_grid(space), seed=seed % 2**32)
            return Sampling(lambda number: grid, limit=_size(space))
        case _OneAtATime():
            points = one_at_a_time(space, base)
            table = OneAtATime(points)
            return Sampling(lambda number: table, limit=len(points))
        case _Qmc():
            options |= {"seed": seed}

            def sequence(number: int) -> BaseSampler:
                first = RandomSampler(seed=of(number))
                own = {**options, "independent_sampler": first, "warn_independent_sampling": False}
                return quiet(optuna.samplers.QMCSampler, own)

            return Sampling(sequence, counts=True)
        case _CmaEs():
            _refuse_missing("cmaes", "the sampler cmaes", "cmaes")
            _refuse_choices(space)
            if settings.lr_adapt and settings.with_margin:
                raise UserError(
                    "hydra.sweeper.sampler.lr_adapt must be false with with_margin=true, got "
                    "lr_adapt=true; leave one of them out"
                )
            options |= {"warn_independent_sampling": False}
            made = _quietly(optuna.samplers.CmaEsSampler, options, of)
            return Sampling(made, counts=True, learns=True)
        case _:
            _refuse_missing("torch", "the sampler gp", "torch")
            options |= {"warn_independent_sampling": False}
            return Sampling(_quietly(optuna.samplers.GPSampler, options, of), learns=True)


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


def _quietly(
    make: Callable[..., BaseSampler], options: Mapping[str, Any], of: Callable[[int], int]
) -> Callable[[int], BaseSampler]:
    return lambda number: quiet(make, {**options, "seed": of(number)})


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


def _refuse_contradiction(settings: _Tpe) -> None:
    if settings.group and not settings.multivariate:
        raise UserError(
            "hydra.sweeper.sampler.group must be false with multivariate=false, got group=true; "
            "leave one of them out"
        )


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


def _refuse_missing(package: str, what: str, install: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise missing_package(what, package, install)
