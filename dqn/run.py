"""The command line's edge: `python -m dqn.run lr=0.0005`, or `dqn-run` where it is installed.

Everything wrong ends in one line on standard error: exit status 2 for what the user wrote, before
anything is made or trained, 1 for what failed later, 130 for Ctrl-C. Tracebacks are shown with
HYDRA_FULL_ERROR=1 alone. Hydra and TensorFlow are imported only when they are needed.
"""

import importlib.util
import io
import os
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
from dqn.runtime.errors import UserError
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
    import hydra

    from dqn.compose import compose
    from dqn.compose.arguments import normalize
    from dqn.compose.hydra_errors import one_line
    from dqn.compose.hydra_private import get_args_parser

    arguments = normalize(arguments)
    parser = get_args_parser()
    parser.error = _refuse_flag
    args = parser.parse_args(arguments)
    compose.name_folder_by_time(datetime.now())
    statuses = []

    def job(composed: "DictConfig") -> None:
        # Settled here: what a training raises is not Hydra's to explain.
        statuses.append(exit_code(lambda: _train(composed)))

    if args.experimental_rerun:
        raise UserError(
            "--experimental-rerun must be left out, as a pickle can run anything, got "
            f"{args.experimental_rerun}; python -m sweeps reproduce trains a row again"
        )
    shows = args.cfg or args.info or args.hydra_help or args.shell_completion
    if not shows:
        compose.validate_command(args, job)
    elif args.cfg or args.info:
        compose.remember_all(args, job)
    decorate = hydra.main(
        config_path=str(help_page.CONF),
        config_name=compose.CONFIG_NAME,
        version_base=compose.VERSION_BASE,
    )
    with one_line(), _hydra_raises(), _read_by_hydra(arguments), _shown_without(shows):
        decorate(job)()
    return max(statuses, default=0)


def _train(composed: "DictConfig") -> int:
    """The one job of a run, in the folder that Hydra has made for it."""
    from hydra.core.hydra_config import HydraConfig

    from dqn.compose.fast_compose import values_of
    from dqn.compose.resume_command import resume_command

    config = Config.from_mapping(values_of(composed))
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
def _shown_without(shows: object) -> Iterator[None]:
    """Leave passwords out of what Hydra prints of a configuration, where it `shows` one."""
    if not shows:
        yield
        return
    from dqn.config.interpolation import without_literals

    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        print(without_literals(hidden(printed.getvalue())), end="")


@contextmanager
def _hydra_raises() -> Iterator[None]:
    """Have Hydra raise what it would otherwise print, over several lines, and exit with."""
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = before


def _refuse_flag(message: str) -> None:
    """In the place of argparse's own error, which prints the whole usage."""
    found = re.search(r"(?<![\w-])--?([A-Za-z][\w-]+)", message)
    advice = found and _advice_on_flag(found[1])
    raise UserError(
        f"{message}; {advice}"
        if advice
        else f"{message}; flags stand before or after all of key=value, --hydra-help lists them"
    )


def _advice_on_flag(name: str) -> str:
    """What to write instead of a flag that is a key, here or in another program; "" of others."""
    word = name.replace("-", "_")
    if word in KEYS or word in help_page.default_groups():
        example = "env=gymnasium env.id=ID" if word == "env" else f"{word}=VALUE"
        return f"a setting is written without dashes: {example}"
    return advice_on(word) or ""


if __name__ == "__main__":
    sys.exit(main())
