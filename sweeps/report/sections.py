"""What stands on a report's page, from the headline to what it was made with."""

from typing import Any

import numpy as np

from dqn.statistics.formatting import (
    count,
    format_interval,
    format_metric,
    format_setting,
    format_share,
)
from dqn.statistics.metrics import METRICS
from dqn.storage.trials import named, numbered
from dqn.terminal.tables import interval_cell, metric_cell, seed_table
from sweeps.analysis.tables import COLLAPSED
from sweeps.analysis.validation import score_table
from sweeps.report.data import ReportData
from sweeps.report.figures import best_curve, failures, pruned, validation
from sweeps.report.hyperparameter_figures import axes, curves, importance, influence, pair
from sweeps.report.page import Section, Table, paragraph
from sweeps.report.provenance import again, made


def sections(data: ReportData) -> list[Section]:
    """All below the headline but how to read it, without those there is nothing to say in."""
    makers = _leaders, _best, _hyperparameters, _validated, _wrong, again, made
    return [section for make in makers if (section := make(data)).parts]


def _leaders(data: ReportData) -> Section:
    tables, metric = data.tables, data.metric
    if tables.design == "run":
        return Section("leaderboard", "Seeds", [_seeds(data, 0)])
    others = [other for other in METRICS.values() if other != metric]
    title, order = metric.title, tables.ranked_by.partition(" of ")[0]
    twice = order != "IQM"
    own = [f"{title}, {order}", f"{title}, IQM"] if twice else [title]
    columns = ["rank", "trial", *own, "95 % interval", *(k.name for k in tables.hyperparameters),
               *(other.title for other in others), "solved", "seeds", "status"]  # fmt: skip
    rows = [
        [
            f"{rank}", numbered(row["trial"]), *[format_metric(row["order"], metric)] * twice,
            metric_cell(row, metric.name), interval_cell(row, metric.name),
            *(format_setting(row[k.column]) for k in tables.hyperparameters),
            *(metric_cell(row, other.name) for other in others),
            format_share(row["solved"]), f"{row['rows']}", row["status"],
        ]
        for rank, row in enumerate(tables.trials.to_dict("records"), 1)
    ]  # fmt: skip
    caption = (
        f"{'All ' if len(rows) > 1 else ''}{count(len(rows), 'trial')}, best first by the "
        f"{tables.ranked_by} of {title}. {'Every other' if twice else 'Each'} number is the IQM "
        "over the trial's seeds. A heading sorts."
    )
    leaders = Table("trials", caption, columns, rows, words=("status",))
    return Section("leaderboard", "Leaderboard", [leaders])


def _best(data: ReportData) -> Section:
    is_run, why = data.tables.design == "run", data.no_curves
    parts: list[Any] = [
        best_curve(data),
        why and paragraph(f"No learning curves: {why}", "note"),
        None if is_run else _seeds(data, data.best),
    ]
    return Section("best", "How it learns" if is_run else "The best trial", parts)


def _hyperparameters(data: ReportData) -> Section:
    tables, ranking = data.tables, importance(data)
    parts: list[Any] = []
    if tables.hyperparameters:
        trials, over = "all trainings with that value", "trainings"
        if tables.design == "sampled":
            trials, over = "the trials whose value is near there", "trials"
        parts.append(
            paragraph(
                f"Each square is the IQM of {trials}, with its 95 % interval over {over}. Each dot "
                "is a trial."
            )
        )
        if ranking is None:
            parts.append(paragraph(data.method, "note"))
    elif tables.design != "run":
        parts.append(paragraph("All trials have the same values: nothing was varied.", "note"))
    parts += [ranking, axes(data), pair(data)]
    for param in data.hyperparameters:
        parts.append([figure for figure in (influence(data, param), curves(data, param)) if figure])
    if tables.design == "one at a time":
        text = "Hyperparameters were not varied together: there is no map of a pair."
        parts.append(paragraph(text, "note"))
    return Section("hyperparameters", "The hyperparameters", parts)


def _validated(data: ReportData) -> Section:
    if not data.validated:
        return Section("validation", "", [])
    stale = data.first not in [trial.trial for trial in data.validated] and paragraph(
        f"Trial {data.first}, which has the best search score now, was not validated. Move "
        "`validation/` away and validate again.", "unfinished",
    )  # fmt: skip
    caption = (
        f"{data.metric.title}: optimism is the search score less that on new seeds. Recommended is "
        "the best lower bound on new seeds, not the best search score."
    )
    columns, rows = score_table(data.validated, data.metric)
    scores = Table("findings", caption, columns, rows, words=("trial", "recommended"))
    return Section("validation", "Does it hold on new seeds?", [stale, validation(data), scores])


def _wrong(data: ReportData) -> Section:
    seeds, trials = data.tables.seeds, data.tables.trials
    ended = seeds[seeds["status"] != "pruned"]
    lost, collapsed = (np.count_nonzero(ended[name]) for name in ("lost", "collapsed"))
    ends = paragraph(
        f"Of {len(ended):,} trainings that were not pruned {lost:,} diverged or failed, and "
        f"{collapsed:,} collapsed: lost more than {COLLAPSED:.0%} of their best by the end."
    )
    parts: list[Any] = [ends, failures(data)]
    if data.by_hyperparameter and len(trials) > 1:
        parts.append(_regions(data))
    gone = trials[trials["status"] == "pruned"]
    if len(gone):
        text = (
            f"{len(gone)} of {count(len(trials), 'trial')} were pruned, with "
            f"{(1.0 - gone['budget']).mean():.0%} of their budget unused on average. They are in "
            "no interval of a hyperparameter: what a training earns early is no measure of what it "
            "would have earned."
        )
        parts += [paragraph(text), pruned(data)]
    elif data.tables.design == "sampled":
        parts.append(paragraph("No trial was pruned.", "note"))
    return Section("failures", "What went wrong", parts)


def _regions(data: ReportData) -> Table:
    metric, shares = data.metric, ("diverged", "collapsed", "solved")
    columns = ["hyperparameter", "value", metric.title, "95 % interval", *shares, "trials",
               "trainings"]  # fmt: skip
    rows = [
        [
            row["hyperparameter"], row["region"], format_metric(row["value"], metric),
            format_interval(row["low"], row["high"]),
            *(format_share(row[name]) for name in shares),
            f"{row['trials']}", f"{row['trainings']}",
        ]
        for frame in data.by_hyperparameter.values()
        for row in frame.to_dict("records")
    ]  # fmt: skip
    caption = "Every hyperparameter by region: shares are of the trainings that were not pruned."
    return Table("regions", caption, columns, rows, words=("hyperparameter", "value"))


def _seeds(data: ReportData, trial: int) -> Table:
    rows, is_run = data.tables.results.rows[trial], data.tables.design == "run"
    columns, cells = seed_table(rows, METRICS)
    for row, own in zip(rows, cells, strict=True):
        own.append(format_setting(row["seconds"]))
    caption = "Every seed." if is_run else f"The seeds of {named(trial)}."
    return Table("seeds", caption, [*columns, "seconds"], cells, words=("status",))
