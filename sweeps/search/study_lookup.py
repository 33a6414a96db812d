"""A folder's study in a storage that may hold others: found, and changed where Optuna does not."""

import shutil
from datetime import datetime
from pathlib import Path

import optuna
from optuna.samplers import RandomSampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import TrialState
from sqlalchemy import delete, func, insert, select, update

from dqn.runtime.errors import UserError
from dqn.storage.quarantine import report
from sweeps.search.endings import FAILED_UNTIL, OF_END
from sweeps.search.optuna_private import id_of_study, tables

IDENTITY = "dqn-study"  # attribute of a study: of which folder it is


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
        trials = {study.study_name: storage.get_n_trials(id_of_study(study)) for study in own}
        named = [study for study in own if study.study_name == name and file is None]
        chosen = named[0] if named else max(own, key=lambda study: trials[study.study_name])
        others = [id_of_study(study) for study in own if study is not chosen]
        if file is not None and others:
            copy = file.with_name(f"{file.name}.twice-{datetime.now():%Y%m%d-%H%M%S}")
            shutil.copy2(file, copy)
            for other in others:
                storage.delete_study(other)
            kept = f"the one with more trials stays, both are kept in {copy.name}"
            report(f"{file} had this study under two names: {kept}")
        return _study(storage, chosen.study_name)
    there = next((study for study in studies if study.study_name == name), None)
    if there is not None:
        if IDENTITY in there.user_attrs or storage.get_n_trials(id_of_study(there)):
            raise UserError(f"name={name} is another study's in {where}; choose another name")
    elif file is not None and any(IDENTITY in study.user_attrs for study in studies):
        raise UserError(
            f"{where} must hold the study of this folder, got that of another "
            f"({studies[0].study_name}); move it away, it is written anew from seeds.csv"
        )
    direction = "minimize" if minimised else "maximize"
    made = optuna.create_study(
        storage=storage, study_name=name, load_if_exists=True, direction=direction
    )
    made.set_user_attr(IDENTITY, identity)
    return _study(storage, name)


def _study(storage: RDBStorage, name: str) -> Study:
    """The study as it is now; its sampler is never asked: see `SamplerView`."""
    return optuna.load_study(storage=storage, study_name=name, sampler=RandomSampler(0))


def reopened(storage: RDBStorage, study: Study, trial_id: int, failed_until: int) -> Study:
    """Let a finished trial run again, in one transaction; the study as it is then.

    What it has reported stays; `failed_until` is noted unless it is 0.
    """
    models = tables()
    value, attribute = models.TrialValueModel, models.TrialUserAttributeModel
    named = attribute.trial_id == trial_id, attribute.key.in_((*OF_END, FAILED_UNTIL))
    note = {"trial_id": trial_id, "key": FAILED_UNTIL, "value_json": f"{failed_until}"}
    trial = update(models.TrialModel).where(models.TrialModel.trial_id == trial_id)
    with storage.engine.begin() as connection:
        connection.execute(delete(value).where(value.trial_id == trial_id))
        connection.execute(delete(attribute).where(*named))
        if failed_until:
            connection.execute(insert(attribute).values(note))
        connection.execute(trial.values(state=TrialState.RUNNING, datetime_complete=None))
    return _study(storage, study.study_name)


def with_plain_names(storage: RDBStorage, study: Study) -> Study:
    """Give parameters their names without the + that an earlier version kept."""
    trial, param = tables().TrialModel, tables().TrialParamModel
    own = select(trial.trial_id).where(trial.study_id == id_of_study(study))
    plain = {"param_name": func.replace(param.param_name, "+", "")}
    with storage.engine.begin() as connection:
        connection.execute(update(param).where(param.trial_id.in_(own)).values(plain))
    return _study(storage, study.study_name)
