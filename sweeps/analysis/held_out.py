"""The best trials trained again on seeds that their study never used, beside the exercise."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from dqn.config import Config
from dqn.config.config import INT_BOUND
from dqn.runtime.errors import RunError, UserError
from dqn.runtime.exit_codes import INTERRUPTED, TIME_IS_UP
from dqn.statistics.formatting import count
from dqn.storage import manifest
from dqn.storage.columns import config_of
from dqn.storage.identity import identity_of
from dqn.storage.layout import refuse_other
from dqn.storage.reader import Results, read
from dqn.storage.results_dir import ResultsDir
from dqn.storage.trials import BASELINE, EXERCISE
from dqn.training.time_limit import TimeLimit
from sweeps.analysis.candidates import changes, terms_of
from sweeps.analysis.objective import Objective, objective_of
from sweeps.analysis.validation import (
    PRESET,
    TABLE,
    Validation,
    title,
    validated_trials,
    write_table,
)

FOLDER = "validation"


class WorkerOptions(NamedTuple):
    """Keys that a stranger's folder does not decide, but for `workers`: None is the study's."""

    workers: int | str | None = None
    fleet: str = "processes"
    ray_address: str | None = None
    tracking: str | None = None


def validate_trials(
    path: Path,
    top: int,
    seeds: int,
    on: WorkerOptions,
    limit: TimeLimit | None = None,
    say: Callable[[str], None] | None = None,
) -> Validation | None:
    """Train the `top` best trials of the sweep in `path` and the exercise on `seeds` new seeds.

    Best is what the sweep itself was after. What was trained on those seeds before is not trained
    again. Writes validation.csv and recommended.yaml; None if it was stopped by Ctrl-C or
    `limit`, and the same call resumes. `say` gets what is printed otherwise.

    Raises `UserError` for what cannot be validated, `RunError` where writing or reading fails.
    """
    results = read(path)
    if results.sweep is None:
        raise UserError(f"{path}: must hold a grid or a study, holds a run; name another")
    if len(results.tasks) > 1:
        raise UserError(
            f"{path}: trials must be of one task to be validated, got {', '.join(results.tasks)}; "
            f"search one task at a time, or use compare"
        )
    refuse_other(path / TABLE, b"metric,aggregate,trial,")
    refuse_other(path / PRESET, b"# @package _global_")
    objective = objective_of(results)
    base = _base(results, seeds, on)
    configs = {EXERCISE: base, **_best(results, objective, base, top)}
    first = (manifest.read_config(path / FOLDER / manifest.CONFIG) or {}).get("first_seed")
    if first not in (None, base.first_seed):
        raise UserError(
            f"{path / FOLDER}: must begin with seed {base.first_seed}, the first that the study "
            f"has not used, begins with {first}; move it away"
        )
    status = _train(base, path / FOLDER, configs, objective, limit or TimeLimit(), say)
    if status in (INTERRUPTED, TIME_IS_UP):
        return None
    held = _held(path / FOLDER, base, configs, objective)
    chosen = [trial for trial in configs if trial != EXERCISE]
    found = Validation(results, held, validated_trials(results, chosen, held), status)
    try:
        write_table(path / TABLE, found)
        if (winner := found.winner) is not None:
            manifest.write_preset(path / PRESET, configs[winner.trial], title(found, winner))
    except OSError as error:
        raise RunError(f"{path}: writing failed ({error.strerror or error})") from error
    return found


def _base(results: Results, seeds: int, on: WorkerOptions) -> Config:
    """The baseline, in the study's environment and budget, with the seeds that come after it."""
    study = results.base
    used = [study.first_seed + study.seeds - 1]
    used += [int(row["seed"] or 0) for rows in results.rows.values() for row in rows]
    first = max(used) + 1
    if first + seeds > INT_BOUND:
        raise UserError(f"the new seeds must stay below 2^31, got {seeds} of them; write fewer")
    return Config(
        env=study.env, episodes=study.episodes, steps=study.steps, seeds=seeds,
        first_seed=first, test_episodes=study.test_episodes,
        fleet=on.fleet, ray_address=on.ray_address, tracking=on.tracking,
        workers=study.workers if on.workers is None else on.workers,
    )  # fmt: skip


