"""`python -m sweeps list`: the runs, grids and studies that there are, the newest first."""

import argparse
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dqn.runtime.errors import RunError, UserError, must_be
from dqn.runtime.exit_codes import printable
from dqn.statistics.formatting import Estimate, count, format_bytes, format_duration
from dqn.statistics.metrics import METRICS
from dqn.storage.found import results_below, size_of
from dqn.storage.lock import is_held
from dqn.storage.reader import Results, read_so_far
from dqn.storage.trials import named, trial_row
from dqn.terminal.console import steps
from dqn.terminal.tables import as_text, table
from sweeps.analysis.held_out import FOLDER as VALIDATION
from sweeps.analysis.objective import objective_of
from sweeps.search.progress import trials_over

OUTPUTS = Path("outputs")
_WIDTH = 60  # of what is wrong with a folder
EXAMPLES = """\
examples
  python -m sweeps list                      what is in outputs/
  python -m sweeps list outputs/sweeps old   what is in these folders
  python -m sweeps list --json
"""


@dataclass(frozen=True)
class Best:
    """The best trial of a task so far, by what the folder is after."""

    task: str
    trial: int
    metric: str
    value: Estimate
    seeds: int


@dataclass(frozen=True)
class Entry:
    """One folder of results; of one that cannot be read `problem` says why, and the rest is ""."""

    folder: Path
    kind: str = ""
    """run, grid, study or validation."""
    status: str = "unreadable"
    """done, running, validating, stopped or unreadable."""
    over: int = 0
    """Trials that are over, of a run seeds."""
    asked: int = 0
    tasks: Sequence[str] = ()
    best: Sequence[Best] = ()
    failed: int = 0
    """Trials that failed."""
    touched: float = 0.0
    """When seeds.csv was last written, in seconds since the epoch."""
    changed: float | None = None
    """The same where a training has finished: when the last one did."""
    size: int = 0
    """Bytes."""
    problem: str = ""

    @property
    def unit(self) -> str:
        """What `over` and `asked` count."""
        return "seed" if self.kind == "run" else "trial"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `list`."""
    parser.add_argument(
        "folders", type=Path, nargs="*", metavar="DIR", help="with results below (default: outputs)"
    )


def list(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Look through folders; status, table, plain values.

    Raises `UserError` for a folder that is not there. A folder of results that cannot be read is an
    entry like any other.
    """
    for folder in args.folders:
        if not folder.is_dir():
            raise must_be("DIR", "a folder", str(folder), "write the path of one")
    folders = args.folders or [OUTPUTS] * OUTPUTS.is_dir()
    entries: dict[Path, Entry] = {}
    with steps() as tell:
        for place in folders:
            for folder, error in results_below(place):
                tell(f"reading {folder} ...")
                known = _entry(folder) if error is None else _unreadable(folder, error)
                entries.setdefault(folder.resolve(), known)
    found = sorted(entries.values(), key=lambda entry: (-entry.touched, str(entry.folder)))
    now = time.time()
    text = _table(found, now) if found else _nothing(folders)
    return 0, text, {"folders": [_plain(entry, now) for entry in found]}


def _entry(folder: Path) -> Entry:
    try:
        return entry_of(read_so_far(folder))
    except (UserError, RunError, OSError) as error:
        return _unreadable(folder, error)


def entry_of(results: Results) -> Entry:
    """What is to be said of a folder, from what was read of it."""
    folder, objective = results.path, objective_of(results)
    kind = "run" if results.sweep is None else str(results.sweep.get("kind", "grid"))
    over, asked = trials_over(results)
    if kind == "run":
        wanted = range(results.base.first_seed, results.base.first_seed + results.base.seeds)
        done = {row["seed"] for row in results.rows.get(0, ()) if row["status"] != "failed"}
        over, asked = len(done.intersection(wanted)), results.base.seeds
    best = {}
    for trial in results.ranked(objective.of_rows):
        rows = results.rows[trial]
        task = str(rows[0]["env"])
        if task not in best:
            value = Estimate.in_row(trial_row(rows, ()), objective.metric)
            best[task] = Best(task, trial, objective.metric, value, len(rows))
    touched = (folder / "seeds.csv").stat().st_mtime
    return Entry(
        folder,
        kind,
        status_of(folder, over >= asked),
        over,
        asked,
        results.tasks or [results.base.env.id],
        [*best.values()],
        sum(any(row["status"] == "failed" for row in rows) for rows in results.rows.values()),
        touched,
        touched if results.rows else None,
        size_of(folder),
    )


