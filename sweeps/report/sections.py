"""What stands on a report's page: what answers first, then all else."""

from typing import Any

import numpy as np

from dqn.statistics.formatting import count, format_interval, format_metric, format_share
from dqn.storage.trials import named
from sweeps.analysis.tables import COLLAPSED
from sweeps.analysis.validation import score_table
from sweeps.report.data import ReportData
from sweeps.report.figures import best_curves, failures, pruned, validation
from sweeps.report.headline import what_matters
from sweeps.report.hyperparameter_figures import axes, curves, importance, influence, pair
from sweeps.report.leaderboard import leaderboard, seeds_table
from sweeps.report.page import Section, Table, paragraph
from sweeps.report.provenance import again, made


def sections(data: ReportData) -> list[Section]:
    """All below the headline but how to read it, without those there is nothing to say in.

    Those that answer come first: which trials are best, how they learn, which hyperparameters
    matter.
    """
    makers = leaderboard, _best, _matter, _validated, _each, _wrong, again, made
    return [section for make in makers if (section := make(data)).parts]


def _best(data: ReportData) -> Section:
    is_run, why, figure = data.tables.design == "run", data.no_curves, best_curves(data)
    title = figure.title if figure else "The best trial"
    parts: list[Any] = [
        figure,
        why and paragraph(f"No learning curves: {why}", "note"),
        None if is_run else seeds_table(data, data.best, f"The seeds of {named(data.best)}"),
    ]
    return Section("best", "How it learns" if is_run else title, parts, answers=True)


def _matter(data: ReportData) -> Section:
    if data.tables.design == "run":
        return Section("matter", "", [])
    parts: list[Any] = [paragraph(what_matters(data)), importance(data)]
    if not data.tables.hyperparameters:
        text = "All trials have the same values: nothing was varied."
        parts = [paragraph(text, "note")]
    elif parts[1] is None:
        parts.append(data.method and paragraph(data.method, "note"))
    return Section("matter", "Which hyperparameters matter", parts, answers=True)


def _each(data: ReportData) -> Section:
    tables, parts = data.tables, []
    pairs = [[influence(data, param), curves(data, param)] for param in data.hyperparameters]
    shown = [made for pair_ in pairs if (made := [figure for figure in pair_ if figure])]
    if shown:
        trials, over = "all trainings with that value", "trainings"
        if tables.design == "sampled":
            trials, over = "the trials whose value is near there", "trials"
        parts.append(
            paragraph(
                f"Each square is the IQM of {trials}, with its 95 % interval over {over}. Each dot "
                "is a trial."
            )
        )
    parts += [axes(data), pair(data), *shown]
    if tables.design == "one at a time":
        text = "Hyperparameters were not varied together: there is no map of a pair."
        parts.append(paragraph(text, "note"))
    return Section("hyperparameters", "Each hyperparameter", parts)


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
    words, folded = ("hyperparameter", "value"), "Every hyperparameter by region, in numbers"
    return Table("regions", caption, columns, rows, words, folded)
