"""What a folder of results says, in sentences: the best, how sure that is, what matters."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dqn.statistics.formatting import Estimate, count, format_share
from dqn.statistics.metrics import Metric
from dqn.storage.trials import BASELINE, EXERCISE, named
from sweeps.analysis.candidates import difference_of, format_terms
from sweeps.analysis.frames import ReportFrames
from sweeps.analysis.validation import ValidatedTrial
from sweeps.report.data import ReportData
from sweeps.search.progress import trials_over

_MOST_NAMED = 3  # hyperparameters


@dataclass(frozen=True)
class Summary:
    """A title, and one sentence or two each; `progress` is "" where all is done."""

    title: str
    headline: str
    sureness: str
    hyperparameters: str
    progress: str
    is_sampled: bool
    """Whether a sampler chose the trials."""


def summarise(data: ReportData) -> Summary:
    """The first screen: what is best, how sure that is, which hyperparameters matter."""
    results = data.tables.results
    kind = (results.sweep or {}).get("kind", "run")
    name = results.path.name or results.path.resolve().name
    return Summary(
        f"{name} · {kind} of {format_terms(results.config(data.best))}",
        _headline(data),
        _sureness(data),
        what_matters(data),
        _progress(data.tables),
        data.tables.design == "sampled",
    )


def progress(tables: ReportFrames) -> tuple[int, int]:
    """How many of the trials that were asked for, of all tasks, are over, and how many were."""
    return trials_over(tables.results)


def _headline(data: ReportData) -> str:
    tables, metric, winner = data.tables, data.metric, data.recommended
    best, is_run = tables.trials.iloc[0], tables.design == "run"
    if not math.isfinite(best["value"]):
        counts = tables.seeds["status"].value_counts()
        text = ", ".join(f"{n} {status}" for status, n in counts.items())
        what = "Nothing" if is_run else "No trial"
        return (
            f"{what} has a finite {metric.title}: of {count(len(tables.seeds), 'training')} {text}."
        )
    if winner is not None:
        score = f"{metric.title} {winner.held_out_score.text(metric.digits)}"
        seeds = f"{winner.seeds} new seeds"
        if winner.trial == EXERCISE:
            return f"No trial beats the {BASELINE}: {score} on {seeds}."
        return f"Trial {winner.trial} is best: {score} on {seeds} that it was not chosen by."
    value = Estimate.in_row(best, metric.name).text(metric.digits)
    text = f"{metric.title} {value} over {count(best['rows'], 'seed')}."
    have, asked = progress(tables)
    if not is_run:
        text = f"{named(best['trial'])} is best{' so far' * (have < asked)}: {text}"
    return text[0].upper() + text[1:]


def _sureness(data: ReportData) -> str:
    tables, winner = data.tables, data.recommended
    trials, best, seeds = tables.trials, tables.trials.iloc[0], tables.seeds
    if winner is not None and winner.trial != EXERCISE:
        return _validated(winner, data.metric)
    if tables.design == "run" or len(trials) == 1 or not math.isfinite(best["value"]):
        solved, lost = (np.count_nonzero(seeds[name]) for name in ("solved", "lost"))
        text = f"{solved} of {count(len(seeds), 'training')} solved the task"
        text += f", {lost} diverged or failed" * bool(lost)
        return f"{text}.{' An interval of so few seeds is too short.' * (len(seeds) < 10)}"
    text = (
        f"The number is optimistic: {named(best['trial'])} was chosen out of {len(trials)} by the "
        "seeds that it is measured with."
    )
    if tables.results.part_of is None:
        text += " `python -m sweeps validate` measures it with new ones."
    second = trials.iloc[1]
    mine, other = (tables.results.rows[int(trial["trial"])] for trial in (best, second))
    gap = difference_of(mine, other, tables.metric)
    if gap.ends is not None:
        low, high = gap.ends
        apart = "differs from" if low > 0 or high < 0 else "cannot be distinguished from"
        text += f" It {apart} the runner-up, {named(second['trial'])}: "
        text += f"the difference is {gap.text(data.metric.digits)}."
    return text


def _validated(winner: ValidatedTrial, metric: Metric) -> str:
    text = f"Validated. Its search score was {winner.search_score.text(metric.digits)}"
    if winner.optimism.value is not None:
        text += f"; {_luck(winner.optimism, metric)}"
    if winner.improvement.value is not None:
        chance = winner.improvement.text(2)
        text += f". One training beats one of the {BASELINE} with probability {chance}"
        if {0.0, 1.0} & set(winner.improvement.ends or ()):
            text += "; an interval that ends at 0 or 1 is too short"
    return f"{text}."


def _luck(optimism: Estimate, metric: Metric) -> str:
    """What a search score came to on new seeds: how much of it was luck, where that is known."""
    value, ends = optimism.value or 0.0, optimism.ends
    undecided = ends is not None and ends[0] <= 0.0 <= ends[1]
    if value > 0 and not (undecided or metric.lower_is_better):
        return f"{optimism.text(metric.digits)} of that was luck"
    did = "worse" if (value < 0) == metric.lower_is_better else "better"
    if value < 0:
        optimism = Estimate(-value, (-ends[1], -ends[0]) if ends else None)
    chance = ", which may be chance: the interval includes 0" if undecided else ""
    return f"on new seeds it did {did} by {optimism.text(metric.digits)}{chance}"


def what_matters(data: ReportData) -> str:
    """Which hyperparameters matter, and where they are best."""
    tables, importance = data.tables, data.importance
    if not tables.hyperparameters:
        return "Nothing was varied."
    if importance is not None:
        clear = importance.loc[importance["share"] > importance["chance"]]
        if clear.empty:
            return (
                f"No hyperparameter stands out from what chance gives in {len(tables.counted)} "
                f"trials; the longest bar is that of {importance['hyperparameter'].iloc[0]}."
            )
        text = [
            f"{name} ({format_share(share)} of all importance, best at "
            f"{_best_first(data.by_hyperparameter[name], data.metric)['region'].iloc[0]})"
            for name, share in zip(clear["hyperparameter"], clear["share"], strict=True)
        ]
        rest = len(importance) - len(clear)
        others = f" {rest} of {len(importance)} do no more than chance." * bool(rest)
        return f"{', '.join(text[:_MOST_NAMED])}, by PED-ANOVA.{others}"
    known = data.effects["hyperparameter"][data.effects["effect"].notna()]
    if known.empty:
        return (
            "No hyperparameter has two regions with such a value: which one matters is not known."
        )
    return " ".join(best_and_worst(data, name) for name in known.head(2))


def best_and_worst(data: ReportData, name: str) -> str:
    """Where a hyperparameter's best and worst regions lie, in a sentence."""
    known = _best_first(data.by_hyperparameter[name], data.metric)
    if len(known) < 2:
        return f"{name}: one region alone has trials."
    columns = (known[column].iloc[[0, -1]] for column in ("region", "value", "low", "high"))
    (best, top), (worst, bottom) = (
        (region, Estimate.of(*numbers).text(data.metric.digits, "none that is finite"))
        for region, *numbers in zip(*columns, strict=True)
    )
    return f"{name}: best at {best}, {data.metric.title} {top}; worst at {worst}, {bottom}."


def _best_first(frame: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """The regions of a value; those of a single trial, without an interval, only if all are."""
    known = frame.loc[frame["value"].notna()]
    sure = known.loc[known["low"].notna()]
    known = sure if len(sure) > 1 else known
    return known.sort_values("value", ascending=metric.lower_is_better, kind="stable")  # pyright: ignore[reportCallIssue]


def _progress(tables: ReportFrames) -> str:
    have, asked = progress(tables)
    if tables.design == "run":
        have, asked = len(tables.seeds), tables.results.base.seeds
        return f"Half-finished: {have} of {count(asked, 'seed')}." * (have < asked)
    return (
        f"{have} of {count(asked, 'trial')}: the others are not done yet, or their settings were "
        "refused. The same command resumes."
    ) * (have < asked)
