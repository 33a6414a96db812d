"""A report out of what is on disk: its page, and the figures that are drawn as PNGs as well."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from dqn.storage.ranking import task_folders
from dqn.storage.reader import Results
from sweeps.report.data import ReportData, report_data
from sweeps.report.figures import Figure
from sweeps.report.headline import Summary, summarise
from sweeps.report.page import Task, page
from sweeps.report.sections import sections


@dataclass(frozen=True)
class Report:
    """What a folder says."""

    html: str
    """The page, which needs no other file where JavaScript runs."""
    figures: list[Figure]
    """For `figures.draw`."""
    found: Mapping[str, tuple[ReportData, Summary]]
    """By task; of a single one by ""."""


def build(results: Results, metric: str | None, figures: Path) -> Report:
    """The report of `results`, by the sweep's objective if `metric` is None; writes nothing.

    `figures` is the folder that its figures are to be drawn into, beside the page.
    Raises `RunError` for a damaged validation.csv.
    """
    own = {task: results.of_task(task) for task in results.tasks}
    own = own if len(own) > 1 else {"": results}
    names = task_folders(own)
    found, tasks = {}, []
    for task, part in own.items():
        folder = figures / names[task] if task else figures
        data = report_data(part, metric or results.objective, folder)
        made = sections(data)
        if task:
            made = [
                replace(section, title=f"{section.title} · {task}", prefix=f"{names[task]}-")
                for section in made
            ]
        summary = summarise(data)
        found[task] = data, summary
        tasks.append(Task(task, summary, made))
    name = results.path.name or results.path.resolve().name
    title = "; ".join(task.summary.headline for task in tasks)
    drawn = [figure for task in tasks for section in task.sections for figure in section.figures]
    return Report(page(f"{name}: {title}", tasks), drawn, found)
