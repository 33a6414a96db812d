"""trials.csv: what the seeds of one trial say together, one row a trial."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from dqn.results.seeds import Cell
from dqn.results.stats import METRICS, interval, iqm


def columns(hyperparameters: Iterable[str]) -> tuple[str, ...]:
    """Column names: each metric is its IQM, beside the two ends of its 95 % interval."""
    metrics = [name + end for name in METRICS for end in ("", "_low", "_high")]
    return ("trial", *hyperparameters, "status", "seeds_done", *metrics)


def trial_row(rows: Sequence[dict[str, Cell]], hyperparameters: Iterable[str]) -> dict[str, Cell]:
    """The row of the trial whose rows in seeds.csv (one or more) are `rows`.

    No seed is dropped in silence. A diverged or pruned seed counts with the returns it earned
    before it ended. What a diverged seed never earned (its test, or any episode at all) counts as
    worse than every other seed's, and a seed that never solved its task as later than every other,
    so either empties the IQM once more than a quarter of the seeds did so. Only what was never
    asked for is left out: the test of a pruned seed, or with `test_episodes=0`. A blank IQM or end
    of an interval says that there is no finite one; of a single seed there is no interval.

    `status` is pruned if any seed was, else diverged if any did, else done; `seeds_done` counts the
    seeds that trained to their end. IQM and interval: `stats.iqm` and `stats.interval`.
    """
    statuses = [row["status"] for row in rows]
    first = rows[0]
    row: dict[str, Cell] = {
        "trial": first["trial"],
        **{name: first[name] for name in hyperparameters},
        "status": next((s for s in ("pruned", "diverged") if s in statuses), "done"),
        "seeds_done": statuses.count("done"),
    }
    for metric in METRICS:
        counted = [value for seed in rows if (value := _value(metric, seed)) is not None]
        low, high = interval(counted)
        for name, value in (("", iqm(counted)), ("_low", low), ("_high", high)):
            row[metric + name] = float(value) if math.isfinite(value) else None
    return row


def best_first(row: dict[str, Cell]) -> tuple[float, int]:
    """Sorting key of trials.csv: the highest IQM of `mean_return` first, blanks last."""
    mean_return = row["mean_return"]
    return (-float(mean_return) if mean_return is not None else np.inf, int(row["trial"] or 0))


def _value(metric: str, row: dict[str, Cell]) -> float | None:
    value = row[metric]
    if value is not None:
        return float(value)
    return METRICS[metric] if row["status"] == "diverged" or metric == "solved_at" else None
