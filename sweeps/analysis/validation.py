"""What a validation found, as values, as tables for a person and as validation.csv."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dqn.runtime.atomic_write import replacing
from dqn.runtime.errors import RunError
from dqn.statistics.formatting import ENDS, NONE, Estimate
from dqn.statistics.metrics import METRICS, Metric
from dqn.storage.columns import Row
from dqn.storage.reader import Results
from dqn.storage.safe_yaml import refuse_endless
from dqn.storage.trials import BASELINE, EXERCISE, named
from dqn.terminal.tables import as_text, table
from sweeps.analysis.candidates import Candidate, SampleComparison, compare_samples
from sweeps.analysis.objective import Objective, objective_of
from sweeps.analysis.tables import estimate, overview, overview_values

TABLE, PRESET = "validation.csv", "recommended.yaml"


@dataclass(frozen=True)
class ValidatedTrial:
    """A trial's scores, or the baseline's, by the study's own statistic."""

    trial: int
    """In the study; `trials.EXERCISE` is the baseline."""
    search_rank: int | None
    """None is the baseline, which was in no search."""
    held_out_rank: int | None
    search_score: Estimate
    """On the study's seeds."""
    held_out_score: Estimate
    """On the new seeds."""
    optimism: Estimate
    """By how much the search score is above that on the new seeds."""
    improvement: Estimate
    """The probability that a training beats one of the baseline, on the new seeds."""
    seeds: int
    """How many new ones."""
    recommended: bool = False

    @property
    def name(self) -> str:
        """In a table."""
        return named(self.trial).removeprefix("the ")


@dataclass(frozen=True)
class Validation:
    """The trials in order of their search scores, the baseline last."""

    results: Results
    """Of the study."""
    held_out: Results
    """The same trials and the baseline on the new seeds."""
    trials: Sequence[ValidatedTrial]
    status: int
    """1 where a training could not be run."""

    @property
    def objective(self) -> Objective:
        """What the study searched the best of."""
        return objective_of(self.results)

    @property
    def winner(self) -> ValidatedTrial | None:
        """The trial that is recommended."""
        return next((trial for trial in self.trials if trial.recommended), None)

    @property
    def seeds(self) -> tuple[int, int]:
        """The first and the last of the new seeds."""
        base = self.held_out.base
        return base.first_seed, base.first_seed + base.seeds - 1

    @property
    def candidates(self) -> list[Candidate]:
        """The trainings on the new seeds."""
        return [Candidate(one.name, self.held_out, one.trial) for one in self.trials]


def validated_trials(
    results: Results, chosen: Sequence[int], held_out: Results
) -> list[ValidatedTrial]:
    """The `chosen` trials, best search score first, and the baseline; one is recommended."""
    objective = objective_of(results)
    ranked = held_out.ranked(objective.of_rows)
    place = {trial: rank for rank, trial in enumerate([n for n in ranked if n != EXERCISE], 1)}
    baseline = held_out.rows[EXERCISE]

    def compared(rows: Sequence[Row], others: Sequence[Row]) -> SampleComparison:
        return compare_samples(
            rows, others, objective.metric, objective.statistic, objective.of_seed
        )

    def score(rows: Sequence[Row]) -> Estimate:
        return estimate(objective.values(rows), objective.statistic)

    trials = []
    for rank, trial in enumerate(chosen, 1):
        searched, new = results.rows[trial], held_out.rows[trial]
        optimism, improvement = compared(searched, new).difference, compared(new, baseline)
        scores = score(searched), score(new), optimism, improvement.improvement
        trials.append(ValidatedTrial(trial, rank, place[trial], *scores, len(new)))
    none, rank = Estimate(), ranked.index(EXERCISE) + 1
    scores = none, score(baseline), none, none
    trials.append(ValidatedTrial(EXERCISE, None, rank, *scores, len(baseline)))
    winner = recommended_trial(trials, objective)
    return [replace(trial, recommended=trial is winner) for trial in trials]


def recommended_trial(
    trials: Iterable[ValidatedTrial], objective: Objective
) -> ValidatedTrial | None:
    """The one with the best end to be counted on of its held-out interval; None if none has one."""
    end, sign = (1, -1.0) if objective.minimised else (0, 1.0)
    bounds = [(sign * ends[end], one) for one in trials if (ends := one.held_out_score.ends)]
    return max(bounds, key=lambda bound: bound[0], default=(None, None))[1]


def render(validation: Validation) -> str:
    """The tables, what is recommended, and what was written where."""
    first, last = validation.seeds
    objective, winner = validation.objective, validation.winner
    metric, statistic = METRICS[objective.metric], objective.statistic_name
    titles, rows = score_table(validation.trials, metric)
    lines = [
        as_text(table([f"{metric.title}\n{statistic} of seeds", *titles[1:]], rows)),
        "",
        overview(validation.candidates),
        "",
        "optimism: search score − score on new seeds; "
        f"seeds {first} to {last} were never used by the study",
    ]
    if objective.aggregate == "low":
        lines.append("ranks are by the end of the interval that can be counted on, as the study's")
    if winner is None:
        lines.append("no trial has a finite interval on the new seeds: nothing is recommended")
    elif winner.trial == EXERCISE:
        lines.append(
            f"no trial's lower bound beats that of the {BASELINE}, which stays recommended"
        )
    else:
        lines.append(
            f"recommended: by the {objective.end} end of the interval on new seeds, not by the "
            f"{statistic} itself"
        )
    lines.append(f"written: {validation.results.path / TABLE}")
    lines += [f"written: {validation.results.path / PRESET}"] * (winner is not None)
    return "\n".join(lines)


