"""The small table a command ends with: of a run a row a seed, of a sweep a row a trial."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from dqn.results.columns import COLUMN_OF_KEY

_METRICS = {
    "mean_return": "mean return",
    "best_return": "best 10",
    "final_return": "last 10",
    "test_return": "test",
    "collapse": "collapse",
}
_TITLES = {**_METRICS, "solved_at": "solved at"}
_WIDTH = 120


def summary(rows: pd.DataFrame, trial: Mapping[str, float]) -> str:
    """The table of seeds.csv's `rows` of one `trial`, its row of trials.csv, as text."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("seed", justify="right")
    table.add_column("status")
    for title in ("episodes", "steps", *_METRICS.values(), "solved at"):
        table.add_column(title, justify="right")
    for row in rows.sort_values("seed").to_dict("records"):
        metrics = [number(row[name], name) for name in _METRICS]
        solved = "-" if pd.isna(row["solved_at"]) else f"{int(row['solved_at'])}"
        cells = str(row["seed"]), row["status"], f"{row['episodes']:,}", f"{row['steps']:,}"
        table.add_row(*cells, *metrics, solved)
    table.add_section()
    solved = f"{rows.solved_at.notna().sum()} of {len(rows)}"
    middles = [number(trial[name], name) for name in _METRICS]
    table.add_row("IQM", seeds_in_words(len(rows)), "", "", *middles, solved)
    table.add_row("", "95 % interval", "", "", *(interval_of(trial, name) for name in _METRICS), "")
    return as_text(table)


def seeds_in_words(n: int) -> str:
    """How many seeds."""
    return "1 seed" if n == 1 else f"{n} seeds"


def leaderboard(
    trials: pd.DataFrame,
    swept: Sequence[str],
    objective: str = "mean_return",
    ordered_by: str = "IQM",
    top: int = 10,
) -> str:
    """The first `top` of `trials`, rows of trials.csv, with the values of the `swept` keys.

    The IQM of what the trials were ordered by, `objective`, is shown with its 95 % interval. Of the
    other metrics as many as fit in 120 columns. `ordered_by` is said where it is not that IQM.
    """
    others = [name for name in ("test_return", "collapse", "solved_at") if name != objective]
    shown, text = trials.head(top), ""
    # From all of the others to none: the swept keys are never left out.
    for count in range(len(others), -1, -1):
        text = _leaders(shown, swept, objective, others[:count])
        if _width(text) <= _WIDTH:
            break
    more = len(trials) - len(shown)
    if ordered_by != "IQM":
        text += f"\n  best first by the {ordered_by} of {objective}; shown is the IQM"
    return text + (f"\n  and {more:,} more trial{'s' * (more > 1)} in trials.csv" if more else "")


def _leaders(
    trials: pd.DataFrame, swept: Iterable[str], objective: str, others: Iterable[str]
) -> str:
    columns = {key: COLUMN_OF_KEY.get(key, key) for key in swept}
    columns = {key: column for key, column in columns.items() if column in trials.columns}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", justify="right")
    for title in ("trial", *(key.replace("_", "_\n") for key in columns)):
        table.add_column(title, justify="right")
    table.add_column("status")
    table.add_column("seeds", justify="right")
    for title in (_TITLES[objective], "95 % interval", *(_TITLES[name] for name in others)):
        table.add_column(title, justify="right")
    for rank, row in enumerate(trials.to_dict("records"), start=1):
        values = [setting(row[column]) for column in columns.values()]
        metrics = number(row[objective], objective), interval_of(row, objective)
        table.add_row(
            f"{rank}", f"{row['trial']}", *values, row["status"], f"{row['seeds_done']}",
            *metrics, *(number(row[name], name) for name in others),
        )  # fmt: skip
    return as_text(table).strip("\n")


def as_text(table: Table) -> str:
    """A table as lines, as wide as its cells need."""
    text = io.StringIO()
    Console(file=text, width=500, highlight=False, markup=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().strip("\n").splitlines())


def _width(text: str) -> int:
    return max(map(len, text.splitlines()))


def setting(value: Any) -> str:
    """A hyperparameter in as few characters as tell it from its neighbours."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if pd.isna(value):
            return "-"
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e9 else f"{value:.4g}"
    return str(value)


def interval_of(trial: Mapping[Any, Any], metric: str) -> str:
    """The interval of a metric in a row of trials.csv, or - where there is none."""
    low, high = trial[f"{metric}_low"], trial[f"{metric}_high"]
    if pd.isna(low) or pd.isna(high):
        return "-"
    return f"{_short(low)}{'–' if low >= 0 else ' to '}{_short(high)}"


def _short(end: float) -> str:
    """Three figures are enough for the end of an interval."""
    return f"{end:.0f}" if abs(end) >= 100 else f"{end:.3g}" if abs(end) >= 1 else f"{end:.2f}"


def number(value: float, metric: str) -> str:
    """A metric in as many digits as mean something."""
    if pd.isna(value):
        return "-"
    return f"{value:.2f}" if metric == "collapse" else f"{value:.1f}"
