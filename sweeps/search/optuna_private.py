"""What of Optuna's own insides is used, all in one place; checked with Optuna 5.0.

- `tables`: those of its storage. That a finished trial runs again, and that a parameter gets
  another name, no public call can say.
- The numbers of studies and trials, by which the public methods of a storage take them.
- A study on another storage: what a pruner is asked, without what it notes being written at once.
- Whether a distribution holds a value.
"""

import copy
from typing import Any, cast

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import Study


def tables() -> Any:
    """The tables of a storage as SQLAlchemy has them, which takes a while to load."""
    from optuna.storages._rdb import models

    return models


def id_of_study(study: Any) -> int:
    """The number of a study in its storage."""
    return study._study_id


def id_of_trial(trial: Any) -> int:
    """The number of a trial in its storage, which other studies may share."""
    return trial._trial_id


def storage_of(study: Study) -> BaseStorage:
    """The storage of a study, with Optuna's cache before it."""
    return study._storage


def on_storage(study: Study, storage: object) -> Study:
    """A copy of `study` that reads and writes another storage."""
    other = copy.copy(study)
    other._storage = cast(BaseStorage, storage)
    return other


def holds(distribution: BaseDistribution, value: float) -> bool:
    """Whether a distribution could have given a value."""
    return distribution._contains(value)
