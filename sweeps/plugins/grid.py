"""A grid: every job of Hydra's basic sweeper as a trial of one folder.

Jobs are numbered once and for all, however the command is written later: sweep.yaml has `params`,
the keys and groups that differ between jobs with their values, and trial n is the n-th point of
their product, in the order in which the folder has them.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from dqn import session
from dqn.compose.fast_compose import Composer
from dqn.compose.hydra_errors import one_line
from dqn.compose.overrides import refuse_run_keys
from dqn.compose.record import keep_composed
from dqn.compose.resume_command import resume_command
from dqn.config import Config
from dqn.config.components import COMPONENTS, path_of
from dqn.config.config import KEYS
from dqn.config.fields import validate
from dqn.runtime.errors import UserError
from dqn.runtime.exit_codes import INTERRUPTED, TIME_IS_UP, exit_code
from dqn.session import SweepSpec
from dqn.storage import manifest
from dqn.storage.columns import differing_env
from dqn.storage.identity import identity_of, text_of
from dqn.storage.manifest import SWEEP, read_sweep
from dqn.storage.results_dir import ResultsDir
from dqn.trained.dry_run import Plan, is_dry_run, show
from dqn.training.trial_source import FixedTrials, Trial, TrialSource
from sweeps.plugins.older_results import add_columns

Job = Sequence[str]
"""Its overrides."""

Meaning = Callable[[str, str], str]
"""What a key's text says, as text that is the same for all ways to write it."""


class PlannedSweep(NamedTuple):
    """What `dqn.session.sweep` takes: a sweep that is checked, of which nothing is written yet."""

    base: Config
    path: Path
    about: SweepSpec
    source: Callable[[ResultsDir], TrialSource]
    plan: Callable[[], Plan]
    """What it would train, for `--dry-run`."""

    def train(self, say: Callable[[str], None] = print) -> int:
        """Train it; the exit status. Raises as `dqn.session.sweep`."""
        return session.sweep(self.base, self.path, self.about, self.source, say)[0]


def launch(loader: Any, composed: DictConfig, jobs: Sequence[Job]) -> None:
    """Train `jobs`, the overrides of each; raises `SystemExit` with a status other than 0."""
    grid = grid_of(Composer(loader, composed), jobs, folder_of(composed))
    if is_dry_run():
        show(grid.plan())
    else:
        finish(grid.train, composed)


def grid_of(composer: Composer, jobs: Sequence[Job], path: Path) -> PlannedSweep:
    """The grid of `jobs`, the overrides of each, into the folder `path`; raises `UserError`."""
    composed = composer.composed
    params, meaning = varied(jobs), meaning_by(composer.parser)
    known = begun(path, "grid")
    with one_line():
        is_known = bool(known) and same_params(meaning, known["params"], params)
        params = known["params"] if is_known else params
        jobs = in_order(jobs, params, meaning)
        base = _base_of(composer, jobs[0], params)
        seeds = tuple(range(base.first_seed, base.first_seed + base.seeds))
        trials = trials_of(jobs, composer.config, seeds)
    refuse_run_keys(base, [(f"trial {trial.number}", trial.config) for trial in trials])
    configs = tuple(dict.fromkeys(trial.config for trial in trials))
    record = {"kind": "grid", "seeds": base.seeds, "params": params}
    growable = ("seeds",) if base.seeds >= known.get("seeds", 0) else ()
    swept = tuple(params) if "env" in params else (*params, *differing_env((base, *configs)))
    if is_dry_run():
        from sweeps.plugins.planned import grid_plan  # with Optuna, for the plan of a study

        manifest.check_or_write(path, base, record, growable, is_dry=True)
    elif is_known:
        add_columns(path, base, swept, lambda: {trial.number: trial.config for trial in trials})
    about = SweepSpec(
        record=record,
        growable_keys=growable,
        swept=swept,
        configs=configs,
    )

    def source(folder: ResultsDir) -> TrialSource:
        keep_composed(folder.path, composed)
        return FixedTrials(trials)

    def plan() -> Plan:
        return grid_plan(path, base, trials, params)

    return PlannedSweep(base, path, about, source, plan)


