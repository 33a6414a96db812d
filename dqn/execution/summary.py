"""The small table a run ends with: a row a seed, then the IQM and its 95 % interval."""

import io
from collections.abc import Mapping

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

_METRICS = {
    "mean_return": "mean return",
    "best_return": "best 10",
    "final_return": "last 10",
    "test_return": "test",
    "collapse": "collapse",
}


def summary(rows: pd.DataFrame, trial: Mapping[str, float]) -> str:
    """The table of seeds.csv's `rows` of one `trial`, its row of trials.csv, as text."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("seed", justify="right")
    table.add_column("status")
    for title in ("episodes", "steps", *_METRICS.values(), "solved at"):
        table.add_column(title, justify="right")
    for row in rows.sort_values("seed").to_dict("records"):
        metrics = [_number(row[name], name) for name in _METRICS]
        solved = "-" if pd.isna(row["solved_at"]) else f"{int(row['solved_at'])}"
        cells = str(row["seed"]), row["status"], f"{row['episodes']:,}", f"{row['steps']:,}"
        table.add_row(*cells, *metrics, solved)
    table.add_section()
    solved = f"{rows.solved_at.notna().sum()} of {len(rows)}"
    middles = [_number(trial[name], name) for name in _METRICS]
    table.add_row("IQM", f"{len(rows)} seeds", "", "", *middles, solved)
    table.add_row("", "95 % interval", "", "", *(_interval(trial, name) for name in _METRICS), "")
    text = io.StringIO()
    Console(file=text, width=200, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().strip("\n").splitlines())


def _interval(trial: Mapping[str, float], metric: str) -> str:
    low, high = trial[f"{metric}_low"], trial[f"{metric}_high"]
    if pd.isna(low) or pd.isna(high):
        return "-"
    return f"{_short(low)}{'–' if low >= 0 else ' to '}{_short(high)}"


def _short(end: float) -> str:
    """Three figures are enough for the end of an interval."""
    return f"{end:.0f}" if abs(end) >= 100 else f"{end:.3g}" if abs(end) >= 1 else f"{end:.2f}"


def _number(value: float, metric: str) -> str:
    if pd.isna(value):
        return "-"
    return f"{value:.2f}" if metric == "collapse" else f"{value:.1f}"
