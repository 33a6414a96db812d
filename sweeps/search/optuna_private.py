"""What of Optuna's own insides is used, all in one place; checked with Optuna 5.0."""

import copy
from typing import Any, cast

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import Study


def tables() -> Any:
    """The tables of a storage as SQLAlchemy has them, which takes a while to load.

    No public call lets a finished trial run again, or gives a parameter another name.
    """
    from optuna.storages._rdb import models

    return models


def id_of_study(study: Any) -> int:
    """The number of a study in its storage, by which public methods of a storage take it."""
    return study._study_id


def id_of_trial(trial: Any) -> int:
    """The number of a trial in its storage, which other studies may share."""
    return trial._trial_id


def storage_of(study: Study) -> BaseStorage:
    """The storage of a study, with Optuna's cache before it."""
    return study._storage


def on_storage(study: Study, storage: object) -> Study:
    """A copy of `study` on another storage, so that what a pruner notes is not written at once."""
    other = copy.copy(study)
    other._storage = cast(BaseStorage, storage)
    return other


def holds(distribution: BaseDistribution, value: float) -> bool:
    """Whether a distribution could have given a value."""
    return distribution._contains(value)
