"""`python -m sweeps reproduce`: one row of seeds.csv, trained again from what is on record."""

import argparse
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dqn.config import Config
from dqn.envs import is_compiled
from dqn.runtime import machine
from dqn.runtime.errors import UserError
from dqn.runtime.exit_codes import FAILED
from dqn.statistics.metrics import METRICS
from dqn.storage import machines
from dqn.storage.columns import Cell, Row
from dqn.storage.reader import read
from dqn.terminal.tables import as_text
from sweeps.analysis.tables import table

EXAMPLES = """\
examples
  python -m sweeps reproduce outputs/sweeps/a --trial 17 --seed 3
  python -m sweeps reproduce outputs/runs/a --seed 0 --json
"""
OLDEST = "0.1.0"
_NOT_OF_THE_TRAINING = ("trial", "seconds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `reproduce`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="of results")
    add("--trial", type=int, default=0, metavar="T", help="its number (default: 0, a run's)")
    add("--seed", type=int, required=True, metavar="S", help="of the row")
    add("--tolerance", type=float, default=0.05, metavar="SHARE",
        help="on another machine or version: of each metric (default: 0.05)")  # fmt: skip


def reproduce(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Train the row again and compare; status (1 if it is not the same), text, plain values.

    On the machine and with the versions on record every column but `seconds` must be the same to
    the last bit. Elsewhere rounding differs and grows while a network learns: metrics are then
    compared within a share of their values. Raises `UserError` for a row that is not there or did
    not train to its own end.
    """
    results = read(args.folder)
    old = next((row for row in results.trial(args.trial) if row["seed"] == args.seed), None)
    if old is None:
        seeds = [row["seed"] for row in results.trial(args.trial)]
        raise UserError(
            f"{args.folder}: trial {args.trial} must have seed {args.seed}, has {_list(seeds)}"
        )
    if old["status"] in ("pruned", "failed"):
        raise UserError(
            f"{args.folder}: trial {args.trial} seed {args.seed} must be done or diverged, is "
            f"{old['status']}: what ended it was not its own; choose another row"
        )
    config = replace(
        results.config(args.trial),
        seeds=1,
        first_seed=args.seed,
        workers=0,
        fleet="processes",
        ray_address=None,
        name=None,
    )
    new = trained_again(config, tuple(name for name in old if name.startswith("env.")))
    moved = _moved(args.folder)
    starts = "" if is_compiled(config.env) else _other_starts(args.folder)
    differ = {
        name: (old[name], new[name])
        for name in old
        if name not in _NOT_OF_THE_TRAINING and not _same(old[name], new[name])
    }
    close = all(
        name in METRICS and _close(*pair, args.tolerance) for name, pair in differ.items()
        if name not in ("steps", "episodes")
    )  # fmt: skip
    status = FAILED if differ and not (moved and close) else 0
    text = "\n".join(_render(args, differ, moved, close, starts))
    return status, text, {
        "trial": args.trial, "seed": args.seed, "identical": not differ, "machine_changed": moved,
        "within_tolerance": close, "tolerance": args.tolerance,
        "starts_changed": bool(starts and differ),
        "differ": {name: list(pair) for name, pair in differ.items()},
    }  # fmt: skip


def trained_again(config: Config, swept: tuple[str, ...] = ()) -> Row:
    """The row of seeds.csv of the one seed of `config`, trained in this process."""
    from dqn.runtime import compile_cache
    from dqn.storage.results_dir import ResultsDir
    from dqn.terminal.run_progress import RunProgress
    from dqn.training.scheduler import Scheduler
    from dqn.training.trial_source import FixedTrials, Trial
    from dqn.workers.pool import InProcessPool

    compile_cache.prepare()
    seed = config.first_seed
    with (
        tempfile.TemporaryDirectory() as place,
        ResultsDir(Path(place), config, swept=swept) as folder,
        RunProgress([seed], config) as view,
    ):
        source = FixedTrials([Trial(0, config, (seed,))])
        Scheduler(source, folder, InProcessPool(), view).run(threading.Event())
        return folder.row(0, seed)


def _moved(folder: Path) -> list[str]:
    """What is not as on record; a folder that several machines wrote to cannot say which row."""
    known = machines.read(folder)
    if not known:
        return ["no machine is on record"]
    here = machine.describe()
    if len(known) > 1:
        return [
            f"{len(known)} machines or versions are on record",
            *machines.changed(known[0], here),
        ]
    return machines.changed(known[0], here)


def _other_starts(folder: Path) -> str:
    """Why episodes of an environment stepped in Python may have begun elsewhere; "" if they do not.

    A folder without a version on record is older than that file.
    """
    versions = [one.get("versions") for one in machines.read(folder)] or [{}]
    if not any(isinstance(v, dict) and v.get("dqn-study", OLDEST) == OLDEST for v in versions):
        return ""
    return (
        f"its starts were others: version {OLDEST} gave an environment's reset seeds of 32 bits, "
        "since then they have 31"
    )


def _render(
    args: argparse.Namespace, differ: dict[str, tuple[Cell, Cell]], moved: list[str], close: bool,
    starts: str,
) -> Iterator[str]:  # fmt: skip
    what = f"trial {args.trial} seed {args.seed}"
    yield from (f"not as on record: {change}" for change in moved)
    if not differ:
        yield f"{what} is bit-identical: every column of its row but seconds is the same"
        return
    if starts:
        yield starts
    made = table("", "on record", "trained again")
    for name, pair in differ.items():
        made.add_row(name, *("-" if cell is None else str(cell) for cell in pair))
    yield as_text(made).strip("\n")
    if not moved:
        yield f"{what} is NOT the same, though machine and versions are those on record"
    elif close:
        yield f"{what} is within {args.tolerance:g} of the metrics on record"
    else:
        yield f"{what} is not within {args.tolerance:g} of the metrics on record"


def _same(a: Cell, b: Cell) -> bool:
    """To the last bit: text of a number in seeds.csv gives the number back."""
    return type(a) is type(b) and a == b


def _close(a: Cell, b: Cell, tolerance: float) -> bool:
    if a is None or b is None:
        return a == b
    return abs(float(a) - float(b)) <= tolerance * max(abs(float(a)), abs(float(b)))


def _list(cells: list[Cell]) -> str:
    shown = ", ".join(str(cell) for cell in cells[:8])
    return f"{shown} and {len(cells) - 8} more" if len(cells) > 8 else shown
