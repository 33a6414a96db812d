"""What an earlier version left out of seeds.csv, put in from what its study sampled."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqn.config import Config
from dqn.runtime.atomic_write import replacing
from dqn.runtime.errors import UserError
from dqn.storage.columns import hyperparameters, is_within
from dqn.storage.lock import Lock
from dqn.storage.seeds import env_columns

if TYPE_CHECKING:  # a grid, which adds columns too, loads no Optuna
    from optuna.storages import RDBStorage

    from sweeps.search.space import Compose


def complete(
    path: Path,
    swept: Sequence[str],
    base: Config,
    compose: "Compose",
    open_storage: "Callable[[], RDBStorage]",
    identity: str,
) -> None:
    """Give the seeds.csv in the folder `path` the columns of the environment that it lacks.

    What varied between trials was not written down where it was swept with a +, or set by a preset;
    but the study with `identity` knows what each trial was sampled as.
    """
    if not _missing(path, base, swept):
        return
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    with suppress(SQLAlchemyError, StorageInternalError, UserError, OSError):
        sampled = _sampled(open_storage, identity)
        configs = {number: compose(params) for number, params in sampled.items()}
        add_columns(path, base, swept, configs)


def add_columns(
    path: Path, base: Config, swept: Sequence[str], configs: Mapping[int, Config]
) -> None:
    """The same, `configs` being what the trials were trained with, by their numbers.

    The file is left as it is where that is not known of all of its trials.
    """
    if not (missing := _missing(path, base, swept)):
        return
    lock, file = Lock(path), path / "seeds.csv"
    try:
        cells = {number: hyperparameters(config, missing) for number, config in configs.items()}
        # Whatever bytes are there stay as they are.
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        header, *lines = csv.reader(text[: text.rfind("\n") + 1].splitlines())
        trial, place = header.index("trial"), header.index("env") + 1
        lines = [line for line in lines if line]
        found = [cells[int(line[trial])] for line in lines]
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerow([*header[:place], *missing, *header[place:]])
        for line, own in zip(lines, found, strict=True):
            writer.writerow([*line[:place], *(own[name] for name in missing), *line[place:]])
        with replacing(file, durable=True) as temporary:
            temporary.write_bytes(written.getvalue().encode("utf-8", "surrogateescape"))
    except (OSError, ValueError, LookupError, csv.Error):
        return
    finally:
        lock.close()


def _missing(path: Path, base: Config, swept: Sequence[str]) -> list[str]:
    """The columns of the environment that seeds.csv is to have and has not."""
    if not (path / "seeds.csv").is_file():
        return []
    there = env_columns(path / "seeds.csv")
    wanted = [name for name in hyperparameters(base, swept) if name.startswith("env.")]
    return [name for name in wanted if not is_within(name, there)]


def _sampled(
    open_storage: "Callable[[], RDBStorage]", identity: str
) -> dict[int, Mapping[str, Any]]:
    from sweeps.search.study_lookup import IDENTITY

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
