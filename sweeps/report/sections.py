"""What stands on a report's page, from the answer at its top to what it was made with."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from dqn.statistics.formatting import count, setting
from dqn.statistics.metrics import METRICS
from dqn.storage.trials import named, numbered
from sweeps.analysis.candidates import TITLES, Contender, told_terms
from sweeps.analysis.frames import Tables
from sweeps.analysis.hyperparameters import told
from sweeps.analysis.tables import COLLAPSED
from sweeps.report.data import Evidence
from sweeps.report.figures import Drawn, influence_of
from sweeps.report.headline import Answer, metric_told, spanned_or_none
from sweeps.report.page import Part, Section, Table, element, paragraph
from sweeps.report.provenance import again, made, reading


def top(evidence: Evidence, answer: Answer) -> Iterator[Part]:
    """The first screen: what is best, how sure that is, which knobs matter."""
    results = evidence.tables.results
    kind = (results.sweep or {}).get("kind", "run")
    name = results.path.name or results.path.resolve().name
    one = Contender(name, results, evidence.best)
    yield element("h1", f"{name} · {kind} of {told_terms(one)}")
    yield paragraph(answer.headline, "headline")
    if answer.progress:
        yield paragraph(answer.progress, "unfinished")
    cards = ("How sure", answer.sureness), ("Which knobs matter", answer.knobs)
    yield element(
        "div",
        *(element("div", element("h2", title), paragraph(text)) for title, text in cards),
        class_="cards",
    )


def sections(evidence: Evidence, drawn: Drawn) -> list[Section]:
    """All below it, without those there is nothing to say in."""
    of_figures = (_best, _knobs, _held, _wrong)
    written = [
        _leaders(evidence),
        *(section(evidence, drawn) for section in of_figures),
        *(section(evidence) for section in (again, made, reading)),
    ]
    kept = {s.name: [part for part in s.parts if part is not None and part != []] for s in written}
    return [Section(s.name, s.title, kept[s.name]) for s in written if kept[s.name]]


def _leaders(evidence: Evidence) -> Section:
    tables = evidence.tables
    if tables.design == "run":
        return Section("leaderboard", "Seeds", [_seeds(tables, 0)])
    metric = tables.metric
    others = [name for name in METRICS if name != metric]
    title, order = TITLES[metric], tables.ranked_by.partition(" of ")[0]
    twice = order != "IQM"
    own = [f"{title}, {order}", f"{title}, IQM"] if twice else [title]
    columns = ["rank", "trial", *own, "95 % interval", *(k.name for k in tables.knobs),
               *(TITLES[m] for m in others), "solved", "seeds", "status"]  # fmt: skip
    rows = [
        [
            f"{rank}", numbered(row["trial"]), *[metric_told(row["order"], metric)] * twice,
            metric_told(row[metric], metric), _ends(row, metric),
            *(told(row[knob.column]) for knob in tables.knobs),
            *(metric_told(row[m], m) for m in others), f"{row['solved']:.0%}", f"{row['rows']}",
            row["status"],
        ]
        for rank, row in enumerate(tables.trials.to_dict("records"), 1)
    ]  # fmt: skip
    caption = (
        f"{'All ' if len(rows) > 1 else ''}{count(len(rows), 'trial')}, best first by the "
        f"{tables.ranked_by} of {title}. {'Every other' if twice else 'Each'} number is the IQM "
        "over the trial's seeds. A heading sorts."
    )
    return Section("leaderboard", "Leaderboard",
                   [Table("trials", caption, columns, rows, words=("status",))])  # fmt: skip


def _best(evidence: Evidence, drawn: Drawn) -> Section:
    tables = evidence.tables
    parts: list[Any] = [drawn.get("best_curve")]
    if evidence.no_curves:
        parts.append(paragraph(f"No learning curves: {evidence.no_curves}", "note"))
    if tables.design != "run":
        parts.append(_seeds(tables, evidence.best))
    return Section("best", "How it learns" if tables.design == "run" else "The best trial", parts)


def _knobs(evidence: Evidence, drawn: Drawn) -> Section:
    tables = evidence.tables
    parts: list[Any] = []
    if tables.knobs:
        parts.append(paragraph(_how_to_read(tables)))
    elif tables.design != "run":
        parts.append(paragraph("All trials have the same values: nothing was varied.", "note"))
    if tables.knobs and "importance" not in drawn:
        parts.append(paragraph(evidence.method, "note"))
    parts += [drawn.get("importance"), drawn.get("axes"), drawn.get("pair")]
    for knob in evidence.knobs:
        parts.append(influence_of(drawn, knob))
    if tables.design == "one at a time":
        parts.append(
            paragraph("Knobs were not varied together: there is no map of a pair.", "note")
        )
    return Section("knobs", "The knobs", parts)


def _held(evidence: Evidence, drawn: Drawn) -> Section:
    findings, metric = evidence.findings, evidence.tables.metric
    if not findings:
        return Section("validation", "", [])
    columns = ["trial", "claimed", "held on new seeds", "optimism", "rank claimed", "rank held",
               "P(better than exercise)", "seeds", "recommended"]  # fmt: skip
    rows = [
        [
            one["name"],
            *(spanned_or_none(one, part, metric) for part in ("claimed", "held_out", "optimism")),
            *("-" if one[n] is None else f"{one[n]}" for n in ("claimed_rank", "held_out_rank")),
            spanned_or_none(one, "improvement", "collapse"), f"{one['seeds']}",
            "yes" if one["recommended"] else "",
        ]
        for one in findings
    ]  # fmt: skip
    first = int(evidence.tables.trials["trial"].iloc[0])
    stale = None
    if first not in [one["trial"] for one in findings]:
        stale = paragraph(
            f"Trial {first}, the best by its claim now, was not validated. Move `validation/` away "
            "and validate again.", "unfinished",
        )  # fmt: skip
    caption = (
        f"{TITLES[metric]}: optimism is claimed − held. Recommended is the best lower bound on new "
        "seeds, not the best claim."
    )
    table = Table("findings", caption, columns, rows, words=("trial", "recommended"))
    return Section(
        "validation", "Does it hold on new seeds?", [stale, drawn.get("validation"), table]
    )


def _wrong(evidence: Evidence, drawn: Drawn) -> Section:
    tables = evidence.tables
    seeds, trials = tables.seeds, tables.trials
    ended = seeds[seeds["status"] != "pruned"]
    lost, collapsed = (np.count_nonzero(ended[name]) for name in ("lost", "collapsed"))
    told_so = paragraph(
        f"Of {len(ended):,} trainings that were not pruned {lost:,} diverged or failed, and "
        f"{collapsed:,} collapsed: lost more than {COLLAPSED:.0%} of their best by the end."
    )
    parts: list[Any] = [told_so, drawn.get("failures")]
    if evidence.of_knobs and len(trials) > 1:
        parts.append(_regions(evidence))
    gone = trials[trials["status"] == "pruned"]
    if len(gone):
        saved = (1.0 - gone["budget"]).mean()
        parts += [
            paragraph(
                f"{len(gone)} of {count(len(trials), 'trial')} were pruned, with {saved:.0%} of "
                "their budget unused on average. They are in no interval of a knob: what a "
                "training earns early is no measure of what it would have earned."
            ),
            drawn.get("pruned"),
        ]
    elif tables.design == "sampled":
        parts.append(paragraph("No trial was pruned.", "note"))
    return Section("failures", "What went wrong", parts)


def _regions(evidence: Evidence) -> Table:
    metric = evidence.tables.metric
    shares = ("diverged", "collapsed", "solved")
    columns = [
        "knob", "value", TITLES[metric], "95 % interval", *shares, "trials", "trainings",
    ]  # fmt: skip
    rows = [
        [
            row["knob"], row["region"], metric_told(row["value"], metric),
            _interval(row["low"], row["high"], metric),
            *("-" if pd.isna(row[name]) else f"{row[name]:.0%}" for name in shares),
            f"{row['trials']}", f"{row['trainings']}",
        ]
        for frame in evidence.of_knobs.values()
        for row in frame.to_dict("records")
    ]  # fmt: skip
    caption = "Every knob by region: shares are of the trainings that were not pruned."
    return Table("regions", caption, columns, rows, words=("knob", "value"))


def _seeds(tables: Tables, trial: int) -> Table:
    columns = ["seed", "status", "episodes", "steps", *(TITLES[m] for m in METRICS), "seconds"]
    rows = [
        [
            f"{row['seed']}", f"{row['status']}", f"{row['episodes']:,}", f"{row['steps']:,}",
            *("-" if row[m] is None else metric_told(float(row[m] or 0), m) for m in METRICS),
            setting(row["seconds"]),
        ]
        for row in tables.results.rows[trial]
    ]  # fmt: skip
    caption = f"The seeds of {named(trial)}." if tables.design != "run" else "Every seed."
    return Table("seeds", caption, columns, rows, words=("status",))


def _how_to_read(tables: Tables) -> str:
    if tables.design == "sampled":
        return (
            "Each square is the IQM of the trials whose value is near there, with its 95 % "
            "interval over trials. Each dot is a trial."
        )
    return (
        "Each square is the IQM of all trainings with that value, with its 95 % interval over "
        "trainings. Each dot is a trial."
    )


def _ends(row: dict[Any, Any], metric: str) -> str:
    return _interval(row[f"{metric}_low"], row[f"{metric}_high"], metric)


def _interval(low: float, high: float, metric: str) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return "-"
    return f"{metric_told(low, metric)} to {metric_told(high, metric)}"
