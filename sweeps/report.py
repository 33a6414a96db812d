"""`python -m sweeps report`: what a run, a grid or a study says, on one page."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dqn.errors import RunError
from dqn.execution.screen import steps
from dqn.execution.summary import count
from dqn.results.atomic import replacing
from dqn.results.places import refuse_other
from dqn.results.reading import Results, read
from dqn.results.stats import METRICS

PAGE = "report.html"
EXAMPLES = """\
examples
  python -m sweeps report outputs/sweeps/a                         writes report.html and figures/
  python -m sweeps report outputs/sweeps/a --metric test_return    by another metric
  python -m sweeps report outputs/runs/a --json                    and prints the answer as JSON
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `report`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="of a run, a grid or a study")
    add(
        "--metric",
        choices=METRICS,
        help="to order and to judge by (default: the sweep's objective)",
    )


def report(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Write the page and the figures; status, what was found and where it is, plain values.

    Raises `UserError` for what is no folder of results or has nothing in it yet, `RunError` for a
    damaged table and where writing fails.
    """
    with steps() as tell:
        tell(f"reading {args.folder} ...")
        return _report(args, read(args.folder), tell)


def _report(
    args: argparse.Namespace, results: Results, tell: Callable[[str], None]
) -> tuple[int, str, Any]:
    # Plotly, Matplotlib and Optuna take seconds to import: after all that can be refused at once.
    from plotly.offline import get_plotlyjs

    from sweeps.reporting.answer import answer, progress
    from sweeps.reporting.evidence import evidence_of
    from sweeps.reporting.gallery import Gallery
    from sweeps.reporting.page import page
    from sweeps.reporting.sections import sections, top

    one = len(results.rows) == 1
    refuse_other(args.folder / PAGE, b"<!doctype html>", b'href="data:,"')
    tell(f"working out what {count(len(results.rows), 'trial')} {'says' if one else 'say'} ...")
    evidence = evidence_of(results, args.metric or results.objective)
    found = answer(evidence)
    path = args.folder / PAGE
    try:
        drawn = Gallery(evidence, tell).draw()
        tell("writing the page ...")
        title = f"{results.path.name or results.path.resolve().name}: {found.headline}"
        script = get_plotlyjs() if drawn else ""
        text = page(title, top(evidence, found), sections(evidence, drawn), script)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise RunError(
            f"{args.folder}: must be writable, is not ({error.strerror or error}); make room or "
            "change its permissions"
        ) from error
    figures = [str(args.folder / "figures" / f"{name}.png") for name in drawn]
    lines = [found.headline, found.progress, found.sureness, found.knobs, "", f"written: {path}"]
    lines += [f"{count(len(figures), 'figure')}: {args.folder / 'figures'}"] * bool(figures)
    ranking = evidence.importance
    have, asked = progress(evidence.tables)
    return 0, "\n".join(line for n, line in enumerate(lines) if line or n > 3), {
        "report": str(path), "figures": figures, "metric": evidence.tables.metric,
        "headline": found.headline, "sureness": found.sureness, "knobs": found.knobs,
        "trials": have, "expected": asked,
        "best": evidence.best,
        "importance": [] if ranking is None else ranking.to_dict("records"),
    }  # fmt: skip
