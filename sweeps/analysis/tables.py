"""Candidates side by side: every metric, and one metric by every statistic."""

from collections.abc import Collection, Sequence
from typing import Any

from dqn.envs.registry_errors import known_solved_return
from dqn.statistics.comparison import optimality_gap
from dqn.statistics.formatting import Estimate
from dqn.statistics.metrics import METRICS, STATISTICS, Statistic, interval
from dqn.storage.trials import counted, trial_row
from dqn.terminal.tables import as_text, interval_cell, metric_cell, table
from sweeps.analysis.candidates import Candidate
from sweeps.analysis.objective import NAMES

COLLAPSED = 0.5
"""A training that lost more than this share of its best 10 episodes has collapsed."""


def estimate(x: Sequence[float], statistic: Statistic) -> Estimate:
    """`statistic` of a sample, and `metrics.interval` of it."""
    return Estimate.of(*map(float, (statistic(x), *interval(x, statistic))))


def overview(candidates: Sequence[Candidate], marked: Collection[Candidate] = ()) -> str:
    """The IQM of every metric of each, with its interval; names of those `marked` get a *."""
    metrics = [f"{metric.title}\n95 %" for metric in METRICS.values()]
    titles = ["IQM", "seeds", *metrics, f"collapse\n> {COLLAPSED:g}", "solved", "steps"]
    rows = []
    for candidate in candidates:
        own, seeds = trial_row(candidate.rows, ()), len(candidate.rows)
        ends = [row["status"] for row in candidate.rows]
        bad = [f"{ends.count(s)} {s}" for s in ("diverged", "pruned", "failed") if s in ends]
        solved, collapsed, steps = _counts(candidate)
        rows.append([
            candidate.name + "*" * (candidate in marked),
            "\n".join([f"{seeds}", *bad]),
            *(f"{metric_cell(own, name)}\n{interval_cell(own, name)}" for name in METRICS),
            f"{collapsed} of {seeds}", f"{solved} of {seeds}", f"{steps:,}",
        ])  # fmt: skip
    return as_text(table(titles, rows))


def overview_values(candidate: Candidate) -> dict[str, Any]:
    """The same of one, as plain values."""
    solved, collapsed, steps = _counts(candidate)
    return {
        "seeds": [row["seed"] for row in candidate.rows],
        "solved": solved / len(candidate.rows),
        "collapsed": collapsed / len(candidate.rows),
        "steps": steps,
        **trial_row(candidate.rows, ()),
    }


def by_statistic(candidates: Sequence[Candidate], metric: str) -> str:
    """One metric of each by every statistic there is, with intervals."""
    found = [statistics_of(candidate, metric) for candidate in candidates]
    marks = [known_solved_return(candidate.config.env) for candidate in candidates]
    titles = [METRICS[metric].title, *(f"{NAMES[name]}\n95 % interval" for name in STATISTICS)]
    if not METRICS[metric].lower_is_better and any(mark is not None for mark in marks):
        titles.append("optimality gap\n95 % interval")
    rows = []
    for candidate, mark, estimates in zip(candidates, marks, found, strict=True):
        cells = [estimate.text(METRICS[metric].digits) for estimate in estimates.values()]
        cells[-1] += "" if mark is None else f" to {mark:g}"
        rows.append([candidate.name, *cells][: len(titles)])
    return as_text(table(titles, rows))


def statistics_of(candidate: Candidate, metric: str) -> dict[str, Estimate]:
    """`metric` by every statistic, and its optimality gap to the return that counts as solved."""
    x = counted(metric, candidate.rows)
    found = {name: estimate(x, statistic) for name, statistic in STATISTICS.items()}
    mark = known_solved_return(candidate.config.env)
    if mark is None or METRICS[metric].lower_is_better:
        return {**found, "optimality_gap": Estimate()}
    return {**found, "optimality_gap": estimate(x, lambda x: optimality_gap(x, mark))}


def _counts(candidate: Candidate) -> tuple[int, int, int]:
    """Trainings that were solved, those that collapsed or never began, and steps on average."""
    rows = candidate.rows
    solved = sum(row["solved_at"] is not None for row in rows)
    collapsed = sum(value > COLLAPSED for value in counted("collapse", rows))
    return solved, collapsed, round(sum(int(row["steps"] or 0) for row in rows) / len(rows))
