"""The study as Optuna's storage holds it: opened, mended, written; for Optuna's tools to read."""

import copy
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from dqn.runtime.errors import RunError
from dqn.runtime.secrets import without_passwords
from dqn.statistics.metrics import METRICS
from sweeps.search.endings import FAILED_UNTIL, RACED, REASON, SAME_AS, End, end_of
from sweeps.search.optuna_private import id_of_study, id_of_trial, on_storage, storage_of
from sweeps.search.settings import Settings
from sweeps.search.space import Space, Value
from sweeps.search.storage_url import (
    cause_of,
    is_damage,
    is_sound,
    open_file,
    open_storage,
    quarantine,
)
from sweeps.search.study_lookup import own_study, reopened, with_plain_names

FILE = "study.db"
_VERDICT = "pruner"  # attribute of a trial: the last that a pruner said of it but "go on"
_AWAY, _PAUSE = 60.0, 0.5  # seconds to wait for a server that does not answer, and between tries


class _DamagedError(RunError):
    """study.db was damaged, and is set aside."""


class StudyStorage:
    """One study in a storage, `trials` being those it held when it was opened.

    The storage is that of `settings`, or the file study.db in `folder`, which is set aside and
    begun anew where it is damaged: where it cannot be read, or holds a trial that is no sample of
    `space`, or another than `known` has by its number. `identity` tells this folder's study from
    another of its name. A server that is away is waited for.

    Raises `UserError` for a storage that cannot be used or is another study's, `RunError` for one
    that fails.
    """

    def __init__(self, settings: Settings, folder: Path, identity: str, space: Space, known: dict):
        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        self._space, self._known = space, known
        self._url, self._file = settings.storage, None if settings.storage else folder / FILE
        minimised = METRICS[settings.objective].lower_is_better
        self._study_of = settings.name, minimised, identity
        self._rdb: Any = None  # an RDBStorage, once it is open
        self.where = str(self._file)
        if self._file is not None and self._file.exists() and not is_sound(self._file):
            quarantine(self._file)
        try:
            self._read()
        except _DamagedError:
            self._read()
        except (ValueError, LookupError, TypeError) as error:  # whole to SQLite, but not as written
            self.close()
            if self._file is None:
                raise RunError(
                    f"{self.where} cannot be read ({cause_of(error)}); mend it, or choose "
                    f"another storage"
                ) from error
            quarantine(self._file)
            self._read()
        self._ids = [id_of_trial(trial) for trial in self.trials]
        self.failed_until = {
            of.number: int(of.user_attrs.get(FAILED_UNTIL, 0)) for of in self.trials
        }
        """By number, how many trials had been sampled when a failed one was last tried again."""

    def _read(self) -> None:
        """Open the storage and read the study, which is made if there is none."""
        if self._url is not None:
            self._rdb = open_storage(self._url)
            self.where = without_passwords(self._url)
        elif self._file is not None:
            self._rdb = self._try(partial(open_file, self._file))
        self._go_by(lambda: own_study(self._rdb, self._file, self.where, *self._study_of))
        if any(name.startswith("+") for trial in self.trials for name in trial.params):
            self._go_by(lambda: with_plain_names(self._rdb, self._study))
        for trial in self.trials:
            self._refuse_incomplete(trial)
        verdicts = [(t, t.user_attrs[_VERDICT]) for t in self.trials if _VERDICT in t.user_attrs]
        half = [(t, of) for t, of in verdicts if of["step"] not in t.intermediate_values]
        for trial, verdict in half:  # a command was killed while it wrote what a pruner had said
            self._carry_out(id_of_trial(trial), verdict)
        if half:
            self._go_by(lambda: self._study)

    def _go_by(self, found: Callable[[], optuna.Study]) -> None:
        """Go by a study as it is in the storage now."""
        self._study: optuna.Study = self._try(found)
        self._storage = storage_of(self._study)
        self.trials: list[FrozenTrial] = self._try(lambda: self._study.get_trials(deepcopy=False))

    def _refuse_incomplete(self, trial: FrozenTrial) -> None:
        """Raise `ValueError` for a trial that is not as this study wrote it."""
        known, number = self._known.get(trial.number), trial.number
        if trial.distributions != self._space:
            has = ", ".join(trial.distributions) or "nothing"
            rule = f"{', '.join(self._space)} as they are searched"
            raise ValueError(f"trial {number} must have {rule}, has {has}")
        if known is not None and trial.params != known:
            raise ValueError(
                f"trial {number} must have {known} as in seeds.csv, has {trial.params}"
            )
        if trial.state == TrialState.COMPLETE and trial.values is None:
            raise ValueError(f"trial {number} is complete and must have a value, has none")

    def add(self, params: Mapping[str, Value]) -> None:
        """Write the next trial down as running, all of it or nothing."""
        number, sample = len(self._ids), dict(params)
        trial = create_trial(state=TrialState.RUNNING, params=sample, distributions=self._space)

        def create() -> int:
            return self._storage.create_new_trial(id_of_study(self._study), trial)

        def create_unless_there() -> int:
            there = self._study.get_trials(deepcopy=False)[number:]
            return id_of_trial(there[0]) if there else create()

        self._ids.append(self._try(create, create_unless_there))
        got = self._try(lambda: self._storage.get_trial(self._ids[number]))
        if got.number != number or got.params != sample:
            raise RunError(
                f"{self.where}: trial {number} must be the next, another command has added it; "
                f"end that one and give the same command again"
            )

    def prunes(self, number: int, step: int, value: float, pruner: BasePruner) -> bool:
        """Whether `pruner` ends a running trial that has come to `value` at `step`.

        What it says, and what it notes for itself meanwhile, is written down as one, before the
        value is: a step on record was decided, one that is not will be asked again.
        """
        trial_id, notes = self._ids[number], {}

        def ask() -> bool:
            trial = copy.copy(self._storage.get_trial(trial_id))
            trial.intermediate_values = {**trial.intermediate_values, step: value}
            study = on_storage(self._study, _Noting(self._storage, notes))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Optuna's, of values that it leaves out
                return bool(pruner.prune(study, trial))

        verdict = {"step": step, "value": value, "pruned": self._try(ask), "notes": notes}
        if verdict["pruned"] or notes:
            self._note(trial_id, _VERDICT, verdict)
        self._carry_out(trial_id, verdict)
        return bool(verdict["pruned"])

    def _carry_out(self, trial_id: int, verdict: Mapping[str, Any]) -> None:
        """Write what a pruner's verdict comes with where Optuna and its pruners look for it."""
        step, value = verdict["step"], verdict["value"]
        for note in verdict["notes"].items():
            self._try(lambda note=note: self._storage.set_trial_system_attr(trial_id, *note))
        self._try(lambda: self._storage.set_trial_intermediate_value(trial_id, step, value))

    def _note(self, trial_id: int, name: str, value: Any) -> None:
        self._try(lambda: self._storage.set_trial_user_attr(trial_id, name, value))

    def pruned_at(self) -> dict[int, int]:
        """At which step a pruner ended each of `trials` that one did; -1 where that is not said."""
        verdicts = {trial.number: trial.user_attrs.get(_VERDICT) for trial in self.trials}
        ends = {number: one["step"] for number, one in verdicts.items() if one and one["pruned"]}
        ended = [n for n, end in self.ends().items() if end.state == TrialState.PRUNED]
        return dict.fromkeys(ended, -1) | ends

    def ends(self) -> dict[int, End]:
        """How each of `trials` that is over ended."""
        return {trial.number: end_of(trial) for trial in self.trials if trial.state.is_finished()}

    def end(self, number: int, end: End) -> None:
        """Write down how a running trial ended."""
        trial_id = self._ids[number]
        notes = {REASON: end.reason or None, SAME_AS: end.same_as, RACED: end.raced or None}
        for name in [name for name, value in notes.items() if value is not None]:
            self._note(trial_id, name, notes[name])
        state = TrialState.PRUNED if end.raced else end.state
        values = None if end.value is None else [end.value]
        with suppress(UpdateFinishedTrialError):  # as a server went away, it did hear of it
            self._try(lambda: self._storage.set_trial_state_values(trial_id, state, values))

    def reopen(self, number: int, failed: bool) -> None:
        """Let a trial that is over run again, so that it can end otherwise.

        `failed` is whether it had: what is sampled from now on may know another end of it than
        what was sampled before.
        """
        until = max(self.failed_until.get(number, 0), failed * len(self._ids))
        self.failed_until[number] = until
        trial_id = self._ids[number]
        self._study = self._try(lambda: reopened(self._rdb, self._study, trial_id, until))
        self._storage = storage_of(self._study)

    def close(self) -> None:
        """Let go of the storage."""
        if self._rdb is not None:
            self._rdb.remove_session()
            self._rdb.engine.dispose()

    def _try(self, call: Callable[[], Any], again: Callable[[], Any] | None = None) -> Any:
        """What `call` gives; while a server is away, what `again` gives instead, `call` if None."""
        until = time.monotonic() + _AWAY
        while True:
            try:
                return call()
            except (StorageInternalError, SQLAlchemyError) as error:
                cause = error.__cause__ or error
                safe = "what was finished is safe in seeds.csv, the same command resumes"
                if self._file is not None and is_damage(cause):
                    self.close()
                    quarantine(self._file)
                    text = f"{self.where} was damaged ({cause_of(error)}); {safe}"
                    raise _DamagedError(text) from error
                is_server = self._url is not None and not self._url.startswith("sqlite")
                is_away = is_server and isinstance(cause, OperationalError | InterfaceError)
                if not is_away or time.monotonic() > until:
                    raise RunError(
                        f"{self.where} cannot be used ({cause_of(error)}); {safe}"
                    ) from error
            call = again or call
            time.sleep(_PAUSE)


class _Noting:
    """A storage in which a pruner's notes of the trial that it is asked of go to `notes`."""

    def __init__(self, storage: BaseStorage, notes: dict[str, Any]):
        self._storage, self._notes = storage, notes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._notes[key] = value
