"""Tables as text: the small one that a command ends with, and those of `python -m sweeps`."""

import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from dqn.runtime.errors import RunError
from dqn.statistics.formatting import count, format_interval, format_metric, format_setting
from dqn.statistics.metrics import METRICS
from dqn.storage.columns import COLUMN_OF_KEY
from dqn.storage.ranking import incomparable_settings, task_folders
from dqn.storage.trials import named, numbered

# What has room in 120 columns; all others are in seeds.csv and trials.csv.
_OF_A_RUN = ("mean_return", "best_return", "final_return", "test_return", "collapse", "solved_at")
_OF_A_SWEEP = ("test_return", "collapse", "solved_at")
_WIDTH = 120
_ORDER = "ordered by"  # a column of a leaderboard beside those of trials.csv


def table(
    titles: Iterable[str], rows: Iterable[Iterable[str]], left: Iterable[int] = (0,)
) -> Table:
    """Rows of cells in the house's style; columns at the places `left` are flush left."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, title in enumerate(titles):
        made.add_column(title, justify="left" if place in left else "right")
    for row in rows:
        made.add_row(*row)
    return made


def summary(rows: pd.DataFrame, trial: Mapping[str, float]) -> str:
    """The table of seeds.csv's `rows` of one `trial`, its row of trials.csv, as text."""
    made = table(*seed_table(rows.sort_values("seed").to_dict("records"), _OF_A_RUN), left=(1,))
    made.add_section()
    averaged = [name for name in _OF_A_RUN if not METRICS[name].is_episode]
    solved = f"{rows.solved_at.notna().sum()} of {len(rows)}"
    middles = [metric_cell(trial, name) for name in averaged]
    made.add_row("IQM", count(len(rows), "seed"), "", "", *middles, solved)
    made.add_row("", "95 % interval", "", "", *(interval_cell(trial, name) for name in averaged))
    return f"\n{as_text(made)}\n"


def seed_table(
    rows: Iterable[Mapping[Any, Any]], metrics: Iterable[str]
) -> tuple[list[str], list[list[str]]]:
    """Titles and cells of rows of seeds.csv, with some metrics."""
    titles = ["seed", "status", "episodes", "steps", *(METRICS[name].title for name in metrics)]
    return titles, [
        [f"{row['seed']}", f"{row['status']}", f"{row['episodes']:,}", f"{row['steps']:,}"]
        + [metric_cell(row, name) for name in metrics]
        for row in rows
    ]


def metric_cell(row: Mapping[Any, Any], metric: str) -> str:
    """A metric of a row of seeds.csv or trials.csv."""
    return format_metric(row[metric], METRICS[metric])


def interval_cell(trial: Mapping[Any, Any], metric: str) -> str:
    """The interval of a metric in a row of trials.csv."""
    return format_interval(trial[f"{metric}_low"], trial[f"{metric}_high"])


def leaderboards(
    trials: Any,
    swept: Sequence[str],
    objective: str,
    ordered_by: str,
    value_of: Callable[[int], float] | None,
) -> str:
    """A `leaderboard` for each task of `trials`, and what must be known to read them."""
    lines, keys = [], swept
    tasks = trials["env"].unique()
    for task in tasks:
        own = trials[(trials["env"] == task) & trials["same_as"].isna()]
        if len(tasks) > 1:
            lines.append(f"\n{task}")
            columns = {key: COLUMN_OF_KEY.get(key, key) for key in swept}
            keys = [
                key for key, name in columns.items() if name in own and len(own[name].unique()) > 1
            ]
        lines.append(leaderboard(own, keys, objective, ordered_by, value_of=value_of))
        if line := incomparable_settings(own.to_dict("records")):
            lines.append(f"  {line}")
    if same := int(trials["same_as"].notna().sum()):
        whose = "its results" if same == 1 else "their results"
        lines.append(
            f"{count(same, 'trial')} had a configuration that was trained already, and {whose}: "
            "same_as in trials.csv"
        )
    return "\n".join(lines)


def best_of(trials: Mapping[str, int]) -> list[str]:
    """Which trial best/ is of, by the task; of several tasks each in a folder of its own."""
    if len(trials) < 2:
        return [f"best/ is {named(trial)}" for trial in trials.values()]
    names = task_folders(trials)
    return [f"best/{names[task]} is {named(trial)}" for task, trial in trials.items()]


