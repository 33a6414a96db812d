"""What one key at a time does around a sweep's base: its settings, and its section of the page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dqn.statistics.formatting import Estimate, count, format_setting
from dqn.statistics.metrics import METRICS
from dqn.storage.columns import COLUMN_OF_KEY, Cell, Row, hyperparameters
from dqn.storage.reader import Results
from dqn.storage.trials import trial_row
from sweeps.analysis.candidates import Candidate, SampleComparison, compare_samples
from sweeps.analysis.hyperparameters import order
from sweeps.search.progress import expected

METRIC, TITLE = "mean_return", METRICS["mean_return"].title
"""What the page judges by, whatever the objective of a sweep was."""
UNFINISHED = ("not trained", "not with all their seeds")


@dataclass(frozen=True)
class Level:
    """One value of one hyperparameter, the others being those of the base."""

    value: Cell
    is_base: bool
    rows: Sequence[Row]
    summary: Row
    """Its row of trials.csv."""
    against_base: SampleComparison | None

    @property
    def reached(self) -> float:
        """Its IQM of `METRIC`, of which more is better; 0 where there is none."""
        return float(self.summary[METRIC] or 0.0)


@dataclass(frozen=True)
class Influence:
    """A sweep whose trained settings stand around its base."""

    name: str
    """Of its folder."""
    results: Results
    hyperparameters: Mapping[str, Sequence[Level]]
    """By key, in declared order: the base, and what differs from it in that key alone."""
    settings: int
    """How many it has or is to have."""
    left_out: Mapping[str, int]
    """How many of them are in no hyperparameter, by the reason."""

    @property
    def base(self) -> str:
        """The base in words."""
        level = next(
            level for levels in self.hyperparameters.values() for level in levels if level.is_base
        )
        return f"reward_scale={format_setting(level.rows[0]['reward_scale'])}"

    @property
    def seeds(self) -> str:
        """How many seeds its settings have, in words."""
        return seeds_of(self.hyperparameters)

    @property
    def candidates(self) -> list[Candidate]:
        """All settings that are in a hyperparameter, the base once."""
        levels = [level for levels in self.hyperparameters.values() for level in levels]
        trials = dict.fromkeys(int(level.rows[0]["trial"] or 0) for level in levels)
        return [Candidate(f"{self.name}:{trial}", self.results, trial) for trial in trials]


def influence(results: Results) -> Influence:
    """The hyperparameters of a sweep, none where it has no trained base or nothing around it.

    The base is the trial with the hyperparameters of the sweep's own configuration. A setting is
    trained when all seeds of that configuration are, or in a race as many as one of its stages
    asks for: what was stopped half-way is known by less than it looks.
    """
    whole = {n: rows for n, rows in results.rows.items() if _trained(results, rows)}
    cells = hyperparameters(results.base)
    apart = {n: _differs(rows[0], cells) for n, rows in whole.items()}
    found: dict[str, list[Level]] = {}
    for base in [n for n, keys in apart.items() if not keys][:1]:
        for name in cells:
            if others := [n for n, keys in apart.items() if keys == [name]]:
                levels = [_level(results, n, name, base) for n in (base, *others)]
                found[name] = sorted(levels, key=lambda level: order(level.value))
    settings = max(expected(results), len(results.rows))  # a command may ask for fewer again
    left_out = {
        UNFINISHED[0]: settings - len(results.rows),
        UNFINISHED[1]: len(results.rows) - len(whole),
        "unlike the base in several hyperparameters": sum(len(keys) > 1 for keys in apart.values()),
    }
    return Influence(results.path.resolve().name, results, found, settings, left_out)


def ranked(hyperparameters: Mapping[str, Sequence[Level]]) -> Iterator[tuple[str, Level, float]]:
    """By how far their values' IQMs lie apart, widest first, each with its best level."""
    spans = []
    for name, levels in hyperparameters.items():
        known = [level for level in levels if level.summary[METRIC] is not None]
        if known:
            values = [level.reached for level in known]
            best = max(known, key=lambda level: level.reached)
            spans.append((name, best, max(values) - min(values)))
    return iter(sorted(spans, key=lambda span: -span[2]))


