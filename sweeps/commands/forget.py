"""`python -m sweeps forget`: trainings removed, so that the same command trains them again."""

import argparse
from pathlib import Path
from typing import Any

from dqn.runtime.errors import UserError
from dqn.statistics.formatting import count
from dqn.storage.reader import read
from dqn.storage.results_dir import ResultsDir
from sweeps.analysis.objective import objective_of

EXAMPLES = """\
examples
  python -m sweeps forget outputs/runs/a --seed 3
  python -m sweeps forget outputs/sweeps/a --trial 17 --seed 0 1 2
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `forget`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="of results")
    add("--trial", type=int, default=0, metavar="T", help="its number (default: 0, a run's)")
    add("--seed", type=int, nargs="+", required=True, metavar="S", help="of the trainings")


def forget(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Remove rows, episodes and weights of trainings; status, text, plain values.

    Raises `UserError` where one is not there, and where another process writes to the folder.
    """
    results = read(args.folder)
    there = {row["seed"] for row in results.rows.get(args.trial, ())}
    for seed in args.seed:
        if seed not in there:
            same = results.same_as.get(args.trial)
            hint = f": it is the same as trial {same}" if same is not None else ""
            raise UserError(
                f"{args.folder}: trial {args.trial} must have a row of seed {seed} in seeds.csv, "
                f"has none{hint}"
            )
    record = None
    if results.sweep is not None:
        record = {name: value for name, value in results.sweep.items() if name != "identity"}
    objective = objective_of(results)
    keys = {(args.trial, seed) for seed in args.seed}
    with ResultsDir(
        args.folder,
        results.base,
        record,
        objective=objective.metric,
        over=None if (record or {}).get("kind", "grid") == "grid" else objective.of_rows,
    ) as folder:
        folder.forget(keys)
    text = f"{count(len(keys), 'training')} of trial {args.trial} forgotten; "
    text += "the command that made this folder trains them again"
    return 0, text, {"folder": str(args.folder), "trial": args.trial, "seeds": sorted(args.seed)}
