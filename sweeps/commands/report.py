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
from dqn.storage.ranking import task_folders
from dqn.storage.reader import Results, read
from dqn.terminal.console import steps

PAGE = "report.html"
EXAMPLES = """\
examples
  python -m sweeps report outputs/sweeps/a                         writes report.html and figures/
  python -m sweeps report outputs/sweeps/a --metric test_return    by another metric
  python -m sweeps report outputs/runs/a --json                    and prints the answer as JSON
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
        return _report(args, read(args.folder), tell)


def _report(
    args: argparse.Namespace, results: Results, tell: Callable[[str], None]
) -> tuple[int, str, Any]:
    # Plotly, Matplotlib and Optuna take seconds to import: after all that can be refused at once.
    from plotly.offline import get_plotlyjs

    from sweeps.report.data import report_data
    from sweeps.report.figures import FOLDER, ReportFigures
    from sweeps.report.headline import progress, summarise
    from sweeps.report.page import of_task, page
    from sweeps.report.sections import sections, top

    one = len(results.rows) == 1
    refuse_other(args.folder / PAGE, b"<!doctype html>", b'href="data:,"')
    tell(f"working out what {count(len(results.rows), 'trial')} {'says' if one else 'say'} ...")
    path, figures = args.folder / PAGE, args.folder / FOLDER
    tasks = {task: results.of_task(task) for task in results.tasks}
    tasks = tasks if len(tasks) > 1 else {"": results}
    names = task_folders(tasks)
    words_said, above, below, drawn = [], [], [], []
    last = list(tasks.values())[-1]
    try:
        for task, own in tasks.items():
            data = report_data(own, args.metric or results.objective)
            found = summarise(data)
            where = own_folder(figures) / names[task] if task else figures
            pictures = ReportFigures(data, where, tell).draw()
            written = sections(data, pictures)
            if task:  # how to read it stands once, at the end
                *own_sections, reading = written
                written = [of_task(each, task, names[task]) for each in own_sections]
                written += [reading] * (own is last)
            words_said.append((task, data, found))
            above += top(data, found)
            below += written
            drawn += [str(where / f"{name}.png") for name in pictures]
        tell("writing the page ...")
        name = results.path.name or results.path.resolve().name
        headline = "; ".join(found.headline for *_, found in words_said)
        text = page(f"{name}: {headline}", above, below, get_plotlyjs() if drawn else "")
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise RunError(
            f"{args.folder}: must be writable, is not ({error.strerror or error}); make room or "
            "change its permissions"
        ) from error
    lines = []
    for task, _, found in words_said:
        message = [found.headline, found.progress, found.sureness, found.hyperparameters]
        lines += [*([task] * bool(task)), *(line for line in message if line), ""]
    lines.append(f"written: {path}")
    lines += [f"{count(len(drawn), 'figure')}: {figures}"] * bool(drawn)
    have, asked = progress(words_said[0][1].tables)
    plain = [_plain(data, found) for _, data, found in words_said]
    of_tasks = {"tasks": dict(zip(tasks, plain, strict=True))} if len(tasks) > 1 else plain[0]
    return 0, "\n".join(lines), {
        "report": str(path), "figures": drawn, "trials": have, "expected": asked, **of_tasks,
    }  # fmt: skip


def _plain(data: Any, found: Any) -> dict[str, Any]:
    """What is found of one task, as plain values."""
    ranking = data.importance
    return {
        "metric": data.tables.metric, "headline": found.headline,
        "sureness": found.sureness, "hyperparameters": found.hyperparameters, "best": data.best,
        "importance": [] if ranking is None else ranking.to_dict("records"),
    }  # fmt: skip