def _best(results: Results, objective: Objective, base: Config, top: int) -> dict[int, Config]:
    """The `top` best configurations by the number of each one's best trial, best first.

    With the new seeds; refused in another task or budget.
    """
    kept = ("seeds", "first_seed", "test_episodes", *WorkerOptions._fields)
    changed: dict[str, Any] = {name: getattr(base, name) for name in kept}
    chosen: dict[str, tuple[int, Config]] = {}
    for trial in results.ranked(objective.of_rows):
        if len(chosen) == top:
            break
        config = replace(results.config(trial), name=None, **changed)
        for key, value in terms_of(config).items():
            if value != terms_of(base)[key]:
                raise UserError(
                    f"{results.path}: trials must share task and budget to be validated, trial "
                    f"{trial} has another {key} than the study's; give --top less, or use compare"
                )
        # An earlier version trained the same configuration again and again.
        chosen.setdefault(identity_of(config), (trial, config))
    return dict(chosen.values())


def _held(path: Path, base: Config, trials: Iterable[int], objective: Objective) -> Results:
    """What was trained of these trials, on the seeds of `base`; there may be more."""
    held = read(path)
    seeds = range(base.first_seed, base.first_seed + base.seeds)
    rows = {
        n: [{**row, "trial": n} for row in held.trial(n) if row["seed"] in seeds] for n in trials
    }
    return replace(held, base=base, rows=rows, sweep=_record(objective))


def _record(objective: Objective) -> dict[str, Any]:
    """What a validation's sweep.yaml says: how its trials are ranked is the study's way."""
    return {"kind": FOLDER, "objective": objective.metric, "aggregate": objective.aggregate}


def _train(
    base: Config,
    path: Path,
    configs: Mapping[int, Config],
    objective: Objective,
    limit: TimeLimit,
    say: Callable[[str], None] | None,
) -> int:
    """Train what is missing; the exit status."""
    from dqn import session
    from dqn.training.trial_source import FixedTrials, Trial

    seeds = tuple(range(base.first_seed, base.first_seed + base.seeds))
    record, old = _record(objective), manifest.read_sweep(path / manifest.SWEEP)
    spec = session.SweepSpec(
        # Folders of older versions do not have all of it.
        record={key: value for key, value in record.items() if old is None or key in old},
        growable_keys=(),
        swept=tuple(changes([config.to_mapping() for config in configs.values()])),
        configs=tuple(dict.fromkeys(configs.values())),
        objective=objective.metric,
        over=objective.of_rows,
        ordered_by=objective.label,
        trials=tuple(configs),
        unless_warned=True,
        limit=limit,
    )

    def source(folder: ResultsDir) -> FixedTrials:
        twins = _twins(folder, base, configs)
        trained = {twins.get(trial, trial): config for trial, config in configs.items()}
        trials = [Trial(trial, trained[trial], seeds) for trial in sorted(trained)]
        same = [Trial(trial, configs[trial], (), twins[trial]) for trial in sorted(twins)]
        return FixedTrials([*trials, *same])

    planned = (base, path, spec, source)
    if say is not None:
        return session.sweep(*planned, say=say)[0]
    print(f"{count(len(configs) - 1, 'trial')} and the {BASELINE}, on {base.seeds} new seeds")
    return session.sweep(*planned)[0]


def _twins(folder: ResultsDir, base: Config, configs: Mapping[int, Config]) -> dict[int, int]:
    """For each trial whose configuration is trained as another one, or was, that other.

    Raises `UserError` where a trial has rows of another configuration than it is to have.
    """
    trained: dict[str, int] = {}
    for trial in sorted({int(number) for number in folder.rows()["trial"]}):
        for config in (config_of(row, base) for row in folder.rows_of(trial)):
            if trial in configs and identity_of(config) != identity_of(configs[trial]):
                key, *_ = changes([config.to_mapping(), configs[trial].to_mapping()])
                raise UserError(
                    f"{folder.path}: must be of this study, but its trial {trial} was trained with "
                    f"another {key} than the study's has; move it away"
                )
            trained.setdefault(identity_of(config), trial)
    twins = {}
    for trial, config in sorted(configs.items()):
        first = trained.setdefault(identity_of(config), trial)
        if first != trial and not folder.rows_of(trial):
            twins[trial] = first
    return twins
