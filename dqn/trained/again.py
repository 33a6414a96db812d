"""One training of a folder, trained again in this process from what is on record: the same bits."""

import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from dqn.runtime import compile_cache
from dqn.runtime.errors import UserError
from dqn.storage.best_weights import Best
from dqn.storage.columns import Cell, Row
from dqn.storage.reader import Results
from dqn.storage.results_dir import ResultsDir
from dqn.terminal.progress import RunProgress
from dqn.training.own_components import refuse_config
from dqn.training.scheduler import Scheduler
from dqn.training.trial_source import FixedTrials, Trial
from dqn.workers.pool import InProcessPool

_SHOWN = 8  # seeds in a message


def recorded(results: Results, trial: int, seed: int) -> Row:
    """The row of a training that can be trained again.

    Raises `UserError` for one that is not there, or did not train to its own end.
    """
    rows = results.trial(trial)
    row = next((row for row in rows if row["seed"] == seed), None)
    if row is None:
        seeds = ", ".join(str(row["seed"]) for row in rows[:_SHOWN])
        more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        raise UserError(
            f"{results.path}: trial {trial} must have seed {seed}, has {seeds}{more}", "seed", seed
        )
    if row["status"] in ("pruned", "failed"):
        raise UserError(
            f"{results.path}: trial {trial} seed {seed} must be done or diverged, is "
            f"{row['status']}: what ended it was not its own; choose another row",
            "seed",
            seed,
        )
    return row


def train_again(results: Results, trial: int, seed: int) -> tuple[Row, Best | None]:
    """The row of a training, trained anew, and its network, if it has one; raises as `recorded`."""
    swept = [name for name in recorded(results, trial, seed) if name.startswith("env.")]
    own: Any = {"workers": 0, "fleet": "processes"}
    own |= dict.fromkeys(("ray_address", "tracking", "name"))
    config = replace(results.config(trial), seeds=1, first_seed=seed, **own)
    refuse_config(config)
    compile_cache.prepare()
    with (
        tempfile.TemporaryDirectory() as place,
        ResultsDir(Path(place), config, swept=swept) as folder,
        RunProgress([seed], config) as view,
    ):
        source = FixedTrials([Trial(0, config, (seed,))])
        Scheduler(source, folder, InProcessPool(), view).run(threading.Event())
        return folder.row(0, seed), folder.best(0)


def is_same(one: Cell, other: Cell) -> bool:
    """Whether two cells are equal to the last bit: a number's text gives the number back."""
    return type(one) is type(other) and one == other