def _base_of(composer: Composer, job: Job, params: Mapping[str, Any]) -> Config:
    """What the values of a grid replace; its first job, where that is nothing by itself."""
    own = [text for text in job if text.partition("=")[0].lstrip("+") not in params]
    try:
        return composer.config(own)
    except UserError:  # env=gymnasium, and the grid is over env.id
        return composer.config(job)


def varied(jobs: Sequence[Job]) -> dict[str, list[str]]:
    """The keys and groups that differ between jobs, each with its values in order.

    Of a key that a job sets twice the last value counts, as for Hydra.
    """
    values: dict[str, dict[str, None]] = {}
    for job in jobs:
        for name, value in dict(map(_split, job)).items():
            values.setdefault(name, {})[value] = None
    return {name: list(each) for name, each in values.items() if len(each) > 1}


def meaning_by(parser: OverridesParser) -> Meaning:
    """The meaning of values that `parser` reads."""

    @functools.cache
    def meaning(name: str, text: str) -> str:
        (override,) = parser.parse_overrides([f"{name}={text}"])
        value: Any = override.value()
        if name in KEYS and "${" not in str(value):  # of another key, or a variable
            value = validate(name, KEYS[name], value)
        return text_of(value)

    return meaning


def same_params(meaning: Meaning, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two records' `params` span the same points, in any order and however written."""
    spans = [
        {name: {meaning(name, str(value)) for value in values} for name, values in params.items()}
        for params in (one, other)
    ]
    return spans[0] == spans[1]


def in_order(jobs: Sequence[Job], params: Mapping[str, Any], meaning: Meaning) -> list[Job]:
    """The jobs in the order of their numbers: that of the product of `params`."""
    found: dict[tuple[str, ...], Job] = {}
    for job in jobs:
        values = dict(map(_split, job))
        found.setdefault(tuple(meaning(name, values[name]) for name in params), job)
    keys = [[meaning(name, value) for value in values] for name, values in params.items()]
    return [found[key] for key in itertools.product(*keys)]


def trials_of(
    jobs: Sequence[Job], config_of: Callable[[Job], Config], seeds: tuple[int, ...]
) -> list[Trial]:
    """A trial of each job; of jobs with one configuration only the first has seeds."""
    first: dict[str, int] = {}
    trials = []
    for number, config in enumerate(map(config_of, jobs)):
        original = first.setdefault(identity_of(config), number)
        is_own = original == number
        trials.append(Trial(number, config, seeds if is_own else (), None if is_own else original))
    return trials


def _split(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    name = name.lstrip("+")
    if name in COMPONENTS:  # as it is kept, whatever Hydra's grammar has around it
        value = path_of(name, value.replace("\\:", ":").strip("'\""))
    return name, value


def folder_of(composed: DictConfig) -> Path:
    """Where the results of a sweep go."""
    return Path(str(composed.hydra.sweep.dir)).absolute()


def begun(path: Path, kind: str) -> Mapping[str, Any]:
    """What sweep.yaml says of the grid, or study, that a folder has already; empty of no such."""
    sweep = read_sweep(path / SWEEP) or {}
    return sweep if sweep.get("kind") == kind and "params" in sweep else {}


def finish(call: Callable[[], int], composed: DictConfig) -> None:
    """Do it, say how to resume what was stopped, and end the process unless all went well.

    All went well where a limit of time stopped it, too.
    """
    status = exit_code(call)
    if status in (INTERRUPTED, TIME_IS_UP):
        print(f"to resume: {resume_command(composed.hydra)}")
    if status not in (0, TIME_IS_UP):
        raise SystemExit(status)
