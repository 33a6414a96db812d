"""What a validation found, as values, as a table for a person and as validation.csv."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dqn.config import Config
from dqn.errors import RunError
from dqn.execution.summary import as_text
from dqn.results.atomic import replacing
from dqn.results.columns import Row
from dqn.results.reading import Results
from dqn.results.stats import METRICS
from dqn.results.trials import trial_row
from sweeps.compare import TOO_SHORT, spanned, table
from sweeps.contenders import TITLES, Against, against

TABLE, PRESET = "validation.csv", "recommended.yaml"
BASELINE = "exercise"


@dataclass(frozen=True)
class Finding:
    """What one trial, or the baseline, claimed and what it held."""

    trial: int | None
    """In the study; None is the baseline."""
    claimed_rank: int | None
    held_rank: int
    claimed: tuple[float | None, tuple[float, float] | None]
    """IQM and 95 % interval on the study's seeds."""
    held: tuple[float | None, tuple[float, float] | None]
    """On the new seeds."""
    optimism: Against | None
    """The claimed against the held-out seeds."""
    versus: Against | None
    """Against the baseline, on the new seeds."""
    rows: Sequence[Row]


def findings_of(results: Results, chosen: Sequence[int], held: Results) -> list[Finding]:
    """The trials in order of their claims, the baseline last."""
    metric = results.objective
    order = [number for number in held.ranked() if number]
    found = [
        Finding(
            trial, rank, order.index(rank) + 1, _summary(results.rows[trial], metric),
            _summary(held.rows[rank], metric),
            against(results.rows[trial], held.rows[rank], metric),
            against(held.rows[rank], held.rows[0], metric), held.rows[rank],
        )
        for rank, trial in enumerate(chosen, 1)
    ]  # fmt: skip
    place = held.ranked().index(0) + 1
    baseline = held.rows[0]
    unknown = None, None
    return [
        *found,
        Finding(None, None, place, unknown, _summary(baseline, metric), None, None, baseline),
    ]


def best_bound(findings: Sequence[Finding], metric: str) -> Finding | None:
    """The one with the best end to be counted on of its held-out interval; None if none has one."""
    bounded = [one for one in findings if one.held[1] is not None]
    end = 0 if METRICS[metric] < 0 else 1
    sign = 1.0 if METRICS[metric] < 0 else -1.0
    return max(bounded, key=lambda one: sign * one.held[1][end], default=None)  # pyright: ignore[reportOptionalSubscript]


def told(
    findings: Sequence[Finding], winner: Finding | None, results: Results, base: Config
) -> str:
    """The table, what is recommended, and what was written where."""
    metric = results.objective
    digits = 2 if metric == "collapse" else 1
    made = table(
        TITLES[metric], "claimed\n95 % interval", f"on {base.seeds} new seeds\n95 % interval",
        "optimism\n95 % interval", "rank", f"P(better than {BASELINE})\n95 % interval", "",
    )  # fmt: skip
    for one in findings:
        optimism, versus = one.optimism, one.versus
        made.add_row(
            BASELINE if one.trial is None else f"trial {one.trial}",
            spanned(*one.claimed, digits),
            spanned(*one.held, digits),
            spanned(optimism.difference, optimism.difference_interval, digits) if optimism else "-",
            f"{one.claimed_rank} → {one.held_rank}" if one.trial is not None else "-",
            spanned(versus.improvement, versus.improvement_interval, 2) if versus else "-",
            "recommended" if one is winner else "",
        )
    ends = {e for one in findings if one.versus for e in one.versus.improvement_interval or ()}
    lines = [as_text(made).strip("\n"), ""]
    lines += [TOO_SHORT] * bool({0.0, 1.0} & ends)
    lines.append(
        f"optimism: claimed − held-out; seeds {base.first_seed} to "
        f"{base.first_seed + base.seeds - 1} were never used by the study"
    )
    if winner is None:
        lines.append("no trial has a finite interval on the new seeds: nothing is recommended")
    elif winner.trial is None:
        lines.append(
            f"no trial's lower bound beats that of the {BASELINE}, which stays recommended"
        )
    lines.append(f"written: {results.path / TABLE}")
    lines += [f"written: {results.path / PRESET}"] * (winner is not None)
    return "\n".join(lines)


def plain(
    findings: Sequence[Finding], winner: Finding | None, results: Results, base: Config
) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "metric": results.objective,
        "seeds": [base.first_seed, base.first_seed + base.seeds - 1],
        "findings": list(_records(findings, winner)),
    }


def _records(findings: Sequence[Finding], winner: Finding | None) -> Iterator[dict[str, Any]]:
    for one in findings:
        optimism, versus = one.optimism, one.versus
        yield {
            "trial": one.trial,
            "claimed_rank": one.claimed_rank,
            "held_out_rank": one.held_rank,
            **_three("claimed", *one.claimed),
            **_three("held_out", *one.held),
            **_three("optimism", *(
                (optimism.difference, optimism.difference_interval) if optimism else (None, None))),
            **_three("improvement", *(
                (versus.improvement, versus.improvement_interval) if versus else (None, None))),
            "seeds": len(one.rows),
            "diverged": sum(row["status"] == "diverged" for row in one.rows),
            "failed": sum(row["status"] == "failed" for row in one.rows),
            "recommended": one is winner,
        }  # fmt: skip


def _three(name: str, value: float | None, ends: tuple[float, float] | None) -> dict[str, Any]:
    low, high = ends or (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def write_table(
    path: Path, findings: Sequence[Finding], winner: Finding | None, metric: str
) -> None:
    """Write validation.csv, one row a trial and the baseline's last; raises `OSError`."""
    records = [{"metric": metric, **record} for record in _records(findings, winner)]
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
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            return [_values(path, reader.line_num, row) for row in reader]
    except (OSError, UnicodeError, csv.Error) as error:
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


def title(winner: Finding, results: Results, base: Config) -> str:
    """What recommended.yaml says of itself, in one line."""
    value, ends = winner.held
    digits = 2 if results.objective == "collapse" else 1
    name = " ".join((results.path.name or results.path.resolve().name).split())
    who = f"the {BASELINE}" if winner.trial is None else f"trial {winner.trial} of {name}"
    return (
        f"{who}: {TITLES[results.objective]} {spanned(value, ends, digits)} on {base.seeds} seeds "
        "it was not chosen by"
    )


def _summary(rows: Sequence[Row], metric: str) -> tuple[float | None, tuple[float, float] | None]:
    row: Any = trial_row(rows, ())
    ends = row[f"{metric}_low"], row[f"{metric}_high"]
    return row[metric], None if None in ends else ends
