"""What a grid or a study would train, for `--dry-run`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dqn.config import Config
from dqn.runtime.errors import RunError, UserError
from dqn.statistics.formatting import count
from dqn.storage.manifest import CONFIG
from dqn.storage.reader import read_so_far
from dqn.trained.dry_run import Plan, finished
from dqn.training.trial_source import Trial
from sweeps.analysis.held_out import FOLDER as VALIDATION
from sweeps.search.progress import over
from sweeps.search.samplers import sampling
from sweeps.search.settings import Settings
from sweeps.search.space import Space


def grid_plan(
    path: Path, base: Config, trials: Sequence[Trial], params: Mapping[str, Sequence[str]]
) -> Plan:
    """Of a grid: each of `trials` that is not the same as an earlier one."""
    there, notes = finished(path)
    own = [trial for trial in trials if trial.same_as is None]
    work = [
        (trial.config, float(sum((trial.number, seed) not in there for seed in trial.seeds)))
        for trial in own
    ]
    work = [(config, number) for config, number in work if number]
    if same := len(trials) - len(own):
        notes = [*notes, f"{count(same, 'trial')} of a configuration that is there already"]
    return Plan(
        f"a grid of {count(len(trials), 'trial')} of {count(base.seeds, 'seed')}",
        path,
        base,
        sum(len(trial.seeds) for trial in own),
        int(sum(number for _, number in work)),
        work,
        [trial.config for trial in own],
        {key: ", ".join(values) for key, values in params.items()},
        notes,
    )


def study_plan(
    path: Path,
    settings: Settings,
    space: Space,
    base: Config,
    configs: Sequence[Config],
    params: Mapping[str, str],
) -> Plan:
    """Of a study over `params`, written out; `configs` bound its `space`.

    What a race or a pruner leaves out is not known: of a race, it is what its share would leave.
    """
    limit = sampling(settings.sampler, space, base, settings.seed).limit
    trials = min(settings.n_trials, limit or settings.n_trials)
    there, notes = finished(path)
    open_trials = set(range(trials)) - _over(path)
    done = {n: sum(trial == n for trial, _ in there) for n in open_trials}
    each = _expected_seeds(settings, base)
    missing = sum(base.seeds - own for own in done.values())
    work = [(base, sum(max(0.0, each - own) for own in done.values()))]
    total, seeds = trials * base.seeds, count(base.seeds, "seed")
    if len(settings.racing or ()) > 1 and settings.racing:
        seeds = f"{settings.racing[0]} to {seeds}"
    title = f"a study of {count(trials, 'trial')} of {seeds}"
    if (asked := settings.validate) is not None:
        held = (min(asked.top, trials) + 1) * asked.seeds
        held_there, _ = finished(path / VALIDATION)
        left = max(0, held - len(held_there))
        total, missing = total + held, missing + left
        work.append((base, float(left)))
        title += f", and a validation of {count(held, 'training')}"
    if settings.pruner["_target_"] != "optuna.pruners.NopPruner":
        notes = [*notes, "what the pruner stops early is counted as a whole"]
    if settings.timeout is not None:
        notes = [*notes, f"one command stops after {settings.timeout:g} s, and the next resumes"]
    if settings.storage is not None:
        notes = [*notes, "hydra.sweeper.storage is not opened"]
    return Plan(title, path, base, total, missing, work, [base, *configs], params, notes)


def _over(path: Path) -> set[int]:
    """Numbers of the trials in a folder that are over."""
    if not (path / CONFIG).exists():
        return set()
    try:
        return over(read_so_far(path))
    except (UserError, RunError):
        return set()


def _expected_seeds(settings: Settings, base: Config) -> float:
    """Seeds of a trial on average, where each stage of a race keeps its share of the trials."""
    stages = settings.racing or (base.seeds,)
    added = [stage - before for before, stage in zip((0, *stages), stages, strict=False)]
    return sum(seeds * settings.racing_keep**stage for stage, seeds in enumerate(added))
