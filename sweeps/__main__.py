"""`python -m sweeps`: what finished runs, grids and studies say, and whether it holds.

Errors are those of `python -m dqn.run`: one line, exit status 2 for what the user wrote, 1 for what
failed. TensorFlow is imported where something is trained, Optuna for a report alone.
"""

import importlib
import sys

from dqn.runtime.errors import UserError
from sweeps.commands.cli import Parser, add_json, command_line, show

COMMANDS = {
    "list": "what is in outputs/: status, best and age of each run, grid and study",
    "watch": "the page of a run, a grid or a study while it trains",
    "compare": "runs, grids and studies side by side",
    "validate": "train the best trials again, with seeds that the study never used",
    "report": "one page of what a run, a grid or a study says: report.html",
    "export": "results for another tool: TensorBoard, W&B or MLflow",
    "forget": "remove trainings, so that the same command trains them again",
    "reproduce": "train one row of seeds.csv again, and say whether it is the same",
}
"""Each a module of `commands`, with `add_arguments`, `EXAMPLES` and a function of its name."""
MOVED = {"course": "a notebook, examples/exercise.ipynb, in a checkout of this project"}


def main(arguments: list[str] | None = None) -> int:
    """Do what `arguments`, by default `sys.argv`'s, ask for; the exit status."""
    return command_line(_run, arguments)


def _run(arguments: list[str]) -> int:
    if arguments and arguments[0] in MOVED:
        raise UserError(f"{arguments[0]} is now {MOVED[arguments[0]]}")
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.print_help()
        return 0
    return show(args.do(args), args.json)


def _parser() -> Parser:
    modules = {name: importlib.import_module(f"sweeps.commands.{name}") for name in COMMANDS}
    texts = {name: module.EXAMPLES for name, module in modules.items()}
    parser = Parser(
        prog="python -m sweeps",
        description="What finished runs, grids and studies say. Each command has its own --help.",
        epilog="\n".join(
            text.replace("examples", f"examples of {name}", 1) for name, text in texts.items()
        ),
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, about in COMMANDS.items():
        text = f"{about[0].upper()}{about[1:]}."
        command = commands.add_parser(name, help=about, description=text, epilog=texts[name])
        command.set_defaults(do=getattr(modules[name], name))
        modules[name].add_arguments(command)
        add_json(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
