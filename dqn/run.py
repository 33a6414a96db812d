"""The command line's edge: `python -m dqn.run lr=0.0005`, or `dqn-run` where it is installed.

Everything wrong ends in one line on standard error: exit status 2 for what the user wrote, before
anything is made or trained, 1 for what failed later, 130 for Ctrl-C. Tracebacks are shown with
HYDRA_FULL_ERROR=1 alone. Hydra and TensorFlow are imported only when they are needed.
"""

import importlib.util
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqn.compose import help_page
from dqn.config import Config
from dqn.config.config import KEYS
from dqn.config.familiar import advice_on
from dqn.runtime import machine
from dqn.runtime.environment_variable import variable_set
from dqn.runtime.errors import UserError, must_be
from dqn.runtime.exit_codes import FULL_ERROR, INTERRUPTED, exit_code, remember_tracebacks
from dqn.runtime.secrets import clean, hidden
from dqn.runtime.standard_streams import prepare_streams, refuse_system

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> int:
    """Do what `sys.argv` asks for and give the exit status."""
    prepare_streams()
    remember_tracebacks()
    try:
        return exit_code(lambda: _run(sys.argv[1:]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(arguments: list[str]) -> int:
    if not {"-h", "--help"}.isdisjoint(arguments):
        print(help_page.page())
        return 0
    if "--version" in arguments:
        print(machine.format_versions())
        return 0

    refuse_system()
    _load_sweeps()
    from dqn.compose import compose
    from dqn.compose.arguments import normalize
    from dqn.compose.hydra_errors import one_line
    from dqn.compose.hydra_private import get_args_parser

    arguments = normalize(arguments)
    parser = get_args_parser()
    parser.error = _refuse_flag
    args = parser.parse_args(arguments)
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
        _have_hydra_show(arguments, args)
        return 0
    statuses = []

    def job(composed: "DictConfig") -> None:
        # The exit status is settled here: Hydra would explain what a training raises.
        statuses.append(exit_code(lambda: _train(command.configs[0])))

    command = compose.validate_command(args, job)

    from dqn.workers.pool import before_training  # takes a while: last

    configs = command.configs
    before_training(configs[0], configs, corners=() if command.is_study else None)
    with one_line():
        command.run(job)
    return max(statuses, default=0)


def _have_hydra_show(arguments: list[str], args: Any) -> None:
    """Have Hydra show what its own flags ask for; nothing is trained."""
    import hydra

    from dqn.compose import compose
    from dqn.compose.hydra_errors import one_line

    def job(composed: "DictConfig") -> None:
        raise AssertionError

    if args.cfg or args.info:
        compose.remember_all(args, job)
    decorate = hydra.main(
        config_path=str(help_page.CONF),
        config_name=compose.CONFIG_NAME,
        version_base=compose.VERSION_BASE,
    )
    # Hydra is to raise what it would otherwise print, over several lines, and exit with.
    with one_line(), variable_set(FULL_ERROR, "1"), _read_by_hydra(arguments), _clean_output():
        decorate(job)()


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


def _load_sweeps() -> None:
    """Have `sweeps` be the package beside this one, whatever a user's folder has of its name."""
    path = Path(__file__).resolve().parents[1] / "sweeps" / "__init__.py"
    if "sweeps" in sys.modules or not path.exists():
        return
    spec: Any = importlib.util.spec_from_file_location("sweeps", path)
    sys.modules["sweeps"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["sweeps"])


@contextmanager
def _read_by_hydra(arguments: list[str]) -> Iterator[None]:
    """Have Hydra, which reads `sys.argv` itself, read these words."""
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _clean_output() -> Iterator[None]:
    """Leave passwords out of what Hydra prints of a configuration."""
    from dqn.config.interpolation import without_literals

    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        print(without_literals(hidden(printed.getvalue())), end="")


def _refuse_flag(message: str) -> None:
    """In the place of argparse's own error, which prints the whole usage."""
    found = re.search(r"(?<![\w-])--?([A-Za-z][\w-]+)", message)
    advice = found and _advice_on_flag(found[1])
    advice = advice or "write flags before or after all key=value; --hydra-help lists them"
    raise UserError(f"{message}; {advice}", found[0] if found else "")


def _advice_on_flag(name: str) -> str:
    """What to write instead of a flag that is a key, here or in another program; "" of others."""
    word = name.replace("-", "_")
    if word in KEYS or word in help_page.default_groups():
        example = "env=gymnasium env.id=ID" if word == "env" else f"{word}=VALUE"
        return f"write a setting without dashes: {example}"
    return advice_on(word) or ""


if __name__ == "__main__":
    sys.exit(main())