def seeds_of(hyperparameters: Mapping[str, Sequence[Level]]) -> str:
    """How many seeds a setting has, in words."""
    counts = [len(level.rows) for levels in hyperparameters.values() for level in levels]
    few, many = min(counts), max(counts)
    return count(few, "seed") if few == many else f"{few} to {many} seeds"


def cell(summary: Mapping[str, Any], metric: str = METRIC) -> str:
    """A metric of a row of trials.csv with its interval."""
    return Estimate.in_row(summary, metric).text(METRICS[metric].digits)


def section(study: Influence) -> str:
    """A sweep's part of the page: its numbers of settings and seeds, a table, what is sure."""
    lines = [
        _extent(study),
        "",
        f"![IQM of the {TITLE} by value of each hyperparameter]({study.name}.png)",
        "",
        "| hyperparameter | values apart by | best tried | base | P(best beats base) |",
        "|---|---|---|---|---|",
    ]
    for hyperparameter, best, span in ranked(study.hyperparameters):
        base = next(level for level in study.hyperparameters[hyperparameter] if level.is_base)
        lines.append(
            f"| `{hyperparameter}` | {span:.1f} | {format_setting(best.value)}: "
            f"{cell(best.summary)} | "
            f"{format_setting(base.value)}: {cell(base.summary)} | {_chance(best.against_base)} |"
        )
    return "\n".join(lines) + (
        f"\n\n{_sure(study)} The best of several values tried looks better than it is, and "
        "one hyperparameter at a time says nothing of two together."
    )


def _extent(study: Influence) -> str:
    """How many settings and seeds there are, and how many settings are left out and why."""
    text = f"Sweep `{study.name}`: {study.settings} settings, {study.seeds} a setting."
    reasons = ", ".join(f"{count} {reason}" for reason, count in study.left_out.items() if count)
    if not reasons:
        return text
    return f"{text} Left out of them: {reasons}."


def _chance(versus: SampleComparison | None) -> str:
    if versus is None:
        return "the base is best"
    return versus.improvement.text(2) if versus.improvement.ends else "not known"


def _sure(study: Influence) -> str:
    """The single changes that are surely better, the best first."""
    best = [
        (hyperparameter, level) for hyperparameter, level, _ in ranked(study.hyperparameters)
        if level.against_base and (level.against_base.improvement.ends or (0.0,))[0] > 0.5
    ]  # fmt: skip
    if not best:
        so_far = " so far" * any(study.left_out[reason] for reason in UNFINISHED)
        return (
            f"No other value of any hyperparameter{so_far} beats the base's beyond doubt "
            "(interval of P "
            "above 0.5): one change alone does not improve on it."
        )
    best.sort(key=lambda found: -found[1].reached)
    changes = ", ".join(
        f"`{hyperparameter}={format_setting(level.value)}` ({cell(level.summary)})"
        for hyperparameter, level in best
    )
    return (
        "Another value than the base's is better beyond doubt (interval of P above 0.5) of these "
        f"hyperparameters; changed alone, the best first: {changes}."
    )


def _trained(results: Results, rows: Sequence[Row]) -> bool:
    """Whether a trial has all the seeds that it was to have, each trained to its end."""
    stages = (results.sweep or {}).get("racing") or ()
    ended = sum(row["status"] in ("done", "diverged") for row in rows)
    return ended == len(rows) and (ended >= results.base.seeds or ended in stages)


def _level(results: Results, number: int, name: str, base: int) -> Level:
    rows = results.rows[number]
    versus = compare_samples(rows, results.rows[base], METRIC) if number != base else None
    value = rows[0][COLUMN_OF_KEY.get(name, name)]
    return Level(value, number == base, rows, trial_row(rows, ()), versus)


def _differs(row: Mapping[str, Cell], base: Mapping[str, Cell]) -> list[str]:
    return [name for name, value in base.items() if name in row and row[name] != value]
