"""The command line's edge: `python -m dqn.run lr=0.0005`, or `dqn-run` where it is installed.

Everything wrong ends in one line on standard error: exit status 2 for what the user wrote, before
anything is made or trained, 1 for what failed later, 130 for Ctrl-C. Tracebacks are shown with
HYDRA_FULL_ERROR=1 alone. Hydra and TensorFlow are imported only when they are needed.
"""

import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqn.compose import help_page
from dqn.config import Config
from dqn.config.components import own_of
from dqn.config.config import KEYS
from dqn.config.familiar import advice_on
from dqn.runtime import machine
from dqn.runtime.errors import UserError, must_be
from dqn.runtime.exit_codes import FULL_ERROR, INTERRUPTED, exit_code
from dqn.runtime.secrets import clean, hidden
from dqn.runtime.standard_streams import prepare_streams, refuse_system
from dqn.runtime.sweeps_package import load_sweeps

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from dqn.compose.compose import Command


def main() -> int:
    """Do what `sys.argv` asks for and give the exit status."""
    prepare_streams()
    try:
        return exit_code(lambda: _run(sys.argv[1:]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(arguments: list[str]) -> int:
    if page := help_page.asked_for(arguments):
        print(page)
        return 0
    if "--version" in arguments:
        print(machine.format_versions())
        return 0

    refuse_system()
    load_sweeps()
    from dqn.compose import compose
    from dqn.compose.arguments import normalize
    from dqn.compose.hydra_errors import one_line
    from dqn.compose.hydra_private import get_args_parser

    parser = get_args_parser()
    parser.error = _refuse_flag
    is_dry = help_page.DRY_RUN in arguments
    typed = [word for word in arguments if word != help_page.DRY_RUN]
    args = parser.parse_args(normalize(typed))
    compose.name_folder_by_time(datetime.now())
    if args.experimental_rerun:
        raise must_be(
            "--experimental-rerun",
            "left out, as a pickle can run anything",
            args.experimental_rerun,
            "python -m sweeps reproduce trains a row again",
        )
    shows = args.cfg or args.info or args.hydra_help or args.shell_completion
    if shows or args.resolve or (args.run and args.multirun):  # the last two are refused by Hydra
        _have_hydra_show(args, parser)
        return 0
    statuses = []

    def job(composed: "DictConfig") -> None:
        # The exit status is settled here: Hydra would explain what a training raises.
        statuses.append(exit_code(lambda: _train(command.configs[0])))

    command = compose.validate_command(args, job)

    from dqn.workers.pool import before_training  # takes a while: last

    configs = command.configs
    with _trying_out(configs):
        before_training(configs[0], configs, corners=() if command.is_study else None)
    if is_dry:
        return _show_plan(command)
    with one_line():
        command.run()
    return max(statuses, default=0)


def _show_plan(command: "Command") -> int:
    """Show what a command would train; nothing is trained, or made on disk."""
    from dqn.compose.hydra_errors import one_line
    from dqn.trained.dry_run import dry_run, show_run

    with dry_run(), one_line():
        if command.is_sweep:
            command.run()
        else:
            show_run(command.configs[0], command.folder)
    return 0


@contextmanager
def _trying_out(configs: Sequence[Config]) -> Iterator[None]:
    """Show that components of one's own are imported and tried out, which takes seconds."""
    paths = dict.fromkeys(path for config in configs for path in own_of(config).values())
    if not paths:
        yield
        return
    from dqn.terminal.console import steps

    with steps() as show:
        show(f"trying out {', '.join(paths)} ...")
        yield


def _have_hydra_show(args: Any, parser: Any) -> None:
    """Have Hydra show what its own flags ask for, without passwords; nothing is trained."""
    from dqn.compose import compose
    from dqn.compose.hydra_errors import one_line
    from dqn.config.interpolation import without_literals
    from dqn.runtime.tensorflow import set_for_now

    def job(composed: "DictConfig") -> None:
        raise AssertionError

    printed = io.StringIO()
    try:
        # Hydra is to raise what it would otherwise print, over several lines, and exit with.
        with one_line(), set_for_now(os.environ, FULL_ERROR, "1"), redirect_stdout(printed):
            compose.show(args, parser, job)
    finally:
        print(without_literals(hidden(printed.getvalue())), end="")


def _train(config: Config) -> int:
    """The one job of a run, in the folder that Hydra has made for it."""
    from hydra.core.hydra_config import HydraConfig

    from dqn.compose.resume_command import resume_command

    settings = HydraConfig.get()
    if settings.output_subdir is not None:
        clean(Path(settings.runtime.output_dir) / settings.output_subdir)

    from dqn.session import train

    status = train(config, Path(settings.runtime.output_dir))
    if status == INTERRUPTED:
        print(f"to resume: {resume_command(settings)}")
    return status


def _refuse_flag(message: str) -> None:
    """In the place of argparse's own error, which prints the whole usage."""
    found = re.search(r"(?<![\w-])--?([A-Za-z][\w-]+)", message)
    word = found[1].replace("-", "_") if found else ""
    advice = advice_on(word) or "write flags before or after all key=value; --hydra-help lists them"
    if word in KEYS or word in help_page.default_groups():
        example = "env=gymnasium env.id=ID" if word == "env" else f"{word}=VALUE"
        advice = f"write a setting without dashes: {example}"
    raise UserError(f"{message}; {advice}", found[0] if found else "")


if __name__ == "__main__":
    sys.exit(main())
