"""`python -m sweeps validate`: whether what a study claims holds on seeds that it never used.

A study's best trial is the best of many on the same few seeds, so part of its lead is luck (the
winner's curse). Seeds it was not chosen by tell which part.
"""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from dqn.config.config import choices_of
from dqn.runtime.exit_codes import INTERRUPTED
from sweeps.analysis.held_out import WorkerOptions, validate_trials
from sweeps.analysis.validation import render, to_plain

EXAMPLES = """\
examples
  python -m sweeps validate outputs/sweeps/a                        the 5 best, on 50 new seeds
  python -m sweeps validate outputs/sweeps/a --seeds 100            adds 50 seeds to these
  python -m sweeps validate outputs/sweeps/b --top 10 --json        again: goes on where it stopped
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `validate`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="of a grid or a study")
    add("--top", type=_at_least(1), default=5, metavar="K", help="trials, best first (default: 5)")
    add("--seeds", type=_at_least(2), default=50, metavar="N", help="new ones (default: 50)")
    add("--workers", type=_at_least(0), metavar="W", help="processes (default: as the study)")
    add("--fleet", choices=("processes", "ray"), default="processes", help="where they run")
    add("--ray-address", metavar="HOST:PORT", help="of a Ray cluster")
    add("--tracking", choices=choices_of("tracking"), help="a tracker of curves and results")


def validate(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Validate as asked for; status, text, plain values. Raises as `validate_trials`."""
    with contextlib.redirect_stdout(sys.stderr):
        on = WorkerOptions(args.workers, args.fleet, args.ray_address, args.tracking)
        found = validate_trials(args.folder, args.top, args.seeds, on)
    if found is None:
        return INTERRUPTED, "to resume: the same command", {"interrupted": True}
    return found.status, render(found), to_plain(found)


def _at_least(low: int):
    def whole(text: str) -> int:
        number = int(text)
        if number < low:
            raise argparse.ArgumentTypeError(f"must be a whole number >= {low}, got {text}")
        return number

    whole.__name__ = f"whole number >= {low}"  # argparse says it of what is no number
    return whole