def status_of(folder: Path, is_whole: bool) -> str:
    """running, validating, done or stopped; `is_whole` says whether all has been trained."""
    if is_held(folder):
        return "running"
    if is_held(folder / VALIDATION):
        return "validating"
    return "done" if is_whole else "stopped"


def _unreadable(folder: Path, error: Exception) -> Entry:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    reason = printable(reason).removeprefix(f"{folder}: ").removeprefix(f"{folder}/")
    return Entry(folder, size=size_of(folder), problem=reason)


def _nothing(folders: Sequence[Path]) -> str:
    where = ", ".join(map(str, folders)) or f"{OUTPUTS}"
    return f"no results in {where} yet; to make some: python -m dqn.run name=a"


def _table(entries: Sequence[Entry], now: float) -> str:
    titles = ["folder", "kind", "status", "task", "best", "seeds", "last result", "size"]
    rows = [_cells(entry, now) for entry in entries]
    if any(row[-1] for row in rows):
        titles.append("")
    else:
        rows = [row[:-1] for row in rows]
    return as_text(table(titles, rows, left=(0, 1, 2, 3, 4, 8)))


def _cells(entry: Entry, now: float) -> Sequence[str]:
    if entry.problem:
        blanks = ["-", "-", "-", "-"]
        why = textwrap.fill(entry.problem, _WIDTH)
        return [_name(entry), "-", entry.status, *blanks, format_bytes(entry.size), why]
    status = entry.status
    if entry.over < entry.asked:
        status += f", {progress_text(entry)}"
    tasks = [*(best.task for best in entry.best)] or entry.tasks
    notes = f"{count(entry.failed, 'trial')} failed" if entry.failed else ""
    return [
        _name(entry),
        entry.kind,
        status,
        "\n".join(map(printable, tasks)),
        "\n".join(best_text(best, entry.kind) for best in entry.best) or "-",
        "\n".join(str(best.seeds) for best in entry.best) or "-",
        _age(entry, now),
        format_bytes(entry.size),
        notes,
    ]


def _name(entry: Entry) -> str:
    return printable(str(entry.folder))


def _age(entry: Entry, now: float) -> str:
    return "-" if entry.changed is None else f"{format_duration(now - entry.changed)} ago"


def progress_text(entry: Entry) -> str:
    """How many of its trials, or seeds, are over."""
    return f"{entry.over:,} of {count(entry.asked, entry.unit)}"


def best_text(best: Best, kind: str) -> str:
    """The best trial of a task, with its interval."""
    metric = METRICS[best.metric]
    trial = "" if kind == "run" else f", {named(best.trial)}"
    return f"{metric.title} {best.value.text(metric.digits)}{trial}"


def _plain(entry: Entry, now: float) -> dict[str, Any]:
    changed = entry.changed
    stamp = None if changed is None else datetime.fromtimestamp(changed).astimezone().isoformat()
    return {
        "folder": str(entry.folder), "kind": entry.kind or None, "status": entry.status,
        "unit": f"{entry.unit}s", "over": entry.over, "asked": entry.asked,
        "failed": entry.failed, "tasks": [*entry.tasks],
        "best": [
            {"task": best.task, "trial": best.trial, "metric": best.metric, "seeds": best.seeds}
            | best.value.plain("value")
            for best in entry.best
        ],
        "last_result": stamp, "age_seconds": None if changed is None else round(now - changed, 1),
        "bytes": entry.size, "problem": entry.problem or None,
    }  # fmt: skip
