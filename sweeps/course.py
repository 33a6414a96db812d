"""`python -m sweeps course`: the exercise's questions, answered with one's own figures and numbers.

A page in Markdown with its figures beside it. Every number in it is computed from the folders that
are named, and what it says of them depends on the numbers.
"""

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dqn.errors import RunError, UserError
from dqn.execution.screen import steps
from dqn.results.atomic import replacing
from dqn.results.document import plain_of
from dqn.status import printable
from sweeps.contenders import contender

PAGE = "course.md"
EXAMPLES = """\
examples
  python -m dqn.run preset=exercise    first_seed=1000 seeds=100 name=exercise
  python -m dqn.run preset=scaled      first_seed=1000 seeds=100 name=scaled
  python -m dqn.run preset=recommended first_seed=1000 seeds=100 name=recommended
  python -m dqn.run sweep=influence seeds=30 name=influence
  cd outputs; python -m sweeps course runs/exercise runs/scaled runs/recommended sweeps/influence
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `course`."""
    add = parser.add_argument
    add("exercise", metavar="EXERCISE", help="a run of the exercise's own values")
    add("scaled", metavar="SCALED", help="a run with scaled rewards")
    add("recommended", metavar="RECOMMENDED", help="a run of what is to be recommended")
    add("sweeps", nargs="*", metavar="SWEEP", help="one knob at a time around a base")
    add("--out", type=Path, default=Path("course"), metavar="DIR",
        help=f"for {PAGE} and its figures (default: course)")  # fmt: skip


def course(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Draw the figures, write the page; status, what was written, the same as plain values.

    Raises `UserError` for what is no folder of results and where the page cannot be written.
    """
    with steps() as tell:
        return _course(args, tell)


def _course(args: argparse.Namespace, tell: Callable[[str], None]) -> tuple[int, str, Any]:
    tell("reading ...")
    # They load Matplotlib: not before it is needed.
    from sweeps.answers import page
    from sweeps.lessons import draw_influence, draw_losses, draw_values, knobs

    them = [contender(text) for text in (args.exercise, args.scaled, args.recommended)]
    around = [contender(text).results for text in args.sweeps]
    studies = {results.path.resolve().name: knobs(results) for results in around}
    for name, found in studies.items():
        if not found:
            raise UserError(
                f"{name}: must have a trial with its base values and others that differ from it in "
                "one key, has none; sweep=influence makes such a study"
            )
    out = args.out
    try:
        out.mkdir(parents=True, exist_ok=True)
        tell("losses.png")
        draw_losses(out / "losses.png", them)
        tell("values.png")
        draw_values(out / "values.png", them)
        for name, found in studies.items():
            tell(f"{name}.png")
            draw_influence(out / f"{name}.png", found, "mean_return")
        commands = [_command(one.results.path) for one in them]
        commands += [_command(results.path) for results in around]
        with replacing(out / PAGE) as temporary:
            temporary.write_text(page(them, studies, commands), encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"--out must be a folder that can be written to, met {out} "
            f"({error.strerror or error}); name another"
        ) from error
    written = [PAGE, "losses.png", "values.png", *(f"{name}.png" for name in studies)]
    return 0, "\n".join(f"written: {out / name}" for name in written), {
        "written": [str(out / name) for name in written]
    }  # fmt: skip


def _command(path: Path) -> str:
    """The command that made a folder of results, from what Hydra left in it."""
    file = path / ".hydra" / "hydra.yaml"
    if not file.exists():
        return f"# {path.name}: no record of its command"
    try:
        overrides = plain_of(file)["hydra"]["overrides"]
        own = [word for word in overrides["hydra"] if not word.startswith("hydra.mode=")]
        return printable(shlex.join(["python", "-m", "dqn.run", *own, *overrides["task"]]))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError(f"{file}: must be what Hydra wrote there, is not; remove it") from error
