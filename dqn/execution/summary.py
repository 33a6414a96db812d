"""The small table a run ends with: a row a seed, then the IQM and its 95 % interval."""

import io

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from dqn.results import stats

_METRICS = {
    "mean_return": "mean return",
    "best_return": "best 10",
    "final_return": "last 10",
    "test_return": "test",
    "collapse": "collapse",
}


def summary(rows: pd.DataFrame) -> str:
    """The table of seeds.csv's `rows` as text, no wider than it needs to be."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("seed", justify="right")
    table.add_column("status")
    for title in ("episodes", "steps", *_METRICS.values(), "solved at"):
        table.add_column(title, justify="right")
    for row in rows.sort_values("seed").itertuples(index=False):
        metrics = [_number(getattr(row, name), name) for name in _METRICS]
        solved = "-" if pd.isna(row.solved_at) else f"{int(row.solved_at)}"
        cells = str(row.seed), str(row.status), f"{row.episodes:,}", f"{row.steps:,}"
        table.add_row(*cells, *metrics, solved)
    if len(rows):
        table.add_section()
        _add_interval(table, rows)
    text = io.StringIO()
    Console(file=text, width=200, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().strip("\n").splitlines())


def _add_interval(table: Table, rows: pd.DataFrame) -> None:
    values = {name: rows[name].dropna().to_numpy(float) for name in _METRICS}
    solved = f"{rows.solved_at.notna().sum()} of {len(rows)}"
    middles = [_number(float(stats.iqm(x)), name) for name, x in values.items()]
    table.add_row("IQM", f"{len(rows)} seeds", "", "", *middles, solved)
    intervals = []
    for name, x in values.items():
        low, high = (float(end) for end in stats.interval(x))
        known = np.isfinite(low) and np.isfinite(high)
        intervals.append(f"{_number(low, name)} to {_number(high, name)}" if known else "-")
    table.add_row("", "95 % interval", "", "", *intervals, "")


def _number(value: float, metric: str) -> str:
    if pd.isna(value):
        return "-"
    return f"{value:.2f}" if metric == "collapse" else f"{value:.1f}"