def score_table(
    trials: Iterable[ValidatedTrial], metric: Metric
) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of a table of validated trials."""
    estimates = ("search score", "on new seeds", "optimism", f"P(better than {BASELINE})")
    estimates = [f"{title}\n95 % interval" for title in estimates]
    titles = ["trial", *estimates, "rank", "seeds", "recommended"]
    rows = [
        [
            one.name,
            *(e.text(metric.digits) for e in (one.search_score, one.held_out_score, one.optimism)),
            one.improvement.text(2),
            " → ".join(f"{n}" for n in (one.search_rank, one.held_out_rank) if n) or NONE,
            f"{one.seeds}",
            "yes" * one.recommended,
        ]
        for one in trials
    ]
    return titles, rows


def to_plain(validation: Validation) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "metric": validation.objective.metric,
        "aggregate": validation.objective.aggregate,
        "seeds": list(validation.seeds),
        "findings": records_of(validation),
    }


def records_of(validation: Validation) -> list[dict[str, Any]]:
    """The rows of validation.csv by column."""
    returns = [name + end for name in ("final_return", "test_return") for end in ENDS]
    records = []
    for one, candidate in zip(validation.trials, validation.candidates, strict=True):
        values = overview_values(candidate)
        statuses = [row["status"] for row in candidate.rows]
        records.append({
            "trial": None if one.trial == EXERCISE else one.trial,
            "claimed_rank": one.search_rank,
            "held_out_rank": one.held_out_rank,
            **one.search_score.plain("claimed"),
            **one.held_out_score.plain("held_out"),
            **one.optimism.plain("optimism"),
            **one.improvement.plain("improvement"),
            **{name: values[name] for name in (*returns, "solved", "collapsed")},
            "seeds": one.seeds,
            "diverged": statuses.count("diverged"),
            "failed": statuses.count("failed"),
            "recommended": one.recommended,
        })  # fmt: skip
    return records


def write_table(path: Path, validation: Validation) -> None:
    """Write validation.csv, one row a trial and the baseline's last; raises `OSError`."""
    by = {"metric": validation.objective.metric, "aggregate": validation.objective.aggregate}
    frame = pd.DataFrame([{**by, **record} for record in records_of(validation)], dtype=object)
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def read_table(path: Path, metric: str) -> list[ValidatedTrial]:
    """The rows of validation.csv, if they are of this metric; none without a file.

    Raises `RunError`, with line and column, for a cell that is not what `write_table` writes.
    """
    if not path.exists():
        return []
    try:
        refuse_endless(path)
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = [_values(path, reader.line_num, row) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise RunError(f"{path}: must be readable as CSV, is not ({error}); {_AGAIN}") from error
    return [
        ValidatedTrial(
            EXERCISE if row["trial"] is None else row["trial"],
            row["claimed_rank"],
            row["held_out_rank"],
            *(Estimate.in_row(row, name) for name in _ESTIMATES),
            seeds=row["seeds"],
            recommended=row["recommended"],
        )
        for row in rows
        if row["metric"] == metric
    ]


def _values(path: Path, line: int, row: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, read in _READERS.items():
        text = row.get(name)
        try:
            values[name] = None if text == "" and name not in _NEEDED else read(str(text))
        except (ValueError, KeyError):
            what = "missing" if text is None else repr(text[:60])
            raise RunError(
                f"{path}, line {line}: column {name} must be {_WORDS[read]}, is {what}; {_AGAIN}"
            ) from None
    return values


_AGAIN = "python -m sweeps validate writes it anew"
_RECOMMENDED = {"True": True, "False": False}.__getitem__
_ESTIMATES = ("claimed", "held_out", "optimism", "improvement")
_NEEDED = ("metric", "seeds", "recommended")
_READERS: dict[str, Callable[[str], Any]] = {
    "metric": str, "trial": int, "claimed_rank": int, "held_out_rank": int,
    **{name + end: float for name in _ESTIMATES for end in ENDS},
    "seeds": int, "recommended": _RECOMMENDED,
}  # fmt: skip
_WORDS = {str: "text", int: "a whole number", float: "a number", _RECOMMENDED: "True or False"}


def title(validation: Validation, winner: ValidatedTrial) -> str:
    """What recommended.yaml says of itself, in one line."""
    path, metric = validation.results.path, METRICS[validation.objective.metric]
    name = " ".join((path.name or path.resolve().name).split())
    who = named(winner.trial) + f" of {name}" * (winner.trial != EXERCISE)
    return (
        f"{who}: {metric.title} {winner.held_out_score.text(metric.digits)}, "
        f"{validation.objective.statistic_name} of {winner.seeds} seeds it was not chosen by"
    )
