"""What a report answers first: the best trials, and how every trial and its seeds ended."""

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from dqn.statistics.formatting import count, format_metric, format_setting, format_share
from dqn.statistics.metrics import METRICS
from dqn.storage.trials import named, numbered
from dqn.terminal.tables import interval_cell, metric_cell, seed_table
from sweeps.report.data import ReportData
from sweeps.report.page import Section, Table, paragraph

_FEW = 8  # trials, up to which all are in the short table
_SHORT = 5  # rows of it otherwise
_MOST_CELLS = 300  # trials that each have a cell
_STATUSES = "done", "pruned", "diverged", "failed"

Rows = list[dict[Any, Any]]


def leaderboard(data: ReportData) -> Section:
    """The best trials, how each trial ended, and behind a fold every trial by every metric."""
    if data.tables.design == "run":
        own = seeds_table(data, 0)
        return Section("leaderboard", "Seeds", [_counts(data), own], answers=True)
    rows: Rows = data.tables.trials.to_dict("records")
    parts = [_short(data, rows), _counts(data), _cells(data, rows), _whole(data, rows)]
    return Section("leaderboard", "Leaderboard", parts, answers=True)


def seeds_table(data: ReportData, trial: int, folded: str = "") -> Table:
    """Every seed of a trial, by every metric."""
    rows, is_run = data.tables.results.rows[trial], data.tables.design == "run"
    columns, cells = seed_table(rows, METRICS)
    for row, own in zip(rows, cells, strict=True):
        own.append(format_setting(row["seconds"]))
    caption = "Every seed." if is_run else f"The seeds of {named(trial)}."
    return Table("seeds", caption, [*columns, "seconds"], cells, ("status",), folded)


def _short(data: ReportData, rows: Rows) -> Table:
    """Seeds and status stand where a phone shows them, too."""
    tables, metric = data.tables, data.metric
    ranked = list(enumerate(rows, 1))
    shown = ranked if len(rows) <= _FEW else ranked[:_SHORT]
    beyond = [(rank, row) for rank, row in ranked[len(shown) :] if row["trial"] == data.best]
    columns = ["rank", "trial", *_own_columns(data), "seeds", "status",
               *(param.name for param in tables.hyperparameters), "solved"]  # fmt: skip
    cells = [
        [
            f"{rank}", numbered(row["trial"]), *_own_cells(data, row), _seeds(data, row),
            row["status"], *(format_setting(row[k.column]) for k in tables.hyperparameters),
            format_share(row["solved"]),
        ]
        for rank, row in [*shown, *beyond]
    ]  # fmt: skip
    best = f"The best {len(shown)} of" if len(shown) < len(rows) else "All" * (len(rows) > 1)
    caption = f"{best} {count(len(rows), 'trial')} by the {tables.ranked_by} of {metric.title}"
    caption += "; last, the one that is recommended after validation." if beyond else "."
    return Table("leaders", caption.strip(), columns, cells, ("status",), is_sorted=False)


def _whole(data: ReportData, rows: Rows) -> Table:
    tables, metric = data.tables, data.metric
    others = [other for other in METRICS.values() if other != metric]
    own = _own_columns(data)
    columns = ["rank", "trial", *own, *(k.name for k in tables.hyperparameters),
               *(other.title for other in others), "solved", "seeds", "status"]  # fmt: skip
    cells = [
        [
            f"{rank}", numbered(row["trial"]), *_own_cells(data, row),
            *(format_setting(row[k.column]) for k in tables.hyperparameters),
            *(metric_cell(row, other.name) for other in others),
            format_share(row["solved"]), f"{row['rows']}", row["status"],
        ]
        for rank, row in enumerate(rows, 1)
    ]  # fmt: skip
    caption = (
        f"{'All ' * (len(rows) > 1)}{count(len(rows), 'trial')}, best first by the "
        f"{tables.ranked_by} of {metric.title}. {'Every other' if len(own) > 2 else 'Each'} number "
        "is the IQM over the trial's seeds. A heading sorts."
    )
    what = f"All {len(rows):,} trials" if len(rows) > 1 else "The trial"
    return Table("trials", caption, columns, cells, ("status",), f"{what}, by every metric")


def _own_columns(data: ReportData) -> list[str]:
    """Of what trials are ordered by: beside the IQM, where it is not that."""
    title, order = data.metric.title, data.tables.ranked_by.partition(" of ")[0]
    own = [title] if order == "IQM" else [f"{title}, {order}", f"{title}, IQM"]
    return [*own, "95 % interval"]


def _own_cells(data: ReportData, row: Mapping[Any, Any]) -> list[str]:
    metric, is_iqm = data.metric, data.tables.ranked_by == "IQM"
    own = [] if is_iqm else [format_metric(row["order"], metric)]
    return [*own, metric_cell(row, metric.name), interval_cell(row, metric.name)]


def _seeds(data: ReportData, row: Mapping[Any, Any]) -> str:
    """How many of its trainings have ended, and of how many where that is not all."""
    asked = data.tables.results.base.seeds
    return f"{row['rows']}" if row["rows"] >= asked else f"{row['rows']} of {asked}"


def _counts(data: ReportData) -> Markup:
    trainings = data.tables.seeds["status"].tolist()
    text = f"{count(len(trainings), 'training')}: {_ends(trainings)}."
    if data.tables.design != "run":
        trials = data.tables.trials["status"].tolist()
        text = f"{count(len(trials), 'trial')}: {_ends(trials)}. {text}"
    return paragraph(text, "counts")


def _ends(statuses: list[str]) -> str:
    known = [name for name in _STATUSES if name in statuses]
    return ", ".join(f"{statuses.count(name):,} {name}" for name in known)


def _cells(data: ReportData, rows: Rows) -> Markup | None:
    """A cell for each trial, in order of their numbers: its status, and how many seeds it has."""
    if not 1 < len(rows) <= _MOST_CELLS:
        return None
    cell = Markup('<li class="{}" title="{}"><strong>{}</strong> ×{}</li>')
    cells: Iterable[Markup] = (
        cell.format(
            row["status"],
            f"{named(row['trial'])}, rank {rank}: {row['status']}, seeds: {_seeds(data, row)}",
            numbered(row["trial"]), _seeds(data, row).replace(" of ", "/"),
        )
        for rank, row in sorted(enumerate(rows, 1), key=lambda one: one[1]["trial"])
    )  # fmt: skip
    legend = "Each trial with its number, × the seeds that have ended, and how it ended:"
    names = Markup(" ").join(
        Markup('<span class="{}">{}</span>').format(name, name)
        for name in _STATUSES
        if any(row["status"] == name for row in rows)
    )
    title = Markup('<p class="note ends-of">{} {}</p>').format(legend, names)
    return title + Markup('<ul class="ends">{}</ul>').format(Markup("").join(cells))
