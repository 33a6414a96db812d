"""Candidates side by side: every metric, and one metric by every statistic."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from dqn.config import EnvConfig
from dqn.envs.registry_errors import known_registration, known_solved_return
from dqn.statistics.comparison import optimality_gap
from dqn.statistics.formatting import format_estimate
from dqn.statistics.metrics import METRICS, STATISTICS, Statistic, interval
from dqn.storage.trials import counted, trial_row
from dqn.terminal.tables import as_text, interval_cell, metric_cell
from sweeps.analysis.candidates import Candidate

COLLAPSED = 0.5
"""A training that lost more than this share of its best 10 episodes has collapsed."""
NAMES = {"iqm": "IQM", "mean": "mean", "median": "median"}


@dataclass(frozen=True)
class Estimate:
    """A statistic of some trainings with its 95 % interval; None where none is finite."""

    value: float | None
    ends: tuple[float, float] | None = None

    def text(self, digits: int) -> str:
        """As `format_estimate`."""
        return format_estimate(self.value, self.ends, digits)

    def plain(self, name: str) -> dict[str, float | None]:
        """Three plain values: `name`, and it with _low and _high."""
        low, high = self.ends or (None, None)
        return {name: self.value, f"{name}_low": low, f"{name}_high": high}


def estimate(x: Sequence[float], statistic: Statistic) -> Estimate:
    """`statistic` of a sample, and `metrics.interval` of it."""
    value, low, high = (float(v) for v in (statistic(x), *interval(x, statistic)))
    ends = (low, high) if np.isfinite([low, high]).all() else None
    return Estimate(value if np.isfinite(value) else None, ends)


def table(*columns: str, left: int = 1) -> Table:
    """An empty table in the house's style, its first `left` columns flush left."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, title in enumerate(columns):
        made.add_column(title, justify="left" if place < left else "right")
    return made


def overview(candidates: Sequence[Candidate], marked: Collection[Candidate] = ()) -> str:
    """The IQM of every metric of each, with its interval; names of those `marked` get a *."""
    titles = [f"{metric.title}\n95 %" for metric in METRICS.values()]
    made = table("IQM", "seeds", *titles, f"collapse\n> {COLLAPSED:g}", "solved", "steps")
    for candidate in candidates:
        row = trial_row(candidate.rows, ())
        cells = [f"{metric_cell(row, name)}\n{interval_cell(row, name)}" for name in METRICS]
        made.add_row(
            candidate.name + "*" * (candidate in marked), _seeds(candidate), *cells,
            f"{len(_collapsed(candidate))} of {len(candidate.rows)}",
            f"{len(_solved(candidate))} of {len(candidate.rows)}", f"{_steps(candidate):,}",
        )  # fmt: skip
    return as_text(made).strip("\n")


def overview_values(candidate: Candidate) -> dict[str, Any]:
    """The same of one, as plain values."""
    return {
        "seeds": [row["seed"] for row in candidate.rows],
        "solved": len(_solved(candidate)) / len(candidate.rows),
        "collapsed": len(_collapsed(candidate)) / len(candidate.rows),
        "steps": _steps(candidate),
        **trial_row(candidate.rows, ()),
    }


def by_statistic(candidates: Sequence[Candidate], metric: str) -> str:
    """One metric of each by every statistic there is, with intervals."""
    marks = [known_solved_return(candidate.config.env) for candidate in candidates]
    gap = not METRICS[metric].lower_is_better and any(mark is not None for mark in marks)
    made = table(METRICS[metric].title, *(f"{NAMES[name]}\n95 % interval" for name in STATISTICS),
                 *["optimality gap\n95 % interval"] * gap)  # fmt: skip
    for candidate, mark in zip(candidates, marks, strict=True):
        found = statistics_of(candidate, metric)
        digits = METRICS[metric].digits
        cells = [found[name].text(digits) for name in STATISTICS]
        if gap:
            to = "" if mark is None else f" to {mark:g}"
            cells.append(found["optimality_gap"].text(digits) + to)
        made.add_row(candidate.name, *cells)
    return as_text(made).strip("\n")


def statistics_of(candidate: Candidate, metric: str) -> dict[str, Estimate]:
    """`metric` by every statistic, and its optimality gap to the return that counts as solved."""
    x = counted(metric, candidate.rows)
    found = {name: estimate(x, statistic) for name, statistic in STATISTICS.items()}
    mark = known_solved_return(candidate.config.env)
    if mark is None or METRICS[metric].lower_is_better:
        return {**found, "optimality_gap": Estimate(None)}
    return {**found, "optimality_gap": estimate(x, lambda x: optimality_gap(x, mark))}


def time_limit(env: EnvConfig) -> int | None:
    """Steps after which an episode is cut; None: no such limit, or none that is known here.

    Known from where `known_solved_return` is.
    """
    if env.max_episode_steps is not None:
        return env.max_episode_steps
    return getattr(known_registration(env.id), "max_episode_steps", None)


def _seeds(candidate: Candidate) -> str:
    """How many, and in words how many of them did not end well."""
    statuses = [row["status"] for row in candidate.rows]
    bad = [f"{statuses.count(s)} {s}" for s in ("diverged", "pruned", "failed") if s in statuses]
    return "\n".join([f"{len(statuses)}", *bad])


def _solved(candidate: Candidate) -> list[Mapping[str, Any]]:
    return [row for row in candidate.rows if row["solved_at"] is not None]


def _collapsed(candidate: Candidate) -> list[float]:
    """Of the trainings that count as collapsed, by how much; a diverged one without returns too."""
    return [value for value in counted("collapse", candidate.rows) if value > COLLAPSED]


def _steps(candidate: Candidate) -> int:
    """Environment steps of one training, on average."""
    return round(sum(int(row["steps"] or 0) for row in candidate.rows) / len(candidate.rows))
