"""The front door to sweeps in Python: `sweeps.grid`, `sweeps.tune` and `sweeps.compare`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from dqn.api import folder_words, place
from dqn.compose.arguments import grammar_text
from dqn.compose.compose import composed_words
from dqn.compose.keywords import Keywords, words_of
from dqn.config.values import plain
from dqn.runtime.errors import UserError, must_be, only_for
from dqn.runtime.exit_codes import FAILED, INTERRUPTED, TIME_IS_UP
from dqn.runtime.notices import notice
from dqn.statistics.metrics import METRICS
from dqn.storage.layout import shown_path
from dqn.trained.python_calls import python_call
from dqn.trained.run import Run
from dqn.trained.views import stopped
from sweeps.analysis.candidates import Candidate, read_candidates
from sweeps.analysis.held_out import WorkerOptions, validate_trials
from sweeps.plugins.grid import PlannedSweep, grid_of
from sweeps.plugins.study import study_of
from sweeps.search.space_words import words_of_space
from sweeps.trained.comparison import Comparison, comparison_of
from sweeps.trained.sweep import Sweep

_SETTINGS = (
    "seed", "storage", "objective", "aggregate", "racing", "racing_keep", "rungs", "parallel",
    "timeout", "validate",
)  # fmt: skip
"""Keywords that are settings of `hydra.sweeper`."""
_RESUMES = "the same call trains the rest"
_SWEEPER = "hydra.sweeper."


class StudyKeywords(Keywords, total=False):
    """The settings of a study, beside every key and group of a configuration."""

    seed: int
    storage: str | None
    objective: str
    aggregate: str
    racing: Sequence[int] | None
    racing_keep: float
    rungs: Sequence[float]
    parallel: int | None
    timeout: float | None
    validate: Mapping[str, int] | None


def grid(
    values: Mapping[str, Any] | None = None,
    /,
    *,
    name: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **keywords: Unpack[Keywords],
) -> Sweep:
    """Train every combination of `values`, each with the same seeds.

    `values` has lists by key: `{"lr": [1e-4, 1e-3], "hidden": [[32, 32], [64, 64]]}`, also arrays
    and ranges; `{"env": ["cartpole_v1", "acrobot"]}` is a sweep over tasks. Keywords are what all
    trials share; `sweep="lr"` is a grid of conf/sweep. `name`, `folder`, `progress`, resuming and
    errors are as of `dqn.train`: the results are in outputs/sweeps/NAME.

    >>> import sweeps
    >>> sweep = sweeps.grid({"lr": [1e-3, 1e-2]}, hidden=[16], episodes=20, seeds=2, name="grid",
    ...                     progress=False)
    >>> len(sweep.trials), len(sweep.seeds)
    (2, 4)
    """
    words = [
        *words_of_space(values or {}, is_grid=True),
        *words_of({**keywords, **place(name, folder)}),
    ]
    words += folder_words(folder, "hydra.sweep.dir")
    with python_call(progress), composed_words(words, many=True) as command:
        if command.is_study:
            raise only_for("sweeps.grid", "grids", "write sweeps.tune for a study", words)
        planned = grid_of(command.composer, command.composer.jobs(), command.folder)
        _train(planned)
    return Sweep(command.folder)


def tune(
    space: Mapping[str, Any] | None = None,
    /,
    *,
    trials: int | None = None,
    sampler: str | None = None,
    pruner: str | None = None,
    name: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **keywords: Unpack[StudyKeywords],
) -> Sweep:
    """Search `space` with an Optuna study of so many `trials` (by default 100).

    `space` has by key an interval (`sweeps.log(1e-4, 1e-2)`, `sweeps.uniform(0.9, 0.999)`), a
    `range` of whole numbers, a list to choose from, or a text as on the command line; a key with
    one value is not searched. `sampler` is tpe (the default), random, grid, qmc, one_at_a_time,
    cmaes or gp, `pruner` none (the default), median, hyperband or wilcoxon. The other settings of
    `hydra.sweeper` are keywords (`objective`, `aggregate`, `racing=[3, 10]`, `rungs`, `parallel`,
    `seed` of the sampler, `storage`, `timeout` in seconds, `validate={"top": 5, "seeds": 50}`), and
    so is every key that all trials share; a setting of the sampler is
    `**{"hydra.sweeper.sampler.n_startup_trials": 5}`.
    `sweep="tune"` or `sweep="influence"` is a study of conf/sweep.

    `name`, `folder`, `progress`, resuming and errors are as of `dqn.train`: the results are in
    outputs/sweeps/NAME, and the same call with more `trials` goes on.

    >>> import sweeps
    >>> study = sweeps.tune({"lr": sweeps.log(1e-4, 1e-2), "hidden": [[8], [16]]}, trials=3,
    ...                     episodes=10, seeds=2, name="mine", progress=False)
    >>> len(study.trials), study.kind
    (3, 'study')
    """
    if not space and not keywords.get("sweep"):
        example = '{"lr": sweeps.log(1e-4, 1e-2)}'
        raise must_be("the space", "of at least one key", "none", example=example, value=space)
    given = {key: value for key, value in keywords.items() if key in _SETTINGS}
    given |= {} if trials is None else {"n_trials": trials}
    shared = {key: value for key, value in keywords.items() if key not in _SETTINGS}
    parts = {"hydra/sweeper/sampler": sampler, "hydra/sweeper/pruner": pruner}
    words = [] if shared.get("sweep") else ["hydra/sweeper=optuna"]
    words += words_of({key: value for key, value in parts.items() if value is not None})
    words += [f"{_SWEEPER}{key}={grammar_text(plain(value))}" for key, value in given.items()]
    words += words_of_space(space or {}, is_grid=False)
    words += words_of({**shared, **place(name, folder)})
    words += folder_words(folder, "hydra.sweep.dir")
    with _own_words(), python_call(progress), composed_words(words, many=True) as command:
        if not command.is_study:
            raise only_for("sweeps.tune", "studies", "write sweeps.grid for a grid", words)
        task = list(command.composer.composed.hydra.overrides.task)
        study = study_of(command.composer, task, command.folder)
        is_over = _train(study.sweep)
        if line := study.ended_early():
            notice(line)
        if is_over and (asked := study.validate) is not None:
            base, limit = study.sweep.base, study.sweep.about.limit
            on = WorkerOptions(base.workers, base.fleet, base.ray_address, base.tracking)
            if validate_trials(command.folder, asked.top, asked.seeds, on, limit, _ignore) is None:
                if not limit.is_over:
                    raise stopped(command.folder, "trainings on new seeds")
                notice(f"time is up; {_RESUMES}")
    return Sweep(command.folder)


def compare(
    *what: Run | Sweep | str | os.PathLike[str], metric: str = "mean_return", anyway: bool = False
) -> Comparison:
    """Runs, trials and the best trials of sweeps side by side, as a table of pandas.

    Each is a `Run`, a `Sweep` (its best trial), a folder, or DIR:TRIAL. Its `plot.curves()` and
    `plot.profiles()` draw them. `metric` is what the first is compared with the others by. Raises
    `UserError` where task or budget differ, unless they are to be compared `anyway`.

    >>> import sweeps
    >>> table = sweeps.compare("outputs/sweeps/grid:0", "outputs/sweeps/grid:1")
    >>> table[["lr", "seeds"]]
               lr  seeds
    grid:0  0.001      2
    grid:1  0.010      2
    """
    if not what:
        raise must_be("what is compared", "at least one run", "none", "name a run, or its folder")
    if metric not in METRICS:
        raise must_be("metric", f"one of {', '.join(METRICS)}", metric)
    with python_call():
        return comparison_of(_named([_address(one) for one in what]), metric, anyway)


def _named(addresses: Sequence[str]) -> list[Candidate]:
    """The candidates; where names are alike, by paths as they are written from here."""
    found = read_candidates(addresses)
    return [replace(one, name=shown_path(Path(one.name))) if "/" in one.name else one
            for one in found]  # fmt: skip


def _address(one: Any) -> str:
    if isinstance(one, Run):
        return one.address
    if isinstance(one, Sweep):
        return one.best.address
    if isinstance(one, str | os.PathLike):
        return os.fspath(one)
    got = type(one).__name__
    raise must_be("what is compared", "a Run, a Sweep or a folder", got, "name its folder")


def _train(planned: PlannedSweep) -> bool:
    """Train it, to the end or until time is up; that and failures are said, Ctrl-C raised again."""
    status = planned.train(_ignore)
    if status == INTERRUPTED:
        raise stopped(planned.path, "trainings")
    if status == FAILED:
        notice(f"some trials failed: .trials has their status, and {_RESUMES}")
    if status == TIME_IS_UP:
        notice(f"time is up: .trials has what is trained, and {_RESUMES}")
    return status != TIME_IS_UP


@contextmanager
def _own_words() -> Iterator[None]:
    """Have a refusal name keywords, where it names settings of `hydra.sweeper`."""
    try:
        yield
    except UserError as error:
        text, key = (
            said.replace(f"{_SWEEPER}n_trials", "trials").replace(_SWEEPER, "")
            for said in (str(error).replace("hydra/sweeper/", ""), error.key)
        )
        raise UserError(text, key, error.value) from error


def _ignore(text: str) -> None:
    """What a command line prints in the end: an object says it."""
