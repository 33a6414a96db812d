"""A folder's study in a storage that may hold others: found, and changed where Optuna does not."""

import shutil
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import RandomSampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import TrialState
from sqlalchemy import delete, insert, select, update
from sqlalchemy.pool import StaticPool

from dqn.runtime.errors import UserError
from sweeps.search.optuna_private import id_of_study, tables
from sweeps.search.storage_url import PATIENCE

IDENTITY = "dqn-study"  # attribute of a study: of which folder it is


def open_file(path: Path) -> RDBStorage:
    """The storage that is the file at `path`, which is made if it is not there."""

    # By a function instead of a URL: a path may hold any character. Rollback journal, not WAL:
    # the study stays one file that can be copied, and a dashboard's short reads are waited for.
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False)

    return RDBStorage("sqlite://", {"creator": connect, "poolclass": StaticPool})


def own_study(
    storage: RDBStorage, file: Path | None, where: str, name: str, minimised: bool, identity: str
) -> Study:
    """The study of the folder that has this `identity`, made if there is none.

    Its name need not be `name`: a folder may be renamed. `file` is the folder's own study.db, None
    of a storage that folders share. Raises `UserError` where another folder's study is in the way.
    """
    studies = storage.get_all_studies()
    own = [study for study in studies if study.user_attrs.get(IDENTITY) == identity]
    if own:
        # An earlier version made a second one for a renamed folder, with all of seeds.csv in it.
        trials = {id_of_study(study): storage.get_n_trials(id_of_study(study)) for study in own}
        chosen = max(own, key=lambda study: (study.study_name == name, trials[id_of_study(study)]))
        if file is not None and len(own) > 1:
            chosen = max(own, key=lambda study: trials[id_of_study(study)])
            _leave_one(storage, file, [id_of_study(study) for study in own if study is not chosen])
        return _study(storage, chosen.study_name)
    there = next((study for study in studies if study.study_name == name), None)
    if there is not None:
        unused = IDENTITY not in there.user_attrs and not storage.get_n_trials(id_of_study(there))
        if not unused:
            raise UserError(f"name={name} is another study's in {where}; choose another name")
    elif file is not None and any(IDENTITY in study.user_attrs for study in studies):
        raise UserError(
            f"{where} must hold the study of this folder, got that of another "
            f"({studies[0].study_name}); move it away, it is written anew from seeds.csv"
        )
    made = optuna.create_study(
        storage=storage,
        study_name=name,
        load_if_exists=True,
        direction="minimize" if minimised else "maximize",
        sampler=RandomSampler(0),  # never asked: see `SamplerView`
    )
    made.set_user_attr(IDENTITY, identity)
    return made


def _study(storage: RDBStorage, name: str) -> Study:
    return optuna.load_study(storage=storage, study_name=name, sampler=RandomSampler(0))


def _leave_one(storage: RDBStorage, file: Path, others: Sequence[int]) -> None:
    """Remove studies from a folder's own file, of which a copy is kept."""
    copy = file.with_name(f"{file.name}.twice-{datetime.now():%Y%m%d-%H%M%S}")
    shutil.copy2(file, copy)
    for other in others:
        storage.delete_study(other)
    print(
        f"{file} had this study under two names: the one with more trials stays, both are kept in "
        f"{copy.name}",
        file=sys.stderr,
    )


def reopened(storage: RDBStorage, study: Study, trial_id: int, notes: Mapping[str, Any]) -> Study:
    """Let a finished trial run again, in one transaction; the study as it is then.

    Its value and the user attributes of the names in `notes` are removed, or become what `notes`
    has for them unless that is None. What it has reported stays.
    """
    models = tables()
    attribute = models.TrialUserAttributeModel
    of_trial, mine = models.TrialValueModel.trial_id, attribute.trial_id == trial_id
    with storage.engine.begin() as connection:
        connection.execute(delete(models.TrialValueModel).where(of_trial == trial_id))
        connection.execute(delete(attribute).where(mine, attribute.key.in_(list(notes))))
        for name, value in notes.items():
            if value is not None:
                row = {"trial_id": trial_id, "key": name, "value_json": f"{value}"}
                connection.execute(insert(attribute).values(row))
        of_it = update(models.TrialModel).where(models.TrialModel.trial_id == trial_id)
        connection.execute(of_it.values(state=TrialState.RUNNING, datetime_complete=None))
    return _study(storage, study.study_name)


def with_plain_names(storage: RDBStorage, study: Study, names: Mapping[str, str]) -> Study:
    """Give parameters other names, those there were by now being the keys of `names`."""
    models = tables()
    own = select(models.TrialModel.trial_id).where(models.TrialModel.study_id == id_of_study(study))
    param = models.TrialParamModel
    with storage.engine.begin() as connection:
        for old, new in names.items():
            there = (param.param_name == old, param.trial_id.in_(own))
            connection.execute(update(param).where(*there).values(param_name=new))
    return _study(storage, study.study_name)
