"""A grid: every job of Hydra's basic sweeper as a trial of one folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dqn import session
from dqn.compose.fast_compose import Composer, own_keys
from dqn.compose.hydra_errors import one_line
from dqn.compose.overrides import refuse_run_keys
from dqn.compose.resume_command import resume_command
from dqn.config import Config
from dqn.runtime.errors import UserError
from dqn.runtime.exit_codes import INTERRUPTED, exit_code
from dqn.runtime.secrets import without_secrets
from dqn.session import SweepSpec
from dqn.storage.columns import differing_env
from dqn.storage.manifest import SWEEP, read_sweep
from dqn.storage.results_dir import ResultsDir
from dqn.training.trial_source import FixedTrials, TrialSource
from sweeps.plugins.grid_trials import Meaning, points, same_params, trials_of, varied
from sweeps.plugins.older_results import add_columns


def launch(loader: Any, composed: DictConfig, jobs: Sequence[Sequence[str]]) -> None:
    """Train `jobs`, the overrides of each; raises `SystemExit` with a status other than 0."""
    composer, path = Composer(loader, composed), folder_of(composed)
    params, meaning = varied(jobs), Meaning(composer.parser)
    known = _recorded(path)
    with one_line():
        is_known = known is not None and same_params(meaning, known["params"], params)
        params = known["params"] if known is not None and is_known else params
        found = points(jobs, params, meaning)
        base = _base_of(composer, found[0].job, params)
        seeds = tuple(range(base.first_seed, base.first_seed + base.seeds))
        trials = trials_of(found, composer.config, seeds)
    refuse_run_keys(base, [(f"trial {trial.number}", trial.config) for trial in trials])
    configs = tuple(dict.fromkeys(trial.config for trial in trials))
    swept = tuple(params) if "env" in params else (*params, *differing_env((base, *configs)))
    if is_known:
        add_columns(path, base, swept, {trial.number: trial.config for trial in trials})
    more_seeds = known is None or base.seeds >= known.get("seeds", 0)
    about = SweepSpec(
        record={"kind": "grid", "seeds": base.seeds, "params": params},
        growable_keys=("seeds",) if more_seeds else (),
        swept=swept,
        configs=configs,
    )

    def source(folder: ResultsDir) -> TrialSource:
        keep_composed(folder.path, composed)
        return FixedTrials(trials)

    finish(lambda: session.sweep(base, path, about, source)[0], composed)


def _recorded(path: Path) -> Mapping[str, Any] | None:
    """What sweep.yaml says of the grid in this folder, if there is one."""
    sweep = read_sweep(path / SWEEP)
    fits = sweep is not None and sweep.get("kind") == "grid" and "params" in sweep
    return sweep if fits else None


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
        message = without_secrets(OmegaConf.to_container(node, resolve=False))
        text = OmegaConf.to_yaml(OmegaConf.create(message))
        (folder / name).write_text(text, encoding="utf-8")


def finish(call: Callable[[], int], composed: DictConfig) -> None:
    """Call it, and end the process unless all went well; say how to resume it if it was stopped."""
    status = exit_code(call)
    if status == INTERRUPTED:
        print(f"to resume: {resume_command(composed.hydra)}")
    if status:
        raise SystemExit(status)
