"""A study: from `hydra.sweeper` and a command line's sweeps to an Optuna study of one folder."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dqn import session
from dqn.compose.fast_compose import Composer, settings_of
from dqn.compose.overrides import fixed, refuse_run_keys
from dqn.config import Config
from dqn.runtime.exit_codes import INTERRUPTED
from dqn.session import SweepSpec
from dqn.storage import manifest
from dqn.storage.columns import differing_env
from dqn.storage.results_dir import ResultsDir
from dqn.training.trial_source import TrialSource
from sweeps.analysis.held_out import WorkerOptions, validate_trials
from sweeps.analysis.objective import Objective
from sweeps.analysis.validation import render
from sweeps.plugins.grid import begun, finish, folder_of, keep_composed
from sweeps.plugins.older_results import add_columns
from sweeps.search.options import options_of
from sweeps.search.settings import Settings, Validate, refuse_unsound
from sweeps.search.space import Value, alternatives, corners, overrides_of, own_components
from sweeps.search.space_parser import recorded, search_space
from sweeps.search.study import Study
from sweeps.search.study_storage import StudyStorage

GROWS = ("n_trials",)
# Where a study is, and what follows it, not what it is; a URL may hold a password.
_NOT_KEPT = ("name", "storage", "validate")


def search(loader: Any, composed: DictConfig, arguments: Sequence[str]) -> None:
    """Run the study that `arguments`, Hydra's task overrides, ask for; may raise `SystemExit`."""
    composer = Composer(loader, composed)
    overrides = composer.parser.parse_overrides(list(arguments))
    given = fixed(overrides)

    def compose(params: Mapping[str, Value]) -> Config:
        texts = {name: value for name, value in params.items() if isinstance(value, str)}
        numbers = {name: v for name, v in params.items() if not isinstance(v, str)}
        return composer.sampled([*given, *overrides_of(texts)], numbers)

    path = folder_of(composed)
    node = settings_of(composed.hydra.sweeper)
    typed = {word.lstrip("+").partition("=")[0] for word in composed.hydra.overrides.hydra}
    settings = Settings.from_mapping(node, path.name, typed)
    base, known = compose({}), begun(path, "study")
    params, space, sampled_as = recorded(
        search_space(overrides, node.get("params") or {}, compose, composer.parser),
        known.get("params"),
        lambda name, text: search_space([], {name: text}, compose, composer.parser)[name],
    )
    found = [(" ".join(texts), config) for texts, config in alternatives(space, compose)]
    refuse_run_keys(base, found)
    refuse_unsound(settings, space, base, [config for _, config in found])
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
    )

    def trained() -> dict[int, Config]:
        storage = StudyStorage(settings, path, known["identity"], space, {})
        storage.close()
        return {trial.number: compose(trial.params) for trial in storage.trials}

    if params == known.get("params") and _is_base_of(path, base):
        add_columns(path, base, about.swept, trained)
    studies: list[Study] = []

    def source(folder: ResultsDir) -> TrialSource:
        keep_composed(folder.path, composed)
        rows = [row for n in sorted(set(folder.rows()["trial"])) for row in folder.rows_of(n)]
        of = folder.identity or ""
        studies.append(Study(settings, space, path, base, compose, of, rows, sampled_as))
        return studies[0]

    def study() -> int:
        status = session.sweep(base, path, about, source)[0]
        if studies and status != INTERRUPTED and studies[0].ended_early:
            print(studies[0].ended_early)
        if status == INTERRUPTED or settings.validate is None:
            return status
        return max(status, _validated(path, settings.validate, base))

    finish(study, composed)


def _is_base_of(path: Path, base: Config) -> bool:
    """Whether the folder's configuration is `base`, but for what may change."""
    old = manifest.read_config(path / manifest.CONFIG)
    changed = manifest.differences(old, base.to_mapping())
    return old is not None and all(name in manifest.FREE for name, *_ in changed)


def _validated(path: Path, asked: Validate, base: Config) -> int:
    """Validate the study, which is over; the exit status."""
    print("\nvalidation")
    on = WorkerOptions(base.workers, base.fleet, base.ray_address)
    found = validate_trials(path, asked.top, asked.seeds, on)
    if found is None:
        return INTERRUPTED
    print(render(found))
    return found.status


def record_of(settings: Settings, params: Mapping[str, str], base: Config) -> dict[str, Any]:
    """What sweep.yaml keeps of a study: of it `GROWS` alone may change from one command on."""
    return {"kind": "study", "seeds": base.seeds, **_kept(settings), "params": dict(params)}


def _kept(settings: Settings) -> dict[str, Any]:
    return {name: value for name, value in asdict(settings).items() if name not in _NOT_KEPT}
