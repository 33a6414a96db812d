"""The study as Optuna's storage holds it: opened, mended, written; for Optuna's tools to read."""

import copy
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from dqn.runtime.errors import RunError
from dqn.runtime.secrets import without_passwords
from sweeps.search.endings import RACED, REASON, SAME_AS, End, end_of
from sweeps.search.optuna_private import id_of_study, id_of_trial, on_storage, storage_of
from sweeps.search.space import Space, Value
from sweeps.search.storage_url import (
    cause_of,
    is_damage,
    is_sound,
    open_storage,
    quarantine,
)
from sweeps.search.study_lookup import open_file, own_study, reopened, with_plain_names

FILE = "study.db"
_VERDICT = "pruner"  # attribute of a trial: the last that a pruner said of it but "go on"
_FAILED = "failed_until"  # the same: how many trials there were when it was last tried again
_AWAY, _PAUSE = 60.0, 0.5  # seconds to wait for a server that does not answer, and between tries


class _DamagedError(RunError):
    """study.db was damaged, and is set aside."""


class StudyStorage:
    """One study in a storage, `trials` being those it held when it was opened.

    `url` is any that Optuna takes; None is the file study.db in `folder`, which is set aside and
    begun anew where it is damaged: where it cannot be read, or holds a trial that is no sample of
    `space`, or another than `known` has by its number. `identity` tells this folder's study from
    another of its name. A server that is away is waited for.

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
        space: Space,
        known: Mapping[int, Mapping[str, Value] | None],
    ):
        self._space, self._known = space, known
        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        self._file = path = folder / FILE
        self._rdb: RDBStorage | None = None
        self.where = str(path)
        if url is None and path.exists() and not is_sound(path):
            quarantine(path)
        try:
            self._read(url, path, name, minimised, identity)
        except _DamagedError:
            self._read(url, path, name, minimised, identity)
        except (ValueError, LookupError, TypeError) as error:  # whole to SQLite, but not as written
            self.close()
            if url is not None:
                raise RunError(
                    f"{self.where} cannot be read ({cause_of(error)}); mend it, or choose "
                    f"another storage"
                ) from error
            quarantine(path)
            self._read(url, path, name, minimised, identity)
        self._ids = [id_of_trial(trial) for trial in self.trials]
        attributes = {trial.number: trial.user_attrs for trial in self.trials}
        self._failed = {n: own[_FAILED] for n, own in attributes.items() if _FAILED in own}

    def _read(self, url: str | None, path: Path, name: str, minimised: bool, identity: str) -> None:
        """Open the storage and read the study, which is made if there is none."""
        self._is_file = url is None
        self._waits = url is not None and not url.startswith("sqlite")
        self._rdb = open_storage(url) if url else self._open_file(path)
        self.where = without_passwords(url) if url else self.where
        rdb, file = self._rdb, path if self._is_file else None
        self._take(self._try(lambda: own_study(rdb, file, self.where, name, minimised, identity)))
        written = {name for trial in self.trials for name in trial.params}
        if any(name.startswith("+") for name in written):  # by an earlier version
            plain = {name: name.lstrip("+") for name in written}
            self._take(self._try(lambda: with_plain_names(rdb, self._study, plain)))
        for trial in self.trials:
            self._refuse_incomplete(trial)
        half = [trial for trial in self.trials if _is_half_written(trial)]
        for trial in half:
            self._carry_out(id_of_trial(trial), trial.user_attrs[_VERDICT])
        if half:
            self.trials = self._try(lambda: self._study.get_trials(deepcopy=False))

    def _take(self, study: optuna.Study) -> None:
        """Go by a study as it is in the storage now."""
        self._study, self._storage = study, storage_of(study)
        self.trials: list[FrozenTrial] = self._try(lambda: self._study.get_trials(deepcopy=False))

    def _refuse_incomplete(self, trial: FrozenTrial) -> None:
        if trial.distributions != self._space:
            raise ValueError(
                f"trial {trial.number} must have {', '.join(self._space)} as they are searched, "
                f"has {', '.join(trial.distributions) or 'nothing'}"
            )
        known = self._known.get(trial.number)
        if known is not None and trial.params != known:
            raise ValueError(
                f"trial {trial.number} must have {known} as in seeds.csv, has {trial.params}"
            )
        if trial.state == TrialState.COMPLETE and trial.values is None:
            raise ValueError(f"trial {trial.number} is complete and must have a value, has none")

    def add(self, params: Mapping[str, Value]) -> None:
        """Write the next trial down as running, all of it or nothing."""
        trial = create_trial(
            state=TrialState.RUNNING, params=dict(params), distributions=self._space
        )
        number = len(self._ids)

        def create() -> int:
            return self._storage.create_new_trial(id_of_study(self._study), trial)

        def create_unless_there() -> int:
            there = self._study.get_trials(deepcopy=False)[number:]
            return id_of_trial(there[0]) if there else create()

        self._ids.append(self._try(create, create_unless_there))
        got = self._try(lambda: self._storage.get_trial(self._ids[number]))
        if got.number != number or got.params != dict(params):
            raise RunError(
                f"{self.where}: trial {number} must be the next, another command has added it; "
                f"end that one and give the same command again"
            )

    def prunes(self, number: int, step: int, value: float, pruner: BasePruner) -> bool:
        """Whether `pruner` ends a running trial that has come to `value` at `step`.

        What it says, and what it notes for itself meanwhile, is written down as one, before the
        value is: a step on record was decided, one that is not will be asked again.
        """

        def ask() -> dict[str, Any]:
            trial = copy.copy(self._storage.get_trial(self._ids[number]))
            trial.intermediate_values = {**trial.intermediate_values, step: value}
            notes: dict[str, Any] = {}
            study = on_storage(self._study, _Noting(self._storage, notes))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Optuna's, of values that it leaves out
                pruned = bool(pruner.prune(study, trial))
            return {"step": step, "value": value, "pruned": pruned, "notes": notes}

        trial_id, verdict = self._ids[number], self._try(ask)
        if verdict["pruned"] or verdict["notes"]:
            self._try(lambda: self._storage.set_trial_user_attr(trial_id, _VERDICT, verdict))
        self._carry_out(trial_id, verdict)
        return verdict["pruned"]

    def _carry_out(self, trial_id: int, verdict: Mapping[str, Any]) -> None:
        """Write what a pruner's verdict comes with where Optuna and its pruners look for it."""
        step, value = verdict["step"], verdict["value"]
        for note in verdict["notes"].items():
            self._try(lambda note=note: self._storage.set_trial_system_attr(trial_id, *note))
        self._try(lambda: self._storage.set_trial_intermediate_value(trial_id, step, value))

    def pruned_at(self) -> dict[int, int]:
        """At which step a pruner ended each of `trials` that one did."""
        verdicts = {trial.number: trial.user_attrs.get(_VERDICT) for trial in self.trials}
        ends = {number: one["step"] for number, one in verdicts.items() if one and one["pruned"]}
        ended = [n for n, end in self.ends().items() if end.state == TrialState.PRUNED]
        return dict.fromkeys(ended, -1) | ends

    def ends(self) -> dict[int, End]:
        """How each of `trials` that is over ended."""
        return {trial.number: end_of(trial) for trial in self.trials if trial.state.is_finished()}

    def sampled_as_failed(self, number: int) -> int:
        """How many trials had been sampled when a failed one was last tried again; 0 if never."""
        return int(self._failed.get(number, 0))

    def end(self, number: int, end: End) -> None:
        """Write down how a running trial ended."""
        trial_id = self._ids[number]
        notes = {REASON: end.reason or None, SAME_AS: end.same_as, RACED: end.raced or None}
        for name, value in notes.items():
            if value is not None:
                self._try(
                    lambda note=(name, value): self._storage.set_trial_user_attr(trial_id, *note)
                )
        state = TrialState.PRUNED if end.raced else end.state
        values = None if end.value is None else [end.value]
        with suppress(UpdateFinishedTrialError):  # as a server went away, it did hear of it
            self._try(lambda: self._storage.set_trial_state_values(trial_id, state, values))

    def reopen(self, number: int, failed: bool) -> None:
        """Let a trial that is over run again, so that it can end otherwise.

        `failed` is whether it had: what is sampled from now on may know another end of it than
        what was sampled before.
        """
        self._failed[number] = max(self.sampled_as_failed(number), failed * len(self._ids))
        notes = {REASON: None, SAME_AS: None, RACED: None}
        notes[_FAILED] = self._failed[number] or None
        rdb, trial_id = cast(RDBStorage, self._rdb), self._ids[number]
        study = self._try(lambda: reopened(rdb, self._study, trial_id, notes))
        self._study, self._storage = study, storage_of(study)

    def close(self) -> None:
        """Let go of the storage."""
        if self._rdb is not None:
            self._rdb.remove_session()
            self._rdb.engine.dispose()

    def _open_file(self, path: Path) -> RDBStorage:
        try:
            return self._try(lambda: open_file(path))
        except RuntimeError as error:
            raise RunError(f"{path} is of another version of Optuna: {cause_of(error)}") from error

    def _try(self, call: Callable[[], Any], again: Callable[[], Any] | None = None) -> Any:
        """What `call` gives; while a server is away, what `again` gives instead, `call` if None."""
        until = time.monotonic() + _AWAY
        while True:
            try:
                return call()
            except (StorageInternalError, SQLAlchemyError) as error:
                cause = error.__cause__ or error
                if self._is_file and is_damage(cause):
                    self.close()
                    quarantine(self._file)
                    raise _DamagedError(
                        f"{self.where} was damaged ({cause_of(error)}); what was finished is "
                        f"safe in seeds.csv, the same command resumes"
                    ) from error
                is_away = self._waits and isinstance(cause, OperationalError | InterfaceError)
                if not is_away or time.monotonic() > until:
                    raise RunError(
                        f"{self.where} cannot be used ({cause_of(error)}); what was finished is "
                        f"safe in seeds.csv, the same command resumes"
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


def _is_half_written(trial: FrozenTrial) -> bool:
    """Whether a command was killed while it wrote what a pruner had said."""
    verdict = trial.user_attrs.get(_VERDICT)
    return verdict is not None and verdict["step"] not in trial.intermediate_values
