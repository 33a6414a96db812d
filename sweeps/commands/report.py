"""`python -m sweeps report`: what a run, a grid or a study says, on one page."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dqn.runtime.atomic_write import own_folder, replacing
from dqn.runtime.errors import RunError
from dqn.statistics.formatting import count
from dqn.statistics.metrics import METRICS
from dqn.storage.layout import refuse_other
from dqn.storage.ranking import task_folders
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

    `tell` is told each step.
    """
    # Plotly, Matplotlib and Optuna take seconds to import: after all that can be refused at once.
    from plotly.offline import get_plotlyjs

    from sweeps.report.data import report_data
    from sweeps.report.figures import draw
    from sweeps.report.headline import progress, summarise
    from sweeps.report.page import page
    from sweeps.report.sections import sections

    path, figures = args.folder / PAGE, args.folder / FOLDER
    refuse_other(path, b"<!doctype html>", b'href="data:,"')
    trials = len(results.rows)
    tell(f"working out what {count(trials, 'trial')} {'says' if trials == 1 else 'say'} ...")
    tasks = {task: results.of_task(task) for task in results.tasks}
    tasks = tasks if len(tasks) > 1 else {"": results}
    names = task_folders(tasks)
    found, written = {}, []
    # An earlier report drew what is there; before one, what is not marked is the user's.
    is_again = path.exists()
    try:
        for task, own in tasks.items():
            folder = own_folder(figures) / names[task] if task else figures
            data = report_data(own, args.metric or results.objective, folder)
            found[task] = data, summarise(data)
            for section in sections(data):
                title, prefix = section.title, ""
                if task:
                    title, prefix = f"{title} · {task}", f"{names[task]}-"
                written.append(replace(section, title=title, prefix=prefix))
        drawn = draw([figure for section in written for figure in section.figures], is_again, tell)
        tell("writing the page ...")
        name = results.path.name or results.path.resolve().name
        headline = "; ".join(top.headline for _, top in found.values())
        headers = [top for _, top in found.values()]
        text = page(f"{name}: {headline}", headers, written, get_plotlyjs() if drawn else "")
        with replacing(path) as temporary:
            temporary.write_text(finish(text), encoding="utf-8", errors="replace")
    except OSError as error:
        raise RunError(
            f"{args.folder}: must be writable, is not ({error.strerror or error}); make room or "
            "change its permissions"
        ) from error
    lines = []
    for task, (_, text) in found.items():
        message = [task, text.headline, text.progress, text.sureness, text.hyperparameters]
        lines += [*(line for line in message if line), ""]
    lines.append(f"written: {path}")
    lines += [f"{count(len(drawn), 'figure')}: {figures}"] * bool(drawn)
    have, asked = progress(next(iter(found.values()))[0].tables)
    plain = {task: _plain(data, top) for task, (data, top) in found.items()}
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
