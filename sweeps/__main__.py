"""`python -m sweeps`: what finished runs, grids and studies say, and whether it holds.

Errors are those of `python -m dqn.run`: one line, exit status 2 for what the user wrote, 1 for what
failed. TensorFlow is imported where something is trained, Optuna and plotly for a report alone.
"""

import argparse
import importlib
import json
import math
import sys
from typing import Any, NoReturn

from dqn.errors import UserError
from dqn.status import INTERRUPTED, settled
from dqn.terminal import prepare_streams, refuse_system, shows

COMMANDS = {
    "compare": "runs, grids and studies side by side",
    "validate": "train the best trials again, with seeds that the study never used",
    "report": "one page of what a run, a grid or a study says: report.html",
    "course": "a page on the questions of the exercise, from runs and sweeps",
    "export": "results for another tool: TensorBoard",
    "reproduce": "train one row of seeds.csv again, and say whether it is the same",
}
"""Each the name of a module here, with `add_arguments`, `EXAMPLES` and a function of its name."""


class _Parser(argparse.ArgumentParser):
    """One line of error instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.prog}: {message}; --help shows examples")


def main(arguments: list[str] | None = None) -> int:
    """Do what `arguments`, by default `sys.argv`'s, ask for; the exit status."""
    prepare_streams()
    try:
        return settled(lambda: _run(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(arguments: list[str]) -> int:
    refuse_system()
    parser = _parser(arguments)
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.print_help()
        return 0
    module = importlib.import_module(f"sweeps.{args.command}")
    status, text, plain = getattr(module, args.command)(args)
    if args.json:
        finite = _finite(plain)
        text = json.dumps(finite, indent=1, ensure_ascii=False, allow_nan=False)
        if not shows(text):
            text = json.dumps(finite, indent=1, allow_nan=False)
    print(text)
    return status


def _finite(value: Any) -> Any:
    """`value` with text, inf or nan, in the place of numbers that JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    modules = {name: importlib.import_module(f"sweeps.{name}") for name in COMMANDS}
    parser = _Parser(
        prog="python -m sweeps",
        description="What finished runs, grids and studies say. Each command has its own --help.",
        epilog="\n".join(
            module.EXAMPLES.replace("examples", f"examples of {name}", 1)
            for name, module in modules.items()
        ),
        formatter_class=raw,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, about in COMMANDS.items():
        module = modules[name]
        command = commands.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            epilog=module.EXAMPLES,
            formatter_class=raw,
        )
        module.add_arguments(command)
        command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser


if __name__ == "__main__":
    sys.exit(main())
