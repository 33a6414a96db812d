"""Optuna's samplers and one of ours, and what they are shown of a study."""

import importlib.util
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from dqn.compose.overrides import LARGEST_GRID
from dqn.config import Config
from dqn.runtime.errors import UserError, missing_package, must_be
from sweeps.search.endings import End
from sweeps.search.options import chosen, made
from sweeps.search.optuna_private import id_of_study, id_of_trial
from sweeps.search.space import Space, Value, base_values, points_of, size_of, value_text, written

_PACKAGES = {"CmaEsSampler": ("cmaes", "cmaes"), "GPSampler": ("gp", "torch")}
"""What `hydra/sweeper/sampler` calls a sampler, and the package that it needs."""


class OneAtATime(RandomSampler):
    """The base values first, then one hyperparameter at a time at each of its other values.

    `points` are all samples, by the number of their trial.
    """

    def __init__(self, points: Sequence[Mapping[str, Value]]):
        super().__init__(seed=0)
        self._points = points

    def sample_independent(
        self, study: Any, trial: Any, param_name: str, param_distribution: Any
    ) -> Value:
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
    name, options = chosen("sampler", node)
    if name == "GridSampler":
        grid = _grid(space)
        sampler_of_grid = optuna.samplers.GridSampler(grid, seed=seed % 2**32)
        return Sampling(lambda number: sampler_of_grid, math.prod(map(len, grid.values())))
    if name == "OneAtATime":
        table = OneAtATime(points := one_at_a_time(space, base))
        return Sampling(lambda number: table, len(points))
    option, package = _PACKAGES.get(name, ("", ""))
    if package and importlib.util.find_spec(package) is None:
        raise missing_package(f"hydra/sweeper/sampler={option}", package, package)
    if name == "CmaEsSampler":
        _refuse_choices(space)
    make, is_sequence = getattr(optuna.samplers, name), name == "QMCSampler"

    def sampler(number: int) -> BaseSampler:
        own: Any = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        more = {"seed": own}
        if is_sequence:  # one for all trials: what it leaves out is drawn at random
            more = {"seed": seed, "independent_sampler": RandomSampler(seed=own)}
        return made("sampler", make, options, more)

    sampler(0)  # what Optuna refuses, before there is a folder
    blind = is_sequence or name == "RandomSampler"
    return Sampling(sampler, counts=is_sequence or name == "CmaEsSampler", learns=not blind)


def one_at_a_time(space: Space, base: Config) -> list[dict[str, Value]]:
    """The base values, then each parameter's other values in declared order, the rest at base."""
    values = base_values(space, base)
    points = [values]
    for name, distribution in space.items():
        _refuse_large("a table of points", size_of(distribution) or 0)
        choices = points_of(distribution)
        if values.get(name) not in choices:
            own = value_text(values[name]) if name in values else "that of the configuration"
            rule = f"a choice or a range that holds its base value {own} for one_at_a_time"
            raise must_be(name, rule, written(distribution), "add the base value")
        points += [{**values, name: value} for value in choices if value != values[name]]
    return points


def _grid(space: Space) -> dict[str, list[Value]]:
    """The values of each parameter; their product is not built before it is known to be small."""
    sizes = {name: size_of(distribution) for name, distribution in space.items()}
    for name in [name for name, size in sizes.items() if size is None]:
        rule, example = "a choice or a range for the sampler grid", f"{name}=choice(A,B)"
        raise must_be(name, rule, written(space[name]), example=example)
    _refuse_large("a grid", math.prod(size or 0 for size in sizes.values()))
    return {name: points_of(distribution) for name, distribution in space.items()}


def _refuse_large(what: str, size: int) -> None:
    if size > LARGEST_GRID:
        raise UserError(
            f"{what} must have at most {LARGEST_GRID:,} points, got {size:,}; choose among fewer "
            f"values, or write hydra/sweeper/sampler=random"
        )


def _refuse_choices(space: Space) -> None:
    """CMA-ES moves a cloud of points through numbers, of which it needs two at least."""
    advice = "hydra/sweeper/sampler=tpe"
    searched = {name: of for name, of in space.items() if not of.single()}
    for name, distribution in searched.items():
        if isinstance(distribution, CategoricalDistribution):
            rule = "an interval or a range for the sampler cmaes"
            raise must_be(name, rule, written(distribution), f"write one, or {advice}")
    if len(searched) < 2:
        raise UserError(
            f"a space must have two parameters at least for the sampler cmaes, got "
            f"{', '.join(space)}; add one, or write {advice}"
        )


class SamplerView:
    """A study in memory beside the one on record: it decides the samples.

    Samplers read whatever their study holds, and some keep their state in it (CMA-ES pickles its
    own), so they are given one that holds exactly what the order of trials allows, and that no one
    else writes to: a storage is never unpickled from, nor read while a trial is sampled.
    """

    def __init__(self, sampling: Sampling, space: Space, minimised: bool, names: Mapping[str, str]):
        self._sampling, self._space, self._names = sampling, space, names
        self._storage = InMemoryStorage()
        self._study = optuna.create_study(
            storage=self._storage, direction="minimize" if minimised else "maximize"
        )
        self._ids: list[int] = []
        self._later: list[Callable[[], None]] = []  # until the sampler is asked: perhaps never
        self.counts = sampling.counts
        """Whether the sampler is asked for every trial: see `Sampling`."""

    def ask(self, known: Mapping[str, Value] | None = None) -> dict[str, Value]:
        """The next trial's sample; a `known` one is what was sampled before, and is taken as it is.

        A sampler that counts is asked all the same, and its sample is what comes back.
        """
        if known is not None and not self.counts:
            self._later.append(partial(self._add, known))
            return {name: known[name] for name in self._names}
        for call in self._later:
            call()
        self._later.clear()
        self._study.sampler = self._sampling.sampler(len(self._ids))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a Sobol sequence not of a power of 2, and the like
            trial = self._study.ask(self._space)
        self._ids.append(id_of_trial(trial))
        return {name: trial.params[named] for name, named in self._names.items()}

    def tell(self, number: int, end: End, reports: Mapping[int, float]) -> None:
        """Let later samples know how trial `number` ended, and what it reported by step."""
        self._later.append(partial(self._end, number, end, dict(reports)))

    def _add(self, params: Mapping[str, Value]) -> None:
        named = {self._names[name]: value for name, value in params.items()}
        trial = create_trial(state=TrialState.RUNNING, params=named, distributions=self._space)
        self._ids.append(self._storage.create_new_trial(id_of_study(self._study), trial))

    def _end(self, number: int, end: End, reports: Mapping[int, float]) -> None:
        for step, reported in reports.items():
            self._storage.set_trial_intermediate_value(self._ids[number], step, reported)
        values = None if end.value is None else [end.value]
        self._storage.set_trial_state_values(self._ids[number], end.state, values)
