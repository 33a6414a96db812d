"""A study: from `hydra.sweeper` and a command line's sweeps to an Optuna study of one folder."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
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
from sweeps.plugins.grid import finish, folder_of, keep_composed
from sweeps.plugins.older_results import complete
from sweeps.search.options import options_of
from sweeps.search.recorded_study import recorded
from sweeps.search.settings import Settings, Validate, refuse_unsound
from sweeps.search.space import Space, Value, corners, overrides_of, written
from sweeps.search.space_parser import search_space
from sweeps.search.storage_url import open_storage
from sweeps.search.study import Study
from sweeps.search.study_lookup import open_file
from sweeps.search.study_storage import FILE
from sweeps.search.tasks import alternatives, refuse_tasks

GROWS = ("n_trials",)
# Where a study is, and what follows it, not what it is; a URL may hold a password.
_NOT_KEPT = ("name", "storage", "validate")


def search(loader: Any, composed: DictConfig, arguments: Sequence[str]) -> None:
    """Run the study that `arguments`, Hydra's task overrides, ask for; may raise `SystemExit`."""
    composer = Composer(loader, composed)
    overrides = composer.parser.parse_overrides(list(arguments))
    given = fixed(overrides)

    def compose(params: Mapping[str, Value]):
        texts = {name: value for name, value in params.items() if isinstance(value, str)}
        numbers = {name: v for name, v in params.items() if not isinstance(v, str)}
        return composer.sampled([*given, *overrides_of(texts)], numbers)

    path = folder_of(composed)
    node = settings_of(composed.hydra.sweeper)
    typed = {word.lstrip("+").partition("=")[0] for word in composed.hydra.overrides.hydra}
    settings = Settings.from_mapping(node, path.name, typed)
    base = compose({})
    space = search_space(overrides, node.get("params") or {}, compose, composer.parser)
    begun = _begun(path)
    known = recorded(
        space,
        begun.get("params"),
        lambda name, text: search_space([], {name: text}, compose, composer.parser)[name],
    )
    space = known.space
    refuse_unsound(settings, space, base)
    found = alternatives(space, compose)
    refuse_run_keys(base, [(" ".join(texts), config) for texts, config in found])
    refuse_tasks(settings, space, base, found)
    configs = [base, *(config for _, config in found)]
    objective = Objective(settings.objective, settings.aggregate)
    about = SweepSpec(
        record=record_of(settings, space, base) | {"params": known.params},
        growable_keys=GROWS,
        swept=(*space, *differing_env(configs)),
        configs=(base,),
        objective=settings.objective,
        over=objective.of_rows,
        ordered_by=objective.label,
        defaults=defaults_of(settings),
        corners=corners(space, compose),
    )

    if known.params == begun.get("params") and _is_base_of(path, base):
        url, file = settings.storage, path / FILE
        storage = partial(open_storage, url) if url else partial(open_file, file)
        if url or file.exists():
            complete(path, about.swept, base, compose, storage, begun["identity"])
    studies: list[Study] = []

    def source(folder: ResultsDir) -> TrialSource:
        keep_composed(folder.path, composed)
        rows = {
            (number, int(row["seed"] or 0)): row
            for number in sorted({int(n) for n in folder.rows()["trial"]})
            for row in folder.rows_of(number)
        }
        of = folder.identity or ""
        studies.append(
            Study(settings, space, path, base, compose, of, rows, sampled_as=known.sampled_as)
        )
        return studies[0]

    def study() -> int:
        status = session.sweep(base, path, about, source)[0]
        for why in (made.ended_early for made in studies if status != INTERRUPTED):
            if why:
                print(why)
        if status == INTERRUPTED or settings.validate is None:
            return status
        return max(status, _validated(path, settings.validate, base))

    finish(study, composed)


def _begun(path: Path) -> Mapping[str, Any]:
    """What sweep.yaml says of the study that is in the folder already; empty if there is none."""
    sweep = manifest.read_sweep(path / manifest.SWEEP) or {}
    return sweep if sweep.get("kind") == "study" else {}


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


def record_of(settings: Settings, space: Space, base: Config) -> dict[str, Any]:
    """What sweep.yaml keeps of a study: of it `GROWS` alone may change from one command on."""
    kept = {name: value for name, value in asdict(settings).items() if name not in _NOT_KEPT}
    params = {name: written(distribution) for name, distribution in space.items()}
    return _plain({"kind": "study", "seeds": base.seeds, **kept, "params": params})


def defaults_of(settings: Settings) -> dict[str, Any]:
    """What `record_of` says of a study like `settings` that sets nothing itself."""
    parts = {
        "sampler": options_of("sampler", settings.sampler["_target_"]),
        "pruner": options_of("pruner", settings.pruner["_target_"]),
    }
    kept = {name: value for name, value in asdict(Settings()).items() if name not in _NOT_KEPT}
    return _plain({**kept, **parts})


def _plain(value: Any) -> Any:
    """`value` in types that YAML has."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple | list) else value
