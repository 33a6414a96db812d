"""`python -m sweeps report`: what a run, a grid or a study says, on one page."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dqn.runtime.atomic_write import own_folder, replacing
from dqn.runtime.errors import RunError
from dqn.statistics.formatting import count
from dqn.statistics.metrics import METRICS
from dqn.storage.layout import refuse_other
from dqn.storage.reader import Results, read
from dqn.terminal.console import steps

PAGE, FOLDER = "report.html", "figures"
EXAMPLES = """\
examples
  python -m sweeps report outputs/sweeps/a                         writes report.html and figures/
  python -m sweeps report outputs/sweeps/a --metric test_return    by another metric
  python -m sweeps report outputs/runs/a --json                    and prints the findings as JSON
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `report`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="of a run, a grid or a study")
    add(
        "--metric",
        choices=METRICS,
        help="to order and to judge by (default: the sweep's objective)",
    )


def report(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Write the page and the figures; status, what was found and where it is, plain values.

    Raises `UserError` for what is no folder of results or has nothing in it yet, `RunError` for a
    damaged table and where writing fails.
    """
    with steps() as tell:
        tell(f"reading {args.folder} ...")
        return report_on(args, read(args.folder), tell)


def report_on(
    args: argparse.Namespace,
    results: Results,
    tell: Callable[[str], None],
    finish: Callable[[str], str] = str,
) -> tuple[int, str, Any]:
    """The same of what was read already; `finish` gives the page as it is to be written.

    `tell` gets each step.
    """
    # What a report needs takes a second to import: after all that can be refused at once.
    from sweeps.report.build import build
    from sweeps.report.figures import draw, make_room
    from sweeps.report.headline import progress

    path, figures = args.folder / PAGE, args.folder / FOLDER
    refuse_other(path, b"<!doctype html>", b'href="data:,"')
    trials = len(results.rows)
    tell(f"working out what {count(trials, 'trial')} {'says' if trials == 1 else 'say'} ...")
    # An earlier report drew what is there; before one, what is not marked is the user's.
    is_again = path.exists()
    try:
        made = build(results, args.metric, figures)
        if made.figures:
            own_folder(figures)
            make_room(made.figures, is_again)
        with replacing(path) as temporary:
            temporary.write_text(finish(made.html), encoding="utf-8", errors="replace")
        drawn = draw(made.figures, tell)
    except OSError as error:
        raise RunError(
            f"{args.folder}: must be writable, is not ({error.strerror or error}); make room or "
            "change its permissions"
        ) from error
    lines = []
    for task, (_, text) in made.found.items():
        message = [task, text.headline, text.progress, text.sureness, text.hyperparameters]
        lines += [*(line for line in message if line), ""]
    lines.append(f"written: {path}")
    lines += [f"{count(len(drawn), 'figure')}: {figures}"] * bool(drawn)
    have, asked = progress(next(iter(made.found.values()))[0].tables)
    plain = {task: _plain(data, top) for task, (data, top) in made.found.items()}
    return 0, "\n".join(lines), {
        "report": str(path), "figures": [str(figure) for figure in drawn], "trials": have,
        "expected": asked, **({"tasks": plain} if len(plain) > 1 else plain[""]),
    }  # fmt: skip


def _plain(data: Any, summary: Any) -> dict[str, Any]:
    """What is found of one task, as plain values."""
    ranking = data.importance
    return {
        "metric": data.tables.metric, "headline": summary.headline,
        "sureness": summary.sureness, "hyperparameters": summary.hyperparameters,
        "best": data.best,
        "importance": [] if ranking is None else ranking.to_dict("records"),
    }  # fmt: skip
