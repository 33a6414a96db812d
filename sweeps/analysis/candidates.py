"""What is compared: one trial of one folder of results each."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from dqn.config import Config
from dqn.config.config import NON_RESULT_KEYS
from dqn.config.fields import short_repr
from dqn.runtime.errors import UserError
from dqn.statistics.comparison import (
    difference_interval,
    probability_of_improvement,
    probability_of_improvement_interval,
    rank_test,
)
from dqn.statistics.formatting import Estimate
from dqn.statistics.metrics import METRICS, Statistic, iqm
from dqn.storage.columns import Row
from dqn.storage.reader import Results, read
from dqn.storage.safe_yaml import differences
from dqn.storage.trials import value_of
from sweeps.analysis.objective import objective_of


@dataclass(frozen=True)
class Candidate:
    """One configuration and its finished trainings."""

    name: str
    results: Results
    trial: int

    @property
    def config(self) -> Config:
        """What it was trained with."""
        return self.results.config(self.trial)

    @property
    def rows(self) -> list[Row]:
        """Its lines of seeds.csv, in order of their seeds."""
        return self.results.rows[self.trial]


@dataclass(frozen=True)
class SampleComparison:
    """One candidate's metric against another's."""

    paired: bool
    """Whether both were trained with the same seeds; then resamples draw seeds, not trainings."""
    improvement: Estimate
    """The probability that a training of the one is better than one of the other."""
    difference: Estimate
    """Of the IQMs, or of the statistic that was asked for, in the metric's unit and sign."""
    test: str
    """Name of the rank test that there is no difference."""
    p_value: float | None
    """Its two-sided p-value, of this comparison alone."""

    def plain(self) -> dict[str, Any]:
        """As plain values, an interval of them as a pair."""
        return {
            "paired": self.paired,
            "improvement": self.improvement.value, "improvement_interval": self.improvement.ends,
            "difference": self.difference.value, "difference_interval": self.difference.ends,
            "test": self.test, "p_value": self.p_value,
        }  # fmt: skip


def read_candidate(text: str) -> Candidate:
    """From DIR or DIR:TRIAL; of a sweep without a trial named, its best.

    Raises `UserError` for what is no folder of results and for a trial that has no row.
    """
    path, trial = Path(text), None
    if not path.is_dir() and ":" in text:
        folder, _, number = text.rpartition(":")
        if not number.isdecimal():
            raise UserError(
                f"{text}: what follows the colon must be a trial's number, got "
                f"{short_repr(number)}; write for example {folder}:0"
            )
        path, trial = Path(folder), int(number)
    results = read(path)
    if trial is None:
        if len(results.tasks) > 1:
            raise UserError(
                f"{text} must be one trial, as returns of several tasks do not compare, got trials "
                f"of {', '.join(results.tasks)}; name one, such as {text}:{min(results.rows)}"
            )
        trial = results.ranked(objective_of(results).of_rows)[0]
    trial = int(results.trial(trial)[0]["trial"] or 0)
    name = path.name or path.resolve().name
    return Candidate(name if results.sweep is None else f"{name}:{trial}", results, trial)


def read_candidates(texts: Sequence[str]) -> list[Candidate]:
    """A candidate of each text, under its name or, where names are alike, under these texts."""
    found = [read_candidate(text) for text in texts]
    if len({candidate.name for candidate in found}) == len(found):
        return found
    return [replace(candidate, name=text) for candidate, text in zip(found, texts, strict=True)]


def compare_samples(
    rows: Sequence[Row],
    others: Sequence[Row],
    metric: str,
    statistic: Statistic = iqm,
    of_seed: Callable[[Row], float | None] | None = None,
) -> SampleComparison:
    """How rows of seeds.csv do in `metric` against others; better is what the metric calls so.

    Seeds count as `of_seed` says, by default as `trials.trial_rows` does: none is dropped but for
    what was never asked of it. `statistic` is what the difference is of.
    """
    x, y, paired = _samples(rows, others, of_seed or partial(value_of, metric), metric)
    chances = probability_of_improvement_interval(x, y, paired)
    test, p_value = rank_test(x, y, paired)
    return SampleComparison(
        paired,
        Estimate.of(probability_of_improvement(x, y), *chances),
        _difference(x, y, paired, metric, statistic),
        test,
        None if math.isnan(p_value) else p_value,
    )


def difference_of(rows: Sequence[Row], others: Sequence[Row], metric: str) -> Estimate:
    """The `difference` of `compare_samples` alone: without its test there is no SciPy to import."""
    samples = _samples(rows, others, partial(value_of, metric), metric)
    return _difference(*samples, metric, iqm)


def _samples(
    rows: Sequence[Row],
    others: Sequence[Row],
    of_seed: Callable[[Row], float | None],
    metric: str,
) -> tuple[list[float], list[float], bool]:
    """Values of both, more is better, in order of their seeds; and whether these are the same."""
    sign = -1.0 if METRICS[metric].lower_is_better else 1.0
    mine, theirs = (
        {
            int(row["seed"] or 0): sign * value
            for row in sample
            if (value := of_seed(row)) is not None
        }
        for sample in (rows, others)
    )
    paired = bool(mine) and mine.keys() == theirs.keys()
    seeds = sorted(mine)
    return (
        [mine[seed] for seed in seeds],
        [theirs[seed] for seed in (seeds if paired else theirs)],
        paired,
    )


def _difference(
    x: Sequence[float], y: Sequence[float], paired: bool, metric: str, statistic: Statistic
) -> Estimate:
    sign = -1.0 if METRICS[metric].lower_is_better else 1.0
    gap = float(statistic(x)) - float(statistic(y))
    ends = sorted(sign * end for end in difference_interval(x, y, paired, statistic))
    return Estimate.of(sign * gap, *ends)


def incomparable(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those whose task or budget is not the first one's."""
    first = terms_of(candidates[0].config)
    return [candidate for candidate in candidates if terms_of(candidate.config) != first]


def terms_of(config: Config) -> dict[str, Any]:
    """The keys in which two must agree to be comparable: their task and their budget."""
    return {"env.id": config.env.id, "episodes": config.episodes, "steps": config.steps}


def format_terms(config: Config) -> str:
    """Environment and budget in words."""
    env, episodes, steps = config.env, config.episodes, config.steps
    more = [f"{name}={value}" for name, value in (
        ("max_episode_steps", env.max_episode_steps), ("solved_return", env.solved_return),
        ("kwargs", dict(env.kwargs) or None)) if value is not None]  # fmt: skip
    budget = [f"{n:,} {unit}" for n, unit in ((episodes, "episodes"), (steps, "steps")) if n]
    return f"{' '.join([env.id, *more])} for {' or '.join(budget)}"


def changes(mappings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The keys in which configurations differ, each with its value in all of them.

    Keys that no network sees are left out but for `test_episodes`.
    """
    free = {"seeds", "first_seed", *NON_RESULT_KEYS}
    found: dict[str, list[Any]] = {}
    for place, mapping in enumerate(mappings):
        for name, first, own in differences(mappings[0], mapping):
            if name not in free:
                found.setdefault(name, [first] * len(mappings))[place] = own
    return found
