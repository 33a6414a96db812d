"""What a validation found, as values, as tables for a person and as validation.csv."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dqn.config import Config
from dqn.runtime.atomic_write import replacing
from dqn.runtime.errors import RunError
from dqn.statistics.metrics import METRICS
from dqn.storage.columns import Row
from dqn.storage.reader import Results
from dqn.storage.safe_yaml import refuse_endless
from dqn.storage.trials import BASELINE, EXERCISE
from dqn.terminal.tables import as_text
from sweeps.analysis.candidates import Candidate, SampleComparison, compare_samples
from sweeps.analysis.objective import Objective, objective_of
from sweeps.analysis.tables import (
    NAMES,
    Estimate,
    estimate,
    overview,
    overview_values,
    table,
)

TABLE, PRESET = "validation.csv", "recommended.yaml"


@dataclass(frozen=True)
class ValidatedTrial:
    """One trial's score in the search and on the new seeds, or the baseline's on these.

    By the study's own statistic.
    """

    trial: int | None
    """In the study; None is the baseline."""
    search_rank: int | None
    held_out_rank: int
    search_score: Estimate
    """On the study's seeds."""
    held_out_score: Estimate
    """On the new seeds."""
    optimism: SampleComparison | None
    """The search's score less that of the new seeds."""
    versus: SampleComparison | None
    """Against the baseline, on the new seeds."""
    candidate: Candidate
    """The trainings on the new seeds."""


@dataclass(frozen=True)
class Validation:
    """The trials in order of their claims, the baseline last, and which of them to use."""

    results: Results
    """Of the study."""
    base: Config
    """The baseline, with the new seeds."""
    trials: Sequence[ValidatedTrial]
    winner: ValidatedTrial | None
    status: int
    """1 where a training could not be run."""

    @property
    def objective(self) -> Objective:
        """What the study searched the best of."""
        return objective_of(self.results)

    @property
    def seeds(self) -> tuple[int, int]:
        """The first and the last of the new seeds."""
        return self.base.first_seed, self.base.first_seed + self.base.seeds - 1


def place_of(trial: int | None) -> int:
    """The number in the validation's folder of a trial of the study; None is the baseline."""
    return EXERCISE if trial is None else trial


def validated_trials(
    results: Results, chosen: Sequence[int], held: Results
) -> list[ValidatedTrial]:
    """The trials in order of their claims, the baseline last."""
    objective = objective_of(results)
    metric, statistic = objective.metric, objective.statistic
    ranked = held.ranked(objective.of_rows)
    trials = [place for place in ranked if place != place_of(None)]

    def compared(rows: Sequence[Row], others: Sequence[Row]) -> SampleComparison:
        return compare_samples(rows, others, metric, statistic, objective.of_seed)

    def estimated(rows: Sequence[Row]) -> Estimate:
        values = [value for row in rows if (value := objective.of_seed(row)) is not None]
        return estimate(values, statistic)

    baseline = Candidate(BASELINE, held, place_of(None))
    found = []
    for rank, trial in enumerate(chosen, 1):
        candidate = Candidate(f"trial {trial}", held, place_of(trial))
        found.append(
            ValidatedTrial(
                trial, rank, trials.index(candidate.trial) + 1, estimated(results.rows[trial]),
                estimated(candidate.rows), compared(results.rows[trial], candidate.rows),
                compared(candidate.rows, baseline.rows), candidate,
            )
        )  # fmt: skip
    place = ranked.index(baseline.trial) + 1
    unknown = Estimate(None)
    return [
        *found,
        ValidatedTrial(None, None, place, unknown, estimated(baseline.rows), None, None, baseline),
    ]


def recommended_trial(
    trials: Sequence[ValidatedTrial], objective: Objective
) -> ValidatedTrial | None:
    """The one with the best end to be counted on of its held-out interval; None if none has one."""
    bounded = [trial for trial in trials if trial.held_out_score.ends is not None]
    if objective.minimised:
        return min(bounded, key=lambda trial: _ends(trial)[1], default=None)
    return max(bounded, key=lambda trial: _ends(trial)[0], default=None)


def render(validation: Validation) -> str:
    """The tables, what is recommended, and what was written where."""
    first, last = validation.seeds
    objective, winner = validation.objective, validation.winner
    lines = [
        _scores(validation),
        "",
        overview([trial.candidate for trial in validation.trials]),
        "",
        f"optimism: claimed − held-out; seeds {first} to {last} were never used by the study",
    ]
    if objective.aggregate == "low":
        lines.append("ranks are by the end of the interval that can be counted on, as the study's")
    if winner is None:
        lines.append("no trial has a finite interval on the new seeds: nothing is recommended")
    elif winner.trial is None:
        lines.append(
            f"no trial's lower bound beats that of the {BASELINE}, which stays recommended"
        )
    else:
        end, what = "upper" if objective.minimised else "lower", statistic_name(objective)
        lines.append(
            f"recommended: by the {end} end of the interval on new seeds, not by the {what} itself"
        )
    lines.append(f"written: {validation.results.path / TABLE}")
    lines += [f"written: {validation.results.path / PRESET}"] * (winner is not None)
    return "\n".join(lines)


