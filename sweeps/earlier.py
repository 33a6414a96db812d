"""What an earlier version left out of seeds.csv, put in from what its study sampled."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from dqn.config import Config
from dqn.errors import UserError
from dqn.results.atomic import replacing
from dqn.results.columns import hyperparameters
from sweeps.space import Compose, overrides_of
from sweeps.stored import IDENTITY


def complete(
    path: Path,
    swept: Sequence[str],
    base: Config,
    compose: Compose,
    open_storage: Callable[[], RDBStorage],
    identity: str,
) -> None:
    """Give the seeds.csv at `path` the columns of the environment's settings that it lacks.

    What varied between trials was not written down where it was swept with a +, or set by a preset;
    but the study with `identity` knows what each trial was sampled as. Where it does not know it of
    all of them, the file is left as it is.
    """
    if not path.exists():
        return
    wanted = [name for name in hyperparameters(base, swept) if name.startswith("env.")]
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        header = next(csv.reader(file), [])
        missing = [name for name in wanted if name not in header]
        if not missing or "env" not in header or "trial" not in header:
            return
        lines = list(csv.reader(file))
    try:
        sampled = _sampled(open_storage, identity)
        cells = {
            number: hyperparameters(compose(overrides_of(params)), missing)
            for number, params in sampled.items()
        }
        trial, place = header.index("trial"), header.index("env") + 1
        found = [cells[int(line[trial])] for line in lines]
    except (SQLAlchemyError, StorageInternalError, UserError, OSError, ValueError, LookupError):
        return
    with replacing(path, durable=True) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*header[:place], *missing, *header[place:]])
        for line, own in zip(lines, found, strict=True):
            writer.writerow([*line[:place], *(own[name] for name in missing), *line[place:]])


def _sampled(open_storage: Callable[[], RDBStorage], identity: str) -> dict[int, Mapping[str, Any]]:
    storage = open_storage()
    try:
        own = [s for s in storage.get_all_studies() if s.user_attrs.get(IDENTITY) == identity]
        trials = [trial for study in own for trial in storage.get_all_trials(study._study_id)]
    finally:
        storage.remove_session()
        storage.engine.dispose()
    return {
        trial.number: {name.lstrip("+"): value for name, value in trial.params.items()}
        for trial in trials
    }
