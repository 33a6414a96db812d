"""A grid: every job of Hydra's basic sweeper as a trial of one folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dqn.composer import Composer, own_keys
from dqn.config import Config
from dqn.errors import UserError
from dqn.execution import session
from dqn.execution.session import Sweep
from dqn.execution.source import Fixed, Source, Trial
from dqn.program import again
from dqn.results.folder import Folder
from dqn.secrets import without_passwords
from dqn.status import INTERRUPTED, settled


def launch(loader: Any, composed: DictConfig, jobs: Sequence[Sequence[str]]) -> None:
    """Train `jobs`, the overrides of each; raises `SystemExit` with a status other than 0."""
    composer = Composer(loader, composed)
    configs = [composer.config(job) for job in jobs]
    params = varied(jobs)
    base = _base_of(composer, jobs[0], params)
    seeds = tuple(range(base.first_seed, base.first_seed + base.seeds))
    about = Sweep(
        record={"kind": "grid", "seeds": base.seeds, "params": params},
        grows=(),
        swept=tuple(params),
        configs=tuple(dict.fromkeys(configs)),
    )

    def source(folder: Folder) -> Source:
        keep_composed(folder.path, composed)
        return Fixed(Trial(number, config, seeds) for number, config in enumerate(configs))

    finish(lambda: session.sweep(base, folder_of(composed), about, source)[0], composed)


def varied(jobs: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """The keys and groups that differ between jobs, each with its values in order."""
    values: dict[str, dict[str, None]] = {}
    for job in jobs:
        for text in job:
            name, _, value = text.partition("=")
            values.setdefault(name.lstrip("+"), {})[value] = None
    return {name: list(met) for name, met in values.items() if len(met) > 1}


def _base_of(composer: Composer, job: Sequence[str], params: Mapping[str, Any]) -> Config:
    """What the values of a grid replace; its first job, where that is nothing by itself."""
    own = [text for text in job if text.partition("=")[0].lstrip("+") not in params]
    try:
        return composer.config(own)
    except UserError:  # env=gymnasium, and the grid is over env.id
        return composer.config(job)


def folder_of(composed: DictConfig) -> Path:
    """Where the results of a sweep go."""
    return Path(str(composed.hydra.sweep.dir)).absolute()


def keep_composed(path: Path, composed: DictConfig) -> None:
    """Keep what Hydra composed in .hydra/, as it does itself for a run; no password in it."""
    folder = path / ".hydra"
    folder.mkdir(exist_ok=True)
    kept = {
        "config.yaml": own_keys(composed),
        "hydra.yaml": OmegaConf.masked_copy(composed, ["hydra"]),
        "overrides.yaml": composed.hydra.overrides.task,
    }
    for name, node in kept.items():
        text = without_passwords(OmegaConf.to_yaml(node))
        (folder / name).write_text(text, encoding="utf-8")


def finish(call: Callable[[], int], composed: DictConfig) -> None:
    """Do it, and end the process unless all went well; say how to go on where it was stopped."""
    status = settled(call)
    if status == INTERRUPTED:
        print(f"to go on: {again(composed.hydra)}")
    if status:
        raise SystemExit(status)
