"""trials.csv: what the seeds of one trial say together, one row a trial."""

import csv
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dqn.statistics.metrics import METRICS, interval, iqm
from dqn.storage.columns import Cell, Row
from dqn.storage.seeds_text import RowId, row_id

BASELINE, EXERCISE = "exercise", 999_999
"""The exercise's settings beside trials of a study: their name, and their number in files, which no
study comes to."""
_CHUNK = 16  # intervals that are worked out at once: their resamples stay in the cache

RankKey = tuple[int, float, int]


def numbered(trial: int) -> str:
    """A trial's number, of the exercise's settings their name."""
    return BASELINE if trial == EXERCISE else f"{trial}"


def named(trial: int) -> str:
    """A trial in a sentence."""
    return f"the {BASELINE}" if trial == EXERCISE else f"trial {trial}"


def columns(hyperparameters: Iterable[str]) -> tuple[str, ...]:
    """Column names: each metric is its IQM, beside the two ends of its 95 % interval.

    `same_as` is the number of the trial that has the rows where this one has none of its own, as
    its configuration had been trained before.
    """
    metrics = [name + end for name in METRICS for end in ("", "_low", "_high")]
    return ("trial", *hyperparameters, "status", "seeds_done", "same_as", *metrics)


def read_same(path: Path) -> dict[int, int]:
    """By the number of each trial without rows of its own, that of the trial which has them.

    Of the trials.csv at `path`; nothing where it is not there, damaged or of an earlier version.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            return {int(row["trial"]): int(row["same_as"]) for row in rows if row.get("same_as")}
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return {}


def trial_row(rows: Sequence[Row], hyperparameters: Iterable[str]) -> Row:
    """The row of one trial: `trial_rows` says how it is made."""
    return trial_rows([rows], hyperparameters)[0]


def trial_rows(trials: Iterable[Sequence[Row]], hyperparameters: Iterable[str]) -> list[Row]:
    """A row for each trial, whose rows in seeds.csv (one or more) are an entry of `trials`.

    No seed is dropped in silence. A diverged or pruned seed counts with the returns it earned
    before it ended. What a diverged seed never earned (its test, or any episode at all) counts as
    worse than every other seed's, and a seed that never solved its task as later than every other,
    so either empties the IQM once more than a quarter of the seeds did so; a failed seed, which
    could not be run, counts as a diverged one that earned nothing. Only what was never asked for is
    left out: the test of a pruned seed, or with `test_episodes=0`. A blank IQM or end of an
    interval says that there is no finite one; of a single seed there is no interval.

    `status` is failed if any seed did, else pruned if any was, else diverged if any did, else done;
    `seeds_done` counts the seeds that trained to their end. IQM and interval: `metrics.iqm` and
    `metrics.interval`, of many trials at once; 2,000 trials of 10 seeds take a second.
    """
    names = tuple(hyperparameters)
    table, samples = [], defaultdict(list)
    for rows in trials:
        row = _row_without_metrics(rows, names)
        table.append(row)
        for metric in METRICS:
            values = sorted(counted(metric, rows))
            samples[len(values)].append((row, metric, values))
    for n, entries in samples.items():
        for start in range(0, len(entries), _CHUNK):
            chunk = entries[start : start + _CHUNK]
            x = np.array([values for *_, values in chunk], float).reshape(len(chunk), n)
            _fill(chunk, np.stack([iqm(x), *interval(x)], -1))
    return table


def rank_key(
    rows: Sequence[Row],
    seeds: Collection[int],
    objective: str = "mean_return",
    over: Callable[[Sequence[Row]], float] | None = None,
) -> RankKey:
    """Sorting key of a trial, best first: by the IQM of the metric `objective` of its `rows`.

    With `over`, by what that gives of them, in the unit and sign of the objective.
    Before all others come those that are whole, each of `seeds` done or diverged: a trial that was
    stopped on the way is known by less. Those without a finite IQM come last. The lowest is best of
    a metric of which less is better (`solved_at`, `collapse`); of equals, the first trial.
    """
    value = over(rows) if over else float(iqm(counted(objective, rows)))
    number = int(rows[0]["trial"] or 0)
    if not np.isfinite(value):
        return 2, 0.0, number
    ended = {row["seed"] for row in rows if row["status"] in ("done", "diverged")}
    failed = any(row["status"] not in ("done", "diverged") for row in rows)
    whole = not failed and ended.issuperset(seeds)
    sign = 1.0 if METRICS[objective].lower_is_better else -1.0
    return 0 if whole else 1, sign * value, number


def retried(rows: Iterable[Row]) -> set[RowId]:
    """Which of one trial's trainings the same command trains again: those that failed.

    With them those that were given up when the first failed, which say pruned.
    """
    rows = list(rows)
    failed = any(row["status"] == "failed" for row in rows)
    return {row_id(row) for row in rows if failed and row["status"] in ("failed", "pruned")}


def _row_without_metrics(rows: Sequence[Row], names: Iterable[str]) -> Row:
    statuses = [row["status"] for row in rows]
    first = rows[0]
    worst = (status for status in ("failed", "pruned", "diverged") if status in statuses)
    return {
        "trial": first["trial"],
        **{name: first[name] for name in names},
        "status": next(worst, "done"),
        "seeds_done": statuses.count("done"),
        "same_as": None,
        **{metric + end: None for metric in METRICS for end in ("", "_low", "_high")},
    }


def _fill(entries: Iterable[tuple[Row, str, list[float]]], numbers: np.ndarray) -> None:
    """Put the IQM and the interval [entries, 3] into their rows."""
    finite = np.isfinite(numbers)
    for (row, metric, _), three, known in zip(entries, numbers.tolist(), finite, strict=True):
        for end, number, is_known in zip(("", "_low", "_high"), three, known, strict=True):
            row[metric + end] = number if is_known else None


def counted(metric: str, rows: Iterable[Mapping[str, Cell]]) -> list[float]:
    """What `rows` of seeds.csv count as in `metric`; without those it was never asked of."""
    return [value for row in rows if (value := value_of(metric, row)) is not None]


def value_of(metric: str, row: Mapping[str, Cell]) -> float | None:
    """What a line of seeds.csv counts as in `metric`; None for what was never asked for."""
    value = row[metric]
    if value is not None:
        return float(value)
    lost = row["status"] in ("diverged", "failed") or METRICS[metric].is_episode
    return METRICS[metric].lost if lost else None