def unwritten(write: Callable[[], None]) -> list[RunError]:
    """What went wrong as `write` wrote what the next command writes, too: to be raised last."""
    try:
        write()
    except RunError as error:
        return [error]
    return []


def leaderboard(
    trials: pd.DataFrame,
    swept: Sequence[str],
    objective: str = "mean_return",
    ordered_by: str = "IQM",
    top: int = 10,
    value_of: Callable[[int], float] | None = None,
) -> str:
    """The first `top` of `trials`, rows of trials.csv, with the values of the `swept` keys.

    They are ordered by `objective`: shown is its IQM with the 95 % interval and, where they are
    ordered by something else of it, by `ordered_by`, also that: `value_of` a trial's number. Of the
    other metrics as many as fit in 120 columns; of the keys all, but on a narrower terminal.
    """
    others = [name for name in _OF_A_SWEEP if name != objective]
    shown, room = trials.head(top), terminal_width()
    if ordered_by != "IQM" and value_of is not None:
        shown = shown.assign(**{_ORDER: [value_of(int(n)) for n in shown["trial"]]})
    keys = [key for key in swept if COLUMN_OF_KEY.get(key, key) in trials.columns]
    # From all of the others to none; then, on a terminal alone, from all of the keys.
    tries = [(keys, others[:n]) for n in range(len(others), -1, -1)]
    tries += [(keys[:n], []) for n in range(len(keys) - 1, -1, -1)] if room else []
    text, fewer, wide = "", keys, room or _WIDTH
    for fewer, some in tries:
        text = _text(_leaders(shown, fewer, objective, some, ordered_by.partition(" of ")[0]))
        if _width(text) <= (min(wide, _WIDTH) if some else wide):
            break
    lines = [text]
    if ordered_by != "IQM":
        known = "" if _ORDER in shown else "; shown is the IQM"
        lines.append(f"best first by the {ordered_by} of {objective}{known}")
    if left := len(keys) - len(fewer):
        lines.append(f"{count(left + len(others), 'more column')}: trials.csv")
    if more := len(trials) - len(shown):
        lines.append(f"and {count(more, 'more trial')} in trials.csv")
    return "\n  ".join(lines)


def _leaders(
    trials: pd.DataFrame, keys: Sequence[str], objective: str, others: Iterable[str], order: str
) -> Table:
    metric, twice = METRICS[objective], _ORDER in trials
    own = [f"{metric.title}\n{order}", f"{metric.title}\nIQM"] if twice else [metric.title]
    titles = ["", "trial", *(key.replace("_", "_\n") for key in keys), "status", "seeds", *own,
              "95 % interval", *(METRICS[name].title for name in others)]  # fmt: skip
    rows = [
        [
            f"{rank}", numbered(row["trial"]),
            *(format_setting(row[COLUMN_OF_KEY.get(key, key)]) for key in keys),
            row["status"], f"{row['seeds_done']}",
            *([format_metric(row[_ORDER], metric)] if twice else []),
            metric_cell(row, objective), interval_cell(row, objective),
            *(metric_cell(row, name) for name in others),
        ]
        for rank, row in enumerate(trials.to_dict("records"), start=1)
    ]  # fmt: skip
    return table(titles, rows, left=(len(keys) + 2,))


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None where it is none."""
    return Console(file=sys.stdout).width if sys.stdout.isatty() else None


def as_text(table: Table) -> str:
    """A table as lines; on a narrow terminal in parts, each with the first column in front."""
    text, room = _text(table), terminal_width()
    if room is None or _width(text) <= room:
        return text
    parts, kept = [], [0]
    for place in range(1, len(table.columns)):
        if len(kept) > 1 and _width(_text(_part(table, [*kept, place]))) > room:
            parts.append(kept)
            kept = [0]
        kept.append(place)
    return "\n\n".join(_text(_part(table, places)) for places in (*parts, kept))


def _part(table: Table, places: Iterable[int]) -> Table:
    """Some columns of a table."""
    part = Table(box=table.box, pad_edge=table.pad_edge, padding=table.padding)
    columns = [table.columns[place] for place in places]
    for column in columns:
        part.add_column(column.header, justify=column.justify)
    for row, *cells in zip(table.rows, *(column.cells for column in columns), strict=True):
        part.add_row(*cells, end_section=row.end_section)
    return part


def _text(table: Table) -> str:
    text = io.StringIO()
    Console(file=text, width=500, highlight=False, markup=False, force_jupyter=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip("\n")


def _width(text: str) -> int:
    return max(map(len, text.splitlines()))
