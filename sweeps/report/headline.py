"""What a folder of results says, in sentences: the best, how sure that is, what matters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dqn.statistics.formatting import count, format_estimate, format_share
from dqn.statistics.metrics import METRICS
from dqn.storage.columns import Row
from dqn.storage.reader import Results
from dqn.storage.safe_yaml import plain_of
from dqn.storage.trials import BASELINE, named
from sweeps.analysis.candidates import compare_samples
from sweeps.analysis.frames import ReportFrames
from sweeps.report.data import Finding, ReportData
from sweeps.search.samplers import sampling
from sweeps.search.space_parser import search_space

_MOST_NAMED = 3  # hyperparameters


@dataclass(frozen=True)
class Summary:
    """One sentence or two each; `progress` is "" where all is done."""

    headline: str
    sureness: str
    hyperparameters: str
    progress: str


def summarise(data: ReportData) -> Summary:
    """The sentences at the top of a report."""
    tables, findings = data.tables, data.findings
    return Summary(
        _headline(tables, findings),
        _sureness(tables, findings),
        _hyperparameters(data),
        _progress(tables),
    )


def progress(tables: ReportFrames) -> tuple[int, int]:
    """How many of the trials that were asked for are over, and how many were asked for.

    Of all tasks together, where the tables are of one of several.
    """
    results = tables.results.part_of or tables.results
    asked = expected(results)
    is_study = (results.sweep or {}).get("kind") == "study"
    over = {n for n, rows in results.rows.items() if _is_over(results, rows)}
    over |= {n for n, original in results.same_as.items() if original in over}
    return sum(n < asked or not is_study for n in over), asked


def expected(results: Results) -> int:
    """How many trials the last command for the folder asked for."""
    sweep, base = results.sweep or {}, results.base
    params = sweep.get("params") or {}
    if sweep.get("kind") == "grid":
        asked = math.prod(map(len, params.values()))
    elif sweep.get("kind") == "study":
        last = _last_asked(results.path)
        asked = max(int(sweep.get("n_trials", 0)), len(results.rows)) if last is None else last
        sampler = sweep.get("sampler") or {}
        if str(sampler.get("_target_")).endswith(("OneAtATime", "GridSampler")):
            space = search_space([], params, lambda overrides: base)
            asked = min(asked, sampling(sampler, space, base, sweep.get("seed", 0)).limit or asked)
        return asked
    else:
        asked = len(sweep.get("trials", ())) + 1
    return max(asked, len(results.rows))


def _last_asked(path: Path) -> int | None:
    """`n_trials` of a study's last command, which may be less than that of one before it.

    sweep.yaml has the most that was ever asked for. None where .hydra/ does not say.
    """
    try:
        text: Any = plain_of(path / ".hydra" / "hydra.yaml")
    except (OSError, ValueError):
        return None
    for name in ("hydra", "sweeper", "n_trials"):
        text = text.get(name) if isinstance(text, dict) else None
    return text if type(text) is int and text > 0 else None


def _is_over(results: Results, rows: Sequence[Row]) -> bool:
    """Whether a trial has all its seeds, or was stopped on the way."""
    stages = (results.sweep or {}).get("racing") or []
    full = len(rows) in stages or len(rows) >= results.base.seeds
    return full or any(row["status"] in ("pruned", "failed") for row in rows)


def _headline(tables: ReportFrames, findings: Sequence[Finding]) -> str:
    metric, best = METRICS[tables.metric], tables.trials.iloc[0]
    title = metric.title
    if not math.isfinite(best["value"]):
        counts = tables.seeds["status"].value_counts()
        text = ", ".join(f"{n} {status}" for status, n in counts.items())
        what = "Nothing" if tables.design == "run" else "No trial"
        return f"{what} has a finite {title}: of {count(len(tables.seeds), 'training')} {text}."
    winner = next((one for one in findings if one["recommended"]), None)
    if winner is not None and winner["held_out"] is not None:
        held = part_of(winner, "held_out", metric.digits)
        seeds = f"{winner['seeds']} new seeds"
        if winner["trial"] is None:
            return f"No trial beats the {BASELINE}: {title} {held} on {seeds}."
        return (
            f"Trial {winner['trial']} is best: {title} {held} on {seeds} that it was not chosen by."
        )
    value, *ends = (best[metric.name + end] for end in ("", "_low", "_high"))
    value = format_estimate(value, ends, metric.digits)
    text = f"{title} {value} over {count(best['rows'], 'seed')}."
    if tables.design == "run":
        return text[0].upper() + text[1:]
    have, asked = progress(tables)
    who = named(best["trial"])
    return f"{who[0].upper()}{who[1:]} is best{' so far' * (have < asked)}: {text}"


def _sureness(tables: ReportFrames, findings: Sequence[Finding]) -> str:
    trials, best = tables.trials, tables.trials.iloc[0]
    winner = next((one for one in findings if one["recommended"]), None)
    if winner is not None and winner["trial"] is not None and winner["held_out"] is not None:
        digits = METRICS[tables.metric].digits
        text = f"Validated. It claimed {part_of(winner, 'claimed', digits)}"
        if winner["optimism"] is not None:
            text += f"; {_luck(winner, tables.metric)}"
        if winner["improvement"] is not None:
            chance = part_of(winner, "improvement", 2)
            text += f". One training beats one of the {BASELINE} with probability {chance}"
            if {winner["improvement_low"], winner["improvement_high"]} & {0.0, 1.0}:
                text += "; an interval that ends at 0 or 1 is too short"
        return f"{text}."
    if tables.design == "run" or len(trials) == 1 or not math.isfinite(best["value"]):
        seeds = tables.seeds
        trainings = count(len(seeds), "training")
        text = f"{np.count_nonzero(seeds['solved'])} of {trainings} solved the task"
        if lost := np.count_nonzero(seeds["lost"]):
            text += f", {lost} diverged or failed"
        few = " An interval of so few seeds is too short." if len(seeds) < 10 else ""
        return f"{text}.{few}"
    text = (
        f"The number is optimistic: {named(best['trial'])} was chosen out of {len(trials)} by the "
        "seeds that it is measured with."
    )
    if tables.results.part_of is None:
        text += " `python -m sweeps validate` measures it with new ones."
    second = trials.iloc[1]
    rows = tables.results.rows
    gap = compare_samples(rows[int(best["trial"])], rows[int(second["trial"])], tables.metric)
    if gap.difference_interval is not None:
        low, high = gap.difference_interval
        apart = "differs from" if low > 0 or high < 0 else "cannot be distinguished from"
        digits = METRICS[tables.metric].digits
        difference = format_estimate(gap.difference, gap.difference_interval, digits)
        text += f" It {apart} the runner-up, {named(second['trial'])}: "
        text += f"the difference is {difference}."
    return text


def _luck(winner: Finding, metric: str) -> str:
    """What a claim came to on new seeds: how much of it was luck, where that is known."""
    value, low, high = (winner[f"optimism{end}"] for end in ("", "_low", "_high"))
    ends = None if low is None or high is None else (low, high)
    undecided = ends is not None and ends[0] <= 0.0 <= ends[1]
    less_is_better, digits = METRICS[metric].lower_is_better, METRICS[metric].digits
    if value > 0 and not (undecided or less_is_better):
        return f"{format_estimate(value, ends, digits)} of that was luck"
    did = "worse" if (value < 0) == less_is_better else "better"
    if value < 0:
        value, ends = -value, (-ends[1], -ends[0]) if ends else None
    by = format_estimate(value, ends, digits)
    chance = ", which may be chance: the interval includes 0" if undecided else ""
    return f"on new seeds it did {did} by {by}{chance}"


def _hyperparameters(data: ReportData) -> str:
    tables, importance = data.tables, data.importance
    if not tables.hyperparameters:
        return "Nothing was varied."
    if importance is not None:
        clear = importance.loc[importance["share"] > importance["chance"]]
        if clear.empty:
            return (
                f"No hyperparameter stands out from what chance gives in {len(tables.counted)} "
                "trials; the "
                f"longest bar is that of {importance['hyperparameter'].iloc[0]}."
            )
        text = []
        for one in clear.to_dict("records")[:_MOST_NAMED]:
            regions = data.by_hyperparameter[one["hyperparameter"]]
            best = _best_first(regions, tables.metric).iloc[0]["region"]
            share = format_share(one["share"])
            text.append(f"{one['hyperparameter']} ({share} of all importance, best at {best})")
        rest = len(importance) - len(clear)
        others = f" {rest} of {len(importance)} do no more than chance." if rest else ""
        return f"{', '.join(text)}, by PED-ANOVA.{others}"
    known = data.effects["hyperparameter"][data.effects["effect"].notna()]
    if known.empty:
        return (
            "No hyperparameter has two regions with such a value: which one matters is not known."
        )
    return " ".join(
        best_and_worst(data.by_hyperparameter[name], name, tables.metric) for name in known.head(2)
    )


def best_and_worst(frame: pd.DataFrame, name: str, metric: str) -> str:
    """Where a hyperparameter's best and worst regions lie, in a sentence."""
    known = _best_first(frame, metric)
    if len(known) < 2:
        return f"{name}: one region alone has trials."
    best, worst = known.iloc[0], known.iloc[-1]
    return (
        f"{name}: best at {best['region']}, {METRICS[metric].title} "
        f"{_estimate(best, metric)}; worst at {worst['region']}, {_estimate(worst, metric)}."
    )


def _best_first(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The regions of a value; those of a single trial, without an interval, only if all are."""
    known = frame.loc[frame["value"].notna()]
    sure = known.loc[known["low"].notna()]
    return (sure if len(sure) > 1 else known).sort_values(
        "value", ascending=METRICS[metric].lower_is_better, kind="stable"
    )  # pyright: ignore[reportCallIssue]


def _progress(tables: ReportFrames) -> str:
    if tables.design == "run":
        have, asked = len(tables.seeds), tables.results.base.seeds
        return f"Half-finished: {have} of {count(asked, 'seed')}." if have < asked else ""
    have, asked = progress(tables)
    if have >= asked:
        return ""
    return (
        f"{have} of {count(asked, 'trial')}: the others are not done yet, or their settings were "
        "refused. The same command resumes."
    )


def part_of(one: Finding, name: str, digits: int) -> str:
    """A number of a row of validation.csv with its interval, - where there is none."""
    return format_estimate(one[name], (one[f"{name}_low"], one[f"{name}_high"]), digits)


def _estimate(row: Any, metric: str) -> str:
    ends = row["low"], row["high"]
    return format_estimate(row["value"], ends, METRICS[metric].digits, "none that is finite")
