"""The study as Optuna's storage holds it: opened, mended, written; for Optuna's tools to read."""

import sqlite3
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from dqn.errors import RunError, UserError
from dqn.schema import shown
from sweeps.space import Space, Value

FILE = "study.db"
_ATTRIBUTE = "dqn-study"  # whose study it is, and with which settings
_PATIENCE = 60.0  # seconds to wait while a dashboard reads


class Record:
    """One study in a storage, `trials` being those it held when it was opened.

    `url` is any that Optuna takes; None is the file study.db in `folder`, which is set aside and
    begun anew where it is damaged. `identity` tells this folder's study from another of its name.
    `settings` are kept as text; one that differs from what the study was begun with is refused.

    Raises `UserError` for a storage that cannot be used or is another study's, `RunError` for one
    that fails.
    """

    def __init__(
        self,
        url: str | None,
        folder: Path,
        name: str,
        minimised: bool,
        identity: str,
        settings: Mapping[str, str],
    ):
        self.where = url or str(folder / FILE)
        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        path = folder / FILE
        if url is None and path.exists() and not _sound(path):
            _set_aside(path)
        try:
            self._read(url, path, name, minimised)
        except (ValueError, LookupError) as error:  # whole to SQLite, but not what Optuna wrote
            self.close()
            if url is not None:
                raise RunError(
                    f"{self.where} cannot be read ({_first_line(error)}); mend it, or choose "
                    f"another storage"
                ) from error
            _set_aside(path)
            self._read(url, path, name, minimised)
        with self._writing():
            self._claim(name, identity, settings)
        self._ids = [trial._trial_id for trial in self.trials]

    def _read(self, url: str | None, path: Path, name: str, minimised: bool) -> None:
        """Open the storage and read the study, which is made if there is none."""
        self._rdb = open_storage(url) if url else self._open_file(path)
        with self._writing():
            self._study = optuna.create_study(
                storage=self._rdb,
                study_name=name,
                load_if_exists=True,
                direction="minimize" if minimised else "maximize",
                sampler=RandomSampler(0),  # never asked: see `view.View`
            )
            self._storage = self._study._storage
            self._study_id = self._study._study_id
            self.trials: list[FrozenTrial] = self._study.get_trials(deepcopy=False)
            self._owner: Any = self._study.user_attrs.get(_ATTRIBUTE)

    def add(self, params: Mapping[str, Value], space: Space) -> None:
        """Write the next trial down as running, all of it or nothing."""
        trial = create_trial(state=TrialState.RUNNING, params=dict(params), distributions=space)
        with self._writing():
            self._ids.append(self._storage.create_new_trial(self._study_id, trial))
            number = self._storage.get_trial(self._ids[-1]).number
        if number != len(self._ids) - 1:
            raise RunError(
                f"{self.where}: trial {len(self._ids) - 1} must be the next, another command has "
                f"added it; end that one and give the same command again"
            )

    def report(self, number: int, step: int, value: float) -> None:
        """Write down what a running trial has come to at a step."""
        with self._writing():
            self._storage.set_trial_intermediate_value(self._ids[number], step, value)

    def prunes(self, number: int, step: int, pruner: BasePruner) -> bool:
        """Whether `pruner` ends a trial, given what it has reported up to `step`."""
        with self._writing(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's, of values that it leaves out
            trial = self._storage.get_trial(self._ids[number])
            known = {s: v for s, v in trial.intermediate_values.items() if s <= step}
            trial.intermediate_values = known
            return pruner.prune(self._study, trial)

    def end(self, number: int, state: TrialState, value: float | None, reason: str) -> None:
        """Write down how a trial ended; `reason` is why it failed, or ""."""
        with self._writing():
            if reason:
                self._storage.set_trial_user_attr(self._ids[number], "reason", reason)
            values = None if value is None else [value]
            self._storage.set_trial_state_values(self._ids[number], state, values)

    def close(self) -> None:
        """Let go of the storage."""
        self._rdb.remove_session()
        self._rdb.engine.dispose()

    def _claim(self, name: str, identity: str, settings: Mapping[str, str]) -> None:
        """Refuse another folder's study, or other settings than it was begun with."""
        owner = self._owner
        if owner is None and not self.trials:
            own = {"identity": identity, "settings": dict(settings)}
            self._study.set_user_attr(_ATTRIBUTE, own)
            return
        if owner is None or owner.get("identity") != identity:
            raise UserError(f"name={name} is another study's in {self.where}; choose another name")
        begun = owner.get("settings", {})
        for key in [*settings, *begun]:
            if settings.get(key) != begun.get(key):
                raise UserError(
                    f"{key} must stay {begun.get(key, 'unset')} in the study {name}, met "
                    f"{settings.get(key, 'none')}; write it back, or choose another name"
                )

    def _open_file(self, path: Path) -> RDBStorage:
        # By a function instead of a URL: a path may hold any character. Rollback journal, not WAL:
        # the study stays one file that can be copied, and a dashboard's short reads are waited for.
        def connect() -> sqlite3.Connection:
            return sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)

        try:
            with self._writing():
                return RDBStorage("sqlite://", {"creator": connect, "poolclass": StaticPool})
        except RuntimeError as error:
            raise RunError(
                f"{path} is of another version of Optuna: {_first_line(error)}"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (StorageInternalError, SQLAlchemyError) as error:
            cause = error.__cause__ or error
            raise RunError(
                f"{self.where} cannot be used ({_first_line(cause)}); what was finished is safe in "
                f"seeds.csv, the same command goes on"
            ) from error


def open_storage(url: str) -> RDBStorage:
    """The storage of a URL that the user wrote."""
    try:
        slow = {"connect_args": {"timeout": _PATIENCE}} if url.startswith("sqlite") else {}
        return RDBStorage(url, slow)
    except (ArgumentError, ImportError, ValueError, KeyError) as error:
        raise UserError(
            f"hydra.sweeper.storage must be a URL that Optuna can open, met {shown(url)} "
            f"({_first_line(error)}); write for example sqlite:///study.db, or install its driver"
        ) from error
    except (StorageInternalError, SQLAlchemyError, RuntimeError) as error:
        raise RunError(
            f"hydra.sweeper.storage={url} cannot be opened ({_first_line(error)}); "
            f"the same command goes on once it can"
        ) from error


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0]


def _set_aside(path: Path) -> None:
    """Move a damaged file out of the way, with its journals, and say so."""
    stamp = f"damaged-{datetime.now():%Y%m%d-%H%M%S}"
    while (aside := path.with_name(f"{path.name}.{stamp}")).exists():
        stamp += "-again"
    for suffix in ("-journal", "-wal", "-shm", ""):  # itself last: with it SQLite reads the others
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    print(
        f"{path} is damaged: it is kept as {aside.name}, and written anew from seeds.csv",
        file=sys.stderr,
    )


def _sound(path: Path) -> bool:
    try:
        connection = sqlite3.connect(path, timeout=_PATIENCE)
        try:
            return connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
        finally:
            connection.close()
    except sqlite3.OperationalError as error:  # busy, or no right to read: not damaged
        raise RunError(f"{path} cannot be opened ({error}); see that it can be read") from error
    except sqlite3.DatabaseError:
        return False
