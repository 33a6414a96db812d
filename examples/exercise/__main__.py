"""`python -m examples.exercise`: a page on the exercise's questions, from one's own numbers.

A page in Markdown with its figures beside it. Every number in it is computed from the folders that
are named, and what it says of them depends on the numbers.
"""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dqn.runtime.atomic_write import replacing
from dqn.runtime.errors import RunError, UserError
from dqn.runtime.exit_codes import printable
from dqn.storage.safe_yaml import plain_of
from dqn.terminal.console import steps
from sweeps.analysis.candidates import (
    Candidate,
    format_terms,
    incomparable,
    read_candidate,
    read_candidates,
)
from sweeps.commands.cli import Parser, add_json, command_line, show

PAGE = "exercise.md"
OUT = Path("exercise")
RESERVED = ("losses.png", "values.png")
EXAMPLES = """\
examples
  python -m dqn.run preset=exercise    first_seed=1000 seeds=100 name=exercise
  python -m dqn.run preset=scaled      first_seed=1000 seeds=100 name=scaled
  python -m dqn.run preset=recommended first_seed=1000 seeds=100 name=recommended
  python -m dqn.run sweep=influence seeds=30 name=influence
  python -m examples.exercise outputs/runs/{exercise,scaled,recommended} outputs/sweeps/influence
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command."""
    add = parser.add_argument
    add("exercise", metavar="EXERCISE", help="a run of the exercise's own values")
    add("scaled", metavar="SCALED", help="a run with scaled rewards")
    add("recommended", metavar="RECOMMENDED", help="a run of what is to be recommended")
    # Without a default argparse counts it among what is required.
    add(
        "sweeps",
        nargs="*",
        default=[],
        metavar="SWEEP",
        help="one hyperparameter at a time around a base",
    )
    add("--out", type=Path, metavar="DIR", help=f"for {PAGE} and its figures (default: {OUT})")


def main(arguments: list[str] | None = None) -> int:
    """Make the page that `arguments`, by default `sys.argv`'s, ask for; the exit status."""
    return command_line(_run, arguments)


def _run(arguments: list[str]) -> int:
    parser = Parser(
        prog="python -m examples.exercise",
        description="A page on the questions of the exercise, from runs and sweeps.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    add_json(parser)
    args = parser.parse_args(arguments)
    return show(write_page(args), args.json)


def write_page(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Draw the figures, write the page; status, what was written, the same as plain values.

    Raises `UserError` for what is no folder of results, for runs and sweeps that cannot be compared
    or are in another order, and where the page cannot be written.
    """
    with steps() as tell:
        return _write_page(args, tell)


def _write_page(args: argparse.Namespace, tell: Callable[[str], None]) -> tuple[int, str, Any]:
    tell("reading ...")
    # They load Matplotlib: not before it is needed.
    from examples.exercise.figures import draw_influence, draw_losses, draw_values
    from examples.exercise.influence import influence
    from examples.exercise.page import page

    runs = read_candidates([args.exercise, args.scaled, args.recommended])
    _refuse_unlike(runs)
    _refuse_disorder(*runs[:2])
    studies = [influence(read_candidate(text).results) for text in args.sweeps]
    _refuse_names([study.name for study in studies])
    for study in studies:
        if not study.hyperparameters:
            raise UserError(
                f"{study.name}: must have a trial with its base values and others that differ from "
                "it in one key, all their seeds trained, has none; sweep=influence makes such a "
                "study, and a stopped sweep's own command resumes it"
            )
        _refuse_unlike([runs[0], *study.candidates])
    out = args.out or OUT
    try:
        out.mkdir(parents=True, exist_ok=True)
        tell("drawing losses.png ...")
        draw_losses(out / "losses.png", runs)
        tell("drawing values.png ...")
        draw_values(out / "values.png", runs)
        for study in studies:
            tell(f"drawing {study.name}.png ...")
            draw_influence(out / f"{study.name}.png", study.hyperparameters)
        folders = [source.results.path for source in (*runs, *studies)]
        commands = [*map(_command, folders), *_way_here(folders), _own_command(args)]
        with replacing(out / PAGE) as temporary:
            temporary.write_text(page(runs, studies, commands), encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"--out must be a folder that can be written to, got {out} "
            f"({error.strerror or error}); name another"
        ) from error
    written = [PAGE, *RESERVED, *(f"{study.name}.png" for study in studies)]
    return 0, "\n".join(f"written: {out / name}" for name in written), {
        "written": [str(out / name) for name in written]
    }  # fmt: skip


def _refuse_unlike(candidates: Sequence[Candidate]) -> None:
    """Refuse what `compare` does without --anyway."""
    for other in incomparable(candidates):
        raise UserError(
            f"what is compared must share environment and budget, got {candidates[0].name}: "
            f"{format_terms(candidates[0].config)}, and {other.name}: "
            f"{format_terms(other.config)}; leave that out, or train it with the same"
        )


def _refuse_disorder(exercise: Candidate, scaled: Candidate) -> None:
    scales = [run.config.reward_scale for run in (exercise, scaled)]
    if scales[1] >= scales[0]:
        raise UserError(
            "the second run must have a smaller reward_scale than the first, got "
            f"{exercise.name}: {scales[0]:g}, then {scaled.name}: {scales[1]:g}; give them in the "
            "order EXERCISE SCALED RECOMMENDED"
        )


def _refuse_names(names: Sequence[str]) -> None:
    """Refuse sweeps whose figures would replace another."""
    for place, name in enumerate(names):
        if f"{name}.png" in RESERVED or name in names[:place]:
            raise UserError(
                "each SWEEP must be a folder with a name of its own, losses and values excepted, "
                f"got {name}{' twice' * (name in names[:place])}; rename it"
            )


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


def _way_here(folders: Sequence[Path]) -> list[str]:
    """`cd` from where all folders' commands were typed to a folder below it, where this one was."""
    homes = {_typed_in(path) for path in folders}
    home, here = homes.pop(), Path.cwd()
    if homes or home is None or here == home or not here.is_relative_to(home):
        return []
    return [printable(shlex.join(["cd", str(here.relative_to(home))]))]


def _typed_in(path: Path) -> Path | None:
    """Where the command that made a folder of results was typed, if Hydra left that in it."""
    file = path / ".hydra" / "hydra.yaml"
    try:
        return Path(plain_of(file)["hydra"]["runtime"]["cwd"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _own_command(args: argparse.Namespace) -> str:
    """What was typed to make the page."""
    words = [args.exercise, args.scaled, args.recommended, *args.sweeps]
    words += ["--out", str(args.out)] if args.out else []
    return printable(shlex.join(["python", "-m", "examples.exercise", *words]))


if __name__ == "__main__":
    sys.exit(main())
