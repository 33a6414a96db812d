"""`python -m sweeps compare`: runs, grids and studies side by side."""

import argparse
from collections.abc import Mapping, Sequence
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
    changes,
    compare_samples,
    format_terms,
    incomparable,
    read_candidates,
)
from sweeps.analysis.tables import by_statistic, overview, overview_values, statistics_of, table

EXAMPLES = """\
examples
  python -m sweeps compare outputs/runs/a outputs/runs/b
  python -m sweeps compare outputs/runs/a outputs/sweeps/lr outputs/sweeps/lr:3   best trial, and 3
  python -m sweeps compare outputs/runs/* --metric test_return --out figures      and draw them
  python -m sweeps compare outputs/runs/a outputs/runs/long --anyway --json       another budget
"""


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
    metric, drawn = args.metric, []
    with steps() as tell:
        tell(f"reading {len(args.folders)} folders ...")
        candidates = read_candidates(args.folders)
        first, *rest = candidates
        others = incomparable(candidates)
        if others and not args.anyway:
            raise UserError(
                f"what is compared must share task and budget, got {first.name}: "
                f"{format_terms(first)}, and {others[0].name}: {format_terms(others[0])}; add "
                "--anyway"
            )
        tell("comparing ...")
        versus = [(one.name, compare_samples(one.rows, first.rows, metric)) for one in rest]
        changed = changes([candidate.config.to_mapping() for candidate in candidates])
        if args.out:
            tell("drawing ...")
            from sweeps.report.comparison_figures import draw

            drawn = draw(args.out, candidates, metric)
        texts = [
            overview(candidates, others),
            by_statistic(candidates, metric),
            _settings(candidates, changed),
            _versus(first.name, versus, metric),
            _footnotes(candidates, others),
            _same(args.folders, candidates),
            "\n".join(f"drawn: {path}" for path in drawn),
        ]
    plain = {
        "metric": metric,
        "candidates": [
            {
                "name": one.name, "folder": str(one.results.path), "trial": one.trial,
                "comparable": one not in others, **overview_values(one),
                "statistics": {
                    key: value
                    for name, estimate in statistics_of(one, metric).items()
                    for key, value in estimate.plain(name).items()
                },
            }
            for one in candidates
        ],
        "differ": changed,
        "against_first": [{"name": name, **asdict(each)} for name, each in versus],
        "figures": [str(path) for path in drawn],
    }  # fmt: skip
    return 0, "\n\n".join(text for text in texts if text), plain


def _settings(candidates: Sequence[Candidate], changed: Mapping[str, Sequence[Any]]) -> str:
    if not changed:
        return "all have the same configuration" if len(candidates) > 1 else ""
    made = table("differs in", *(candidate.name for candidate in candidates))
    for name, values in changed.items():
        made.add_row(name, *(NONE if v is None else override_text(v) for v in values))
    return as_text(made).strip("\n")


def _versus(first: str, versus: Sequence[tuple[str, SampleComparison]], metric: str) -> str:
    made = table(
        f"against {first}, in {METRICS[metric].title}",
        "P(better)\n95 % interval",
        "difference of IQMs\n95 % interval",
        "p-value\nof no difference",
        "seeds",
    )
    for name, each in versus:
        made.add_row(
            name,
            format_estimate(each.improvement, each.improvement_interval, 2),
            format_estimate(each.difference, each.difference_interval, METRICS[metric].digits),
            f"{format_p_value(each.p_value)}\n{each.test}",
            "the same: paired" if each.paired else "not the same",
        )
    return as_text(made).strip("\n") if versus else ""


def _footnotes(candidates: Sequence[Candidate], others: Sequence[Candidate]) -> str:
    first = candidates[0].name
    lines = [f"* another task or budget than {first}: {format_terms(other)}" for other in others]
    envs = [candidate.config.to_mapping()["env"] for candidate in candidates]
    envs = [{f"env.{key}": value for key, value in env.items()} for env in envs]
    if (line := incomparable_settings(envs)) and not others:
        lines.append(line)
    for candidate in candidates:
        asked = candidate.results.base.seeds
        if (missing := asked - len(candidate.rows)) > 0:
            lines.append(f"{candidate.name}: {missing} of its {asked} seeds are not in")
    return "\n".join(lines)


def _same(texts: Sequence[str], candidates: Sequence[Candidate]) -> str:
    """Which of the trials that were named have no rows of their own."""
    named = [text.rpartition(":")[2] for text in texts]
    return "\n".join(
        f"{text} has the configuration of trial {one.trial}, and its rows"
        for text, number, one in zip(texts, named, candidates, strict=True)
        if number.isdecimal() and int(number) != one.trial and not Path(text).is_dir()
    )
