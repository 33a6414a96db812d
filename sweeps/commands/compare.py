"""`python -m sweeps compare`: runs, grids and studies side by side."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dqn.config.fields import override_text
from dqn.runtime.errors import UserError
from dqn.statistics.comparison import least_p_value
from dqn.statistics.formatting import NONE, format_p_value
from dqn.statistics.metrics import METRICS
from dqn.storage.ranking import incomparable_settings
from dqn.terminal.console import steps
from dqn.terminal.tables import as_text, table
from sweeps.analysis.candidates import (
    Candidate,
    SampleComparison,
    changes,
    compare_samples,
    format_terms,
    incomparable,
    read_candidates,
)
from sweeps.analysis.tables import (
    by_statistic,
    overview,
    overview_values,
    statistics_of,
)

_SIGNIFICANT = 0.05
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
        return compare_candidates(args, read_candidates(args.folders), tell)


def compare_candidates(
    args: argparse.Namespace, candidates: Sequence[Candidate], tell: Callable[[str], None]
) -> tuple[int, str, Any]:
    """The same of candidates that are read; `tell` hears of each step."""
    first, *rest = candidates
    others = incomparable(candidates)
    if others and not args.anyway:
        raise UserError(
            f"what is compared must share task and budget, got {first.name}: "
            f"{format_terms(first.config)}, and {others[0].name}: "
            f"{format_terms(others[0].config)}; add "
            "--anyway"
        )
    tell("comparing ...")
    versus = [compare_samples(candidate.rows, first.rows, args.metric) for candidate in rest]
    changed = changes([candidate.config.to_mapping() for candidate in candidates])
    drawn = []
    if args.out:
        tell("drawing ...")
        from sweeps.report.figures import draw_comparison

        drawn = draw_comparison(args.out, candidates, args.metric)
    texts = [
        overview(candidates, others),
        by_statistic(candidates, args.metric),
        _settings(candidates, changed),
    ]
    if versus:
        texts.append(_versus(candidates, versus, args.metric))
    pictures = "\n".join(f"drawn: {path}" for path in drawn)
    texts += [_footnotes(candidates, others), _same(args.folders, candidates), pictures]
    plain = {
        "metric": args.metric,
        "candidates": [
            {
                "name": candidate.name, "folder": str(candidate.results.path),
                "trial": candidate.trial, "comparable": candidate not in others,
                **overview_values(candidate), "statistics": _statistics(candidate, args.metric),
            }
            for candidate in candidates
        ],
        "differ": changed,
        "against_first": [
            {"name": candidate.name, **each.plain()}
            for candidate, each in zip(rest, versus, strict=True)
        ],
        "figures": [str(path) for path in drawn],
    }  # fmt: skip
    return 0, "\n\n".join(text for text in texts if text), plain


def _settings(candidates: Sequence[Candidate], changed: Mapping[str, Sequence[Any]]) -> str:
    if not changed:
        return "all have the same configuration" if len(candidates) > 1 else ""
    rows = (
        [name, *(NONE if v is None else override_text(v) for v in values)]
        for name, values in changed.items()
    )
    return as_text(table(["differs in", *(candidate.name for candidate in candidates)], rows))


def _versus(
    candidates: Sequence[Candidate], versus: Sequence[SampleComparison], metric: str
) -> str:
    digits = METRICS[metric].digits
    titles = [
        f"against {candidates[0].name}, in {METRICS[metric].title}",
        "P(better)\n95 % interval",
        "difference of IQMs\n95 % interval",
        "p-value\nof no difference",
        "seeds",
    ]
    rows = (
        [
            candidate.name,
            each.improvement.text(2),
            each.difference.text(digits),
            f"{format_p_value(each.p_value)}\n{each.test}",
            "the same: paired" if each.paired else "not the same",
        ]
        for candidate, each in zip(candidates[1:], versus, strict=True)
    )
    notes = dict.fromkeys(
        f"{len(candidate.rows)} {'pairs of seeds' if each.paired else 'seeds against others'}: "
        f"no p-value can be below {format_p_value(least)}; more seeds can tell more"
        for candidate, each in zip(candidates[1:], versus, strict=True)
        if (least := least_p_value(len(candidates[0].rows), len(candidate.rows), each.paired))
        > _SIGNIFICANT
    )
    return "\n".join([as_text(table(titles, rows)), *notes])


def _statistics(candidate: Candidate, metric: str) -> dict[str, float | None]:
    plain: dict[str, float | None] = {}
    for name, found in statistics_of(candidate, metric).items():
        plain |= found.plain(name)
    return plain


def _footnotes(candidates: Sequence[Candidate], others: Sequence[Candidate]) -> str:
    lines = [f"* another task or budget than {candidates[0].name}: {format_terms(candidate.config)}"
             for candidate in others]  # fmt: skip
    envs = [candidate.config.env for candidate in candidates]
    envs = [{f"env.{key}": getattr(env, key) for key in _OF_ENV} for env in envs]
    if (line := incomparable_settings(envs)) and not others:
        lines.append(line)
    for candidate in candidates:
        asked = candidate.results.base.seeds
        if (missing := asked - len(candidate.rows)) > 0:
            lines.append(f"{candidate.name}: {missing} of its {asked} seeds are not in")
    return "\n".join(lines)


def _same(texts: Sequence[str], candidates: Sequence[Candidate]) -> str:
    """Which of the trials that were named have no rows of their own."""
    asked = [(text, text.rpartition(":")[2], candidate.trial)
             for text, candidate in zip(texts, candidates, strict=True)]  # fmt: skip
    return "\n".join(
        f"{text} has the configuration of trial {trial}, and its rows"
        for text, number, trial in asked
        if number.isdecimal() and int(number) != trial and not Path(text).is_dir()
    )
