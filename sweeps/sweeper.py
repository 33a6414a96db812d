"""A study: from `hydra.sweeper` and a command line's sweeps to an Optuna study of one folder."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dqn.composer import Composer
from dqn.config import Config
from dqn.execution import session
from dqn.execution.session import Sweep
from dqn.execution.source import Source
from dqn.overrides import fixed
from dqn.results.folder import Folder
from dqn.status import INTERRUPTED
from dqn.traps import warn_of_traps
from sweeps.findings import told
from sweeps.launcher import finish, folder_of, keep_composed
from sweeps.objective import Objective
from sweeps.settings import Settings, Validate, refuse_unsound
from sweeps.space import Space, corners, written
from sweeps.study import Study
from sweeps.syntax import search_space
from sweeps.validate import Where, validated

GROWS = ("n_trials",)
# Where a study is, and what follows it, not what it is; a URL may hold a password.
_NOT_KEPT = ("name", "storage", "validate")


def search(loader: Any, composed: DictConfig, arguments: Sequence[str]) -> None:
    """Run the study that `arguments`, Hydra's task overrides, ask for; may raise `SystemExit`."""
    composer = Composer(loader, composed)
    overrides = composer.parser.parse_overrides(list(arguments))
    given = [override.input_line or "" for override in fixed(overrides)]

    def compose(texts: Sequence[str]):
        return composer.config([*given, *texts], remember=False)

    path = folder_of(composed)
    node: Any = OmegaConf.to_container(composed.hydra.sweeper, resolve=True)
    typed = {word.lstrip("+").partition("=")[0] for word in composed.hydra.overrides.hydra}
    settings = Settings.from_mapping(node, path.name, typed)
    base = compose([])
    space = search_space(overrides, node.get("params") or {}, compose, composer.parser)
    refuse_unsound(settings, space, base)
    warn_of_traps(corners(space, compose), of_all=True)
    objective = Objective(settings.objective, settings.aggregate)
    about = Sweep(
        record=record_of(settings, space, base),
        grows=GROWS,
        swept=tuple(space),
        configs=(base,),
        objective=settings.objective,
        over=objective.of_rows,
        ordered_by=objective.told,
    )

    def source(folder: Folder) -> Source:
        keep_composed(folder.path, composed)
        rows = {key: folder.row(*key) for key in folder.finished()}
        return Study(settings, space, path, base, compose, folder.identity or "", rows)

    def study() -> int:
        status = session.sweep(base, path, about, source)[0]
        if status == INTERRUPTED or settings.validate is None:
            return status
        return max(status, _validated(path, settings.validate, base))

    finish(study, composed)


def _validated(path: Path, asked: Validate, base: Config) -> int:
    """Validate the study, which is over; the exit status."""
    print("\nvalidation")
    on = Where(base.workers, base.fleet, base.ray_address)
    found = validated(path, asked.top, asked.seeds, on)
    if found is None:
        return INTERRUPTED
    print(told(found))
    return found.status


def record_of(settings: Settings, space: Space, base: Config) -> dict[str, Any]:
    """What sweep.yaml keeps of a study: of it `GROWS` alone may change from one command on."""
    kept = {name: value for name, value in asdict(settings).items() if name not in _NOT_KEPT}
    params = {name: written(distribution) for name, distribution in space.items()}
    return _plain({"kind": "study", "seeds": base.seeds, **kept, "params": params})


def _plain(value: Any) -> Any:
    """`value` in types that YAML has."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple | list) else value