def _scores(validation: Validation) -> str:
    metric, statistic = METRICS[validation.objective.metric], statistic_name(validation.objective)
    made = table(
        f"{metric.title}\n{statistic} of seeds", "claimed\n95 % interval",
        f"on {validation.base.seeds} new seeds\n95 % interval", "optimism\n95 % interval", "rank",
        f"P(better than {BASELINE})\n95 % interval", "",
    )  # fmt: skip
    for trial in validation.trials:
        made.add_row(
            trial.candidate.name,
            trial.search_score.text(metric.digits),
            trial.held_out_score.text(metric.digits),
            _difference(trial.optimism).text(metric.digits),
            f"{trial.search_rank} → {trial.held_out_rank}" if trial.trial is not None else "-",
            _improvement(trial.versus).text(2),
            "recommended" if trial is validation.winner else "",
        )
    return as_text(made).strip("\n")


def to_plain(validation: Validation) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "metric": validation.objective.metric,
        "aggregate": validation.objective.aggregate,
        "seeds": list(validation.seeds),
        "findings": list(_records(validation)),
    }


def _records(validation: Validation) -> Iterator[dict[str, Any]]:
    for trial in validation.trials:
        seen = overview_values(trial.candidate)
        of_new_seeds = [
            *(f"{name}{end}" for name in ("final_return", "test_return")
              for end in ("", "_low", "_high")),
            "solved", "collapsed",
        ]  # fmt: skip
        statuses = [row["status"] for row in trial.candidate.rows]
        yield {
            "trial": trial.trial,
            "claimed_rank": trial.search_rank,
            "held_out_rank": trial.held_out_rank,
            **trial.search_score.plain("claimed"),
            **trial.held_out_score.plain("held_out"),
            **_difference(trial.optimism).plain("optimism"),
            **_improvement(trial.versus).plain("improvement"),
            **{name: seen[name] for name in of_new_seeds},
            "seeds": len(statuses),
            "diverged": statuses.count("diverged"),
            "failed": statuses.count("failed"),
            "recommended": trial is validation.winner,
        }  # fmt: skip


def write_table(path: Path, validation: Validation) -> None:
    """Write validation.csv, one row a trial and the baseline's last; raises `OSError`."""
    by = {"metric": validation.objective.metric, "aggregate": validation.objective.aggregate}
    records = [{**by, **record} for record in _records(validation)]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


def read_table(path: Path) -> list[dict[str, Any]]:
    """The rows of validation.csv by column, `trial` None in the baseline's; none without a file.

    Raises `RunError`, with line and column, for a cell that is not what `write_table` writes.
    """
    if not path.exists():
        return []
    try:
        refuse_endless(path)
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            return [_values(path, reader.line_num, row) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise RunError(f"{path}: must be readable as CSV, is not ({error}); {_AGAIN}") from error


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
_NUMBERS = [part + end for part in ("claimed", "held_out", "optimism", "improvement")
            for end in ("", "_low", "_high")]  # fmt: skip
_NEEDED = ("metric", "seeds", "recommended")
_READERS: dict[str, Callable[[str], Any]] = {
    "metric": str, "trial": int, "claimed_rank": int, "held_out_rank": int,
    **dict.fromkeys(_NUMBERS, float), "seeds": int, "recommended": _RECOMMENDED,
}  # fmt: skip
_WORDS = {str: "text", int: "a whole number", float: "a number", _RECOMMENDED: "True or False"}


def title(validation: Validation, winner: ValidatedTrial) -> str:
    """What recommended.yaml says of itself, in one line."""
    path, metric = validation.results.path, METRICS[validation.objective.metric]
    name = " ".join((path.name or path.resolve().name).split())
    who = f"the {BASELINE}" if winner.trial is None else f"trial {winner.trial} of {name}"
    return (
        f"{who}: {metric.title} {winner.held_out_score.text(metric.digits)}, "
        f"{statistic_name(validation.objective)} of {validation.base.seeds} seeds it was not "
        "chosen by"
    )


def statistic_name(objective: Objective) -> str:
    """What of seeds a validation compares, in words."""
    return NAMES.get(objective.aggregate, NAMES["iqm"])


def _difference(of: SampleComparison | None) -> Estimate:
    return Estimate(of.difference, of.difference_interval) if of else Estimate(None)


def _improvement(of: SampleComparison | None) -> Estimate:
    return Estimate(of.improvement, of.improvement_interval) if of else Estimate(None)


def _ends(trial: ValidatedTrial) -> tuple[float, float]:
    return trial.held_out_score.ends or (math.nan, math.nan)
