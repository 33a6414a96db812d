"""`python -m sweeps reproduce`: one row of seeds.csv, trained again from what is on record."""

import argparse
import math
from pathlib import Path
from typing import Any

from dqn.envs import is_compiled
from dqn.runtime import machine
from dqn.runtime.exit_codes import FAILED
from dqn.statistics.metrics import METRICS
from dqn.storage import components, machines
from dqn.storage.columns import Cell
from dqn.storage.reader import read
from dqn.terminal.tables import as_text, table
from dqn.trained.again import is_same, recorded, train_again

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
    what, old = f"trial {args.trial} seed {args.seed}", recorded(results, args.trial, args.seed)
    config = results.config(args.trial)
    changed = components.changed(args.folder, config)
    new, _ = train_again(results, args.trial, args.seed)
    machine_changed = _moved(args.folder)
    moved = [*machine_changed, *changed]
    starts = "" if is_compiled(config.env) else _other_starts(args.folder)
    pairs = {name: (old[name], new[name]) for name in old if name not in _NOT_OF_THE_TRAINING}
    # To the last bit: the text of a number in seeds.csv gives the number back.
    differ = {name: pair for name, pair in pairs.items() if not is_same(*pair)}
    close = all(
        name in METRICS and _close(*pair, args.tolerance)
        for name, pair in differ.items()
        if name not in ("steps", "episodes")
    )
    status = FAILED if differ and not (moved and close) else 0
    lines = [f"not as on record: {change}" for change in moved]
    if differ:
        rows = [
            [name, *("-" if cell is None else str(cell) for cell in pair)]
            for name, pair in differ.items()
        ]
        lines += [*filter(None, [starts]), as_text(table(["", "on record", "trained again"], rows))]
        verdict = (
            f"{'is' if close else 'is not'} within {args.tolerance:g} of the metrics on record"
        )
        same = "is NOT the same, though machine and versions are those on record"
        lines.append(f"{what} {verdict if moved else same}")
    else:
        lines.append(f"{what} is bit-identical: every column of its row but seconds is the same")
    return status, "\n".join(lines), {
        "trial": args.trial, "seed": args.seed, "identical": not differ,
        "machine_changed": machine_changed, "components_changed": changed,
        "within_tolerance": close, "tolerance": args.tolerance,
        "starts_changed": bool(starts and differ),
        "differ": {name: list(pair) for name, pair in differ.items()},
    }  # fmt: skip


def _moved(folder: Path) -> list[str]:
    """What is not as on record; a folder that several machines wrote to cannot say which row."""
    known = machines.read(folder)
    if not known:
        return ["no machine is on record"]
    several = [f"{len(known)} machines or versions are on record"] * (len(known) > 1)
    return [*several, *machines.changed(known[0], machine.describe())]


def _other_starts(folder: Path) -> str:
    """Why episodes of an environment stepped in Python may have begun elsewhere; "" if they do not.

    A folder without a version on record is older than that file.
    """
    versions = [entry.get("versions") for entry in machines.read(folder)] or [{}]
    if not any(isinstance(v, dict) and v.get("dqn-study", OLDEST) == OLDEST for v in versions):
        return ""
    return (
        f"its starts were others: version {OLDEST} gave an environment's reset seeds of 32 bits, "
        "since then they have 31"
    )


def _close(a: Cell, b: Cell, tolerance: float) -> bool:
    if a is None or b is None:
        return a == b
    return math.isclose(float(a), float(b), rel_tol=max(0.0, tolerance))
