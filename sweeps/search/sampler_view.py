"""What a sampler is shown of a study: the trials it may know of by now, and no others."""

import warnings
from collections.abc import Callable, Mapping
from functools import partial

import optuna
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from sweeps.search.optuna_private import id_of_study, id_of_trial
from sweeps.search.samplers import Sampling
from sweeps.search.space import Space, Value


class SamplerView:
    """A study in memory beside the one on record: it decides the samples.

    Samplers read whatever their study holds, and some keep their state in it (CMA-ES pickles its
    own), so they are given one that holds exactly what the order of trials allows, and that no one
    else writes to: a storage is never unpickled from, nor read while a trial is sampled.
    """

    def __init__(self, sampling: Sampling, space: Space, minimised: bool, names: Mapping[str, str]):
        self._sampling, self._names = sampling, names
        self._space = space
        self._storage = InMemoryStorage()
        self._study = optuna.create_study(
            storage=self._storage, direction="minimize" if minimised else "maximize"
        )
        self._ids: list[int] = []
        self._later: list[Callable[[], None]] = []  # until the sampler is asked: perhaps never

    def ask(self, known: Mapping[str, Value] | None = None) -> dict[str, Value]:
        """The next trial's sample; a `known` one is what was sampled before, and is taken as it is.

        A sampler that counts is asked all the same, and its sample is what comes back.
        """
        if known is not None and not self._sampling.counts:
            self._later.append(partial(self._add, known))
            return dict(known)
        for call in self._later:
            call()
        self._later.clear()
        self._study.sampler = self._sampling.sampler(len(self._ids))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a Sobol sequence not of a power of 2, and the like
            trial = self._study.ask(self._space)
        self._ids.append(id_of_trial(trial))
        return {name: trial.params[named] for name, named in self._names.items()}

    def tell(
        self, number: int, state: TrialState, value: float | None, reports: Mapping[int, float]
    ) -> None:
        """Let later samples know how trial `number` ended, and what it reported by step."""
        self._later.append(partial(self._end, number, state, value, dict(reports)))

    def _add(self, params: Mapping[str, Value]) -> None:
        named = {self._names[name]: value for name, value in params.items()}
        trial = create_trial(state=TrialState.RUNNING, params=named, distributions=self._space)
        self._ids.append(self._storage.create_new_trial(id_of_study(self._study), trial))

    def _end(
        self, number: int, state: TrialState, value: float | None, reports: Mapping[int, float]
    ) -> None:
        for step, reported in reports.items():
            self._storage.set_trial_intermediate_value(self._ids[number], step, reported)
        values = None if value is None else [value]
        self._storage.set_trial_state_values(self._ids[number], state, values)
