"""`python -m sweeps compare`: runs, grids and studies side by side."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from dqn.errors import UserError
from dqn.execution.summary import as_text, interval_of, number
from dqn.results.composed import differences
from dqn.results.stats import METRICS
from dqn.results.trials import trial_row
from dqn.schema import override_text
from sweeps.contenders import TITLES, Against, Contender, against, contenders, told_terms, unlike

TOO_SHORT = "an interval of P(better) that ends at 0 or 1 is too short: more seeds would widen it"
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
        help="that probabilities are of (default: mean_return)")  # fmt: skip
    add("--anyway", action="store_true", help="compare unlike environments and budgets, marked *")
    add("--out", type=Path, metavar="DIR", help="draw learning curves and profiles there (PNG)")


def compare(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Exit status, the tables, and the same as plain values.

    Raises `UserError` for what cannot be compared.
    """
    them = contenders(args.folders)
    others = unlike(them)
    if others and not args.anyway:
        raise UserError(
            f"what is compared must share environment and budget, met {them[0].name}: "
            f"{told_terms(them[0])}, and {others[0].name}: {told_terms(others[0])}; add --anyway"
        )
    summaries = [trial_row(one.rows, ()) for one in them]
    versus = [against(one.rows, them[0].rows, args.metric) for one in them[1:]]
    changed = changes([one.config.to_mapping() for one in them])
    drawn = []
    if args.out:
        from sweeps.pictures import draw

        drawn = draw(args.out, them, args.metric)
    texts = [_overview(them, summaries, others), _settings(them, changed)]
    if versus:
        texts.append(_versus(them, versus, args.metric))
    drawn_told = "\n".join(f"drawn: {path}" for path in drawn)
    texts += [_footnotes(them, others), drawn_told]
    plain = {
        "metric": args.metric,
        "contenders": [
            {
                "name": one.name, "folder": str(one.results.path), "trial": one.trial,
                "seeds": [row["seed"] for row in one.rows], "solved": _solved(one),
                "steps": _steps(one), "comparable": one not in others, **summary,
            }
            for one, summary in zip(them, summaries, strict=True)
        ],
        "differ": changed,
        "against_first": [
            {"name": one.name, **asdict(each)} for one, each in zip(them[1:], versus, strict=True)
        ],
        "figures": [str(path) for path in drawn],
    }  # fmt: skip
    return 0, "\n\n".join(text for text in texts if text), plain


def changes(mappings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The keys in which configurations differ, each with its value in all of them.

    Keys that no network sees are left out but for `test_episodes`.
    """
    free = {"seeds", "first_seed", "workers", "name"}
    first = mappings[0]
    names = dict.fromkeys(
        name
        for mapping in mappings[1:]
        for name, _, _ in differences(first, mapping)
        if name not in free
    )
    return {name: [_at(mapping, name) for mapping in mappings] for name in names}


def table(*columns: str, left: int = 1) -> Table:
    """An empty table in the house's style, its first `left` columns flush left."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, title in enumerate(columns):
        made.add_column(title, justify="left" if place < left else "right")
    return made


def spanned(value: float | None, ends: tuple[float, float] | None, digits: int) -> str:
    """A number with its interval, as text that lines up below another."""
    if value is None:
        return "-"
    if ends is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"


def _overview(
    them: Sequence[Contender], summaries: Sequence[Mapping[str, Any]], others: Sequence[Contender]
) -> str:
    made = table("", "seeds", *(f"{TITLES[m]}\n95 %" for m in METRICS), "solved", "steps")
    for one, summary in zip(them, summaries, strict=True):
        seen = {name: float("nan") if v is None else v for name, v in summary.items()}
        cells = [f"{number(seen[m], m)}\n{interval_of(seen, m)}" for m in METRICS]
        made.add_row(
            one.name + "*" * (one in others), _seeds(one), *cells,
            f"{sum(row['solved_at'] is not None for row in one.rows)} of {len(one.rows)}",
            f"{_steps(one):,}",
        )  # fmt: skip
    return as_text(made).strip("\n")


def _settings(them: Sequence[Contender], changed: Mapping[str, Sequence[Any]]) -> str:
    if not changed:
        return "all have the same configuration" if len(them) > 1 else ""
    made = table("differs in", *(one.name for one in them))
    for name, values in changed.items():
        made.add_row(name, *("-" if v is None else override_text(v) for v in values))
    return as_text(made).strip("\n")


def _versus(them: Sequence[Contender], versus: Sequence[Against], metric: str) -> str:
    digits = 2 if metric == "collapse" else 1
    made = table(
        f"against {them[0].name}, in {TITLES[metric]}",
        "P(better)\n95 % interval",
        "difference of IQMs\n95 % interval",
        "seeds",
    )
    for one, each in zip(them[1:], versus, strict=True):
        made.add_row(
            one.name,
            spanned(each.improvement, each.improvement_interval, 2),
            spanned(each.difference, each.difference_interval, digits),
            "the same: paired" if each.paired else "not the same",
        )
    text = as_text(made).strip("\n")
    apart = any({0.0, 1.0} & {*(each.improvement_interval or ())} for each in versus)
    return text + f"\n\n{TOO_SHORT}" * apart


def _footnotes(them: Sequence[Contender], others: Sequence[Contender]) -> str:
    lines = [f"* another environment or budget than {them[0].name}: {told_terms(one)}"
             for one in others]  # fmt: skip
    for one in them:
        missing = one.results.base.seeds - len(one.rows)
        if missing > 0:
            lines.append(f"{one.name}: {missing} of its {one.results.base.seeds} seeds are not in")
    return "\n".join(lines)


def _seeds(one: Contender) -> str:
    """How many, and in words how many of them did not end well."""
    statuses = [row["status"] for row in one.rows]
    bad = [f"{statuses.count(s)} {s}" for s in ("diverged", "pruned", "failed") if s in statuses]
    return "\n".join([f"{len(statuses)}", *bad])


def _solved(one: Contender) -> float:
    return sum(row["solved_at"] is not None for row in one.rows) / len(one.rows)


def _steps(one: Contender) -> int:
    """Environment steps of one training, on average."""
    return round(sum(int(row["steps"] or 0) for row in one.rows) / len(one.rows))


def _at(mapping: Mapping[str, Any], name: str) -> Any:
    value: Any = mapping
    for part in name.partition("[")[0].split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
