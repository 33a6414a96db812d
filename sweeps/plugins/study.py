"""A study: from `hydra.sweeper` and a command line's sweeps to an Optuna study of one folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from dqn.compose.fast_compose import Composer, settings_of
from dqn.compose.overrides import fixed, refuse_run_keys
from dqn.compose.record import keep_composed
from dqn.config import Config
from dqn.runtime.exit_codes import INTERRUPTED, TIME_IS_UP
from dqn.session import SweepSpec
from dqn.storage import manifest
from dqn.storage.columns import differing_env
from dqn.storage.results_dir import ResultsDir
from dqn.trained.dry_run import Plan, is_dry_run, show
from dqn.training.time_limit import TimeLimit
from dqn.training.trial_source import TrialSource
from dqn.workers.pool import before_training
from sweeps.analysis.held_out import WorkerOptions, validate_trials
from sweeps.analysis.objective import Objective
from sweeps.analysis.validation import render
from sweeps.plugins.grid import PlannedSweep, begun, finish, folder_of
from sweeps.plugins.older_results import add_columns
from sweeps.plugins.planned import study_plan
from sweeps.search.options import options_of
from sweeps.search.settings import Settings, Validate, refuse_unsound
from sweeps.search.space import Value, alternatives, corners, overrides_of, own_components
from sweeps.search.space_parser import recorded, search_space
from sweeps.search.study import Study
from sweeps.search.study_storage import StudyStorage

GROWS = ("n_trials",)
# Where a study is, how long one command is at it and what follows, not what it is; a URL may hold a
# password.
_NOT_KEPT = ("name", "storage", "timeout", "validate")


class PlannedStudy(NamedTuple):
    """A study that is checked, of which nothing is written yet."""

    sweep: PlannedSweep
    validate: Validate | None
    """The validation that ends it."""
    ended_early: Callable[[], str]
    """Once it has run: why it has fewer trials than were asked for, in a line."""


def search(loader: Any, composed: DictConfig, arguments: Sequence[str]) -> None:
    """Run the study that `arguments`, Hydra's task overrides, ask for; may raise `SystemExit`."""
    study = study_of(Composer(loader, composed), arguments, folder_of(composed))

    def run() -> int:
        status = study.sweep.train()
        if status in (INTERRUPTED, TIME_IS_UP):
            return status
        if line := study.ended_early():
            print(line)
        if study.validate is None:
            return status
        base, path, about, *_ = study.sweep
        return max(status, _validated(path, study.validate, base, about.limit))

    if is_dry_run():
        show(study.sweep.plan())
    else:
        finish(run, composed)


def study_of(composer: Composer, arguments: Sequence[str], path: Path) -> PlannedStudy:
    """The study that `arguments`, Hydra's task overrides, ask for, into the folder `path`.

    Raises `UserError` for what is wrong with it.
    """
    composed = composer.composed
    overrides = composer.parser.parse_overrides(list(arguments))
    given = fixed(overrides)

    def compose(params: Mapping[str, Value]) -> Config:
        texts = {name: value for name, value in params.items() if isinstance(value, str)}
        numbers = {name: v for name, v in params.items() if not isinstance(v, str)}
        return composer.sampled([*given, *overrides_of(texts)], numbers)

    node = settings_of(composed.hydra.sweeper)
    typed = {word.lstrip("+").partition("=")[0] for word in composed.hydra.overrides.hydra}
    settings = Settings.from_mapping(node, path.name, typed)
    limit = TimeLimit(settings.timeout)
    base, known = compose({}), begun(path, "study")
    params, space, sampled_as = recorded(
        search_space(overrides, node.get("params") or {}, compose, composer.parser),
        known.get("params"),
        lambda name, text: search_space([], {name: text}, compose, composer.parser)[name],
    )
    found = [(" ".join(texts), config) for texts, config in alternatives(space, compose)]
    refuse_run_keys(base, found)
    is_dry = is_dry_run()
    sound = replace(settings, storage=None) if is_dry else settings  # opening one may write to it
    refuse_unsound(sound, space, base, [config for _, config in found])
    objective = Objective(settings.objective, settings.aggregate)
    parts: Any = {part: options_of(part, getattr(settings, part)) for part in ("sampler", "pruner")}
    about = SweepSpec(
        record=record_of(settings, params, base),
        growable_keys=GROWS,
        swept=(*space, *differing_env([base, *(config for _, config in found)])),
        configs=(base, *own_components(space, found, compose)),
        objective=settings.objective,
        over=objective.of_rows,
        ordered_by=objective.label,
        defaults=_kept(Settings(**parts)),
        corners=corners(space, compose),
        limit=limit,
    )

    def trained() -> dict[int, Config]:
        storage = StudyStorage(settings, path, known["identity"], space, {})
        storage.close()
        return {trial.number: compose(trial.params) for trial in storage.trials}

    if is_dry:
        before_training(base, about.configs, about.corners)
        record, grows, defaults = about.record, about.growable_keys, about.defaults
        manifest.check_or_write(path, base, record, grows, defaults, is_dry=True)
    elif params == known.get("params") and _is_base_of(path, base):
        add_columns(path, base, about.swept, trained)
    studies: list[Study] = []

    def source(folder: ResultsDir) -> TrialSource:
        keep_composed(folder.path, composed)
        rows = [row for n in sorted(set(folder.rows()["trial"])) for row in folder.rows_of(n)]
        of = folder.identity or ""
        studies.append(Study(settings, space, path, base, compose, of, rows, sampled_as))
        return studies[0]

    def ended_early() -> str:
        return studies[0].ended_early if studies else ""

    def plan() -> Plan:
        bounds = [*(about.corners or ()), *(config for _, config in found)]
        return study_plan(path, settings, space, base, bounds, params)

    planned = PlannedSweep(base, path, about, source, plan)
    return PlannedStudy(planned, settings.validate, ended_early)


def _is_base_of(path: Path, base: Config) -> bool:
    """Whether the folder's configuration is `base`, but for what may change."""
    old = manifest.read_config(path / manifest.CONFIG)
    changed = manifest.differences(old, base.to_mapping())
    return old is not None and all(name in manifest.FREE for name, *_ in changed)


def _validated(path: Path, asked: Validate, base: Config, limit: TimeLimit) -> int:
    """Validate the study, which is over; the exit status."""
    print("\nvalidation")
    on = WorkerOptions(base.workers, base.fleet, base.ray_address, base.tracking)
    found = validate_trials(path, asked.top, asked.seeds, on, limit)
    if found is None:
        return TIME_IS_UP if limit.is_over else INTERRUPTED
    print(render(found))
    return found.status


def record_of(settings: Settings, params: Mapping[str, str], base: Config) -> dict[str, Any]:
    """What sweep.yaml keeps of a study: of it `GROWS` alone may change from one command on."""
    return {"kind": "study", "seeds": base.seeds, **_kept(settings), "params": dict(params)}


def _kept(settings: Settings) -> dict[str, Any]:
    return {name: value for name, value in asdict(settings).items() if name not in _NOT_KEPT}
