"""`python -m sweeps compare`: runs, grids and studies side by side."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dqn.config.fields import override_text
from dqn.runtime.errors import UserError
from dqn.statistics.formatting import NONE, format_estimate, format_p_value
from dqn.statistics.metrics import METRICS
from dqn.storage.ranking import incomparable_settings
from dqn.terminal.console import steps
from dqn.terminal.tables import as_text
from sweeps.analysis.candidates import (
    Candidate,
    SampleComparison,
    candidates,
    changes,
    compare_samples,
    format_terms,
    incomparable,
)
from sweeps.analysis.tables import (
    by_statistic,
    overview,
    overview_values,
    statistics_of,
    table,
)

EXAMPLES = """\
examples
  python -m sweeps compare outputs/runs/a outputs/runs/b
  python -m sweeps compare outputs/runs/a outputs/sweeps/lr outputs/sweeps/lr:3   best trial, and 3
  python -m sweeps compare outputs/runs/* --metric test_return --out figures      and draw them
  python -m sweeps compare outputs/runs/a outputs/runs/long --anyway --json       another budget
"""
_OF_ENV = ("max_episode_steps", "kwargs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `compare`."""
    add = parser.add_argument
    add("folders", nargs="+", metavar="DIR", help="of results; DIR:TRIAL for a trial of a sweep")
    add("--metric", choices=METRICS, default="mean_return",
        help="of statistics, probabilities and tests (default: mean_return)")  # fmt: skip
    add("--anyway", action="store_true", help="compare unlike tasks and budgets, marked *")
    add("--out", type=Path, metavar="DIR", help="draw learning curves and profiles there (PNG)")


def compare(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Exit status, the tables, and the same as plain values.

    Raises `UserError` for what cannot be compared.
    """
    with steps() as tell:
        tell(f"reading {len(args.folders)} folders ...")
        return _compare(args, candidates(args.folders), tell)


def _compare(
    args: argparse.Namespace, them: Sequence[Candidate], tell: Callable[[str], None]
) -> tuple[int, str, Any]:
    others = incomparable(them)
    if others and not args.anyway:
        raise UserError(
            f"what is compared must share task and budget, got {them[0].name}: "
            f"{format_terms(them[0])}, and {others[0].name}: {format_terms(others[0])}; add "
            "--anyway"
        )
    tell("comparing ...")
    versus = [compare_samples(one.rows, them[0].rows, args.metric) for one in them[1:]]
    changed = changes([one.config.to_mapping() for one in them])
    drawn = []
    if args.out:
        tell("drawing ...")
        from sweeps.report.comparison_figures import draw

        drawn = draw(args.out, them, args.metric)
    texts = [
        overview(them, others),
        by_statistic(them, args.metric),
        _settings(them, changed),
    ]
    if versus:
        texts.append(_versus(them, versus, args.metric))
    drawn_told = "\n".join(f"drawn: {path}" for path in drawn)
    texts += [_footnotes(them, others), _same(args.folders, them), drawn_told]
    plain = {
        "metric": args.metric,
        "candidates": [
            {
                "name": one.name, "folder": str(one.results.path), "trial": one.trial,
                "comparable": one not in others, **overview_values(one),
                "statistics": _statistics(one, args.metric),
            }
            for one in them
        ],
        "differ": changed,
        "against_first": [
            {"name": one.name, **asdict(each)} for one, each in zip(them[1:], versus, strict=True)
        ],
        "figures": [str(path) for path in drawn],
    }  # fmt: skip
    return 0, "\n\n".join(text for text in texts if text), plain


def _settings(them: Sequence[Candidate], changed: Mapping[str, Sequence[Any]]) -> str:
    if not changed:
        return "all have the same configuration" if len(them) > 1 else ""
    made = table("differs in", *(one.name for one in them))
    for name, values in changed.items():
        made.add_row(name, *(NONE if v is None else override_text(v) for v in values))
    return as_text(made).strip("\n")


def _versus(them: Sequence[Candidate], versus: Sequence[SampleComparison], metric: str) -> str:
    digits = METRICS[metric].digits
    made = table(
        f"against {them[0].name}, in {METRICS[metric].title}",
        "P(better)\n95 % interval",
        "difference of IQMs\n95 % interval",
        "p-value\nof no difference",
        "seeds",
    )
    for one, each in zip(them[1:], versus, strict=True):
        made.add_row(
            one.name,
            format_estimate(each.improvement, each.improvement_interval, 2),
            format_estimate(each.difference, each.difference_interval, digits),
            f"{format_p_value(each.p_value)}\n{each.test}",
            "the same: paired" if each.paired else "not the same",
        )
    return as_text(made).strip("\n")


def _statistics(one: Candidate, metric: str) -> dict[str, float | None]:
    plain: dict[str, float | None] = {}
    for name, found in statistics_of(one, metric).items():
        plain |= found.plain(name)
    return plain


def _footnotes(them: Sequence[Candidate], others: Sequence[Candidate]) -> str:
    lines = [f"* another task or budget than {them[0].name}: {format_terms(one)}"
             for one in others]  # fmt: skip
    envs = [{f"env.{key}": getattr(one.config.env, key) for key in _OF_ENV} for one in them]
    if (line := incomparable_settings(envs)) and not others:
        lines.append(line)
    for one in them:
        missing = one.results.base.seeds - len(one.rows)
        if missing > 0:
            lines.append(f"{one.name}: {missing} of its {one.results.base.seeds} seeds are not in")
    return "\n".join(lines)


def _same(texts: Sequence[str], them: Sequence[Candidate]) -> str:
    """Which of the trials that were named have no rows of their own."""
    asked = [(text, text.rpartition(":")[2], one.trial)
             for text, one in zip(texts, them, strict=True)]  # fmt: skip
    return "\n".join(
        f"{text} has the configuration of trial {trial}, and its rows"
        for text, number, trial in asked
        if number.isdecimal() and int(number) != trial and not Path(text).is_dir()
    )
