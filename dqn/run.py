"""The command line's edge: `python -m dqn.run lr=0.0005`, or `dqn-run` where it is installed.

Everything wrong ends in one line on standard error: exit status 2 for what the user wrote, before
anything is made or trained, 1 for what failed later, 130 for Ctrl-C. Tracebacks are shown with
HYDRA_FULL_ERROR=1 alone. Hydra and TensorFlow are imported only when they are needed.
"""

import io
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqn import help as help_page
from dqn.config import Config
from dqn.errors import RunError, UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

FAILED, INTERRUPTED, BROKEN_PIPE = 1, 130, 141
_FULL_ERROR = "HYDRA_FULL_ERROR"


def main() -> int:
    """Do what `sys.argv` asks for and give the exit status; Hydra's `--version` exits by itself."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without Greek letters
    tracebacks = os.environ.get(_FULL_ERROR) == "1"
    try:
        return _settled(lambda: _run(sys.argv[1:], tracebacks), tracebacks)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(arguments: list[str], tracebacks: bool) -> int:
    if not {"-h", "--help"}.isdisjoint(arguments):
        print(help_page.page())
        return 0

    import hydra
    from hydra._internal.utils import get_args_parser

    from dqn import compose, composer

    parser = get_args_parser()
    parser.error = _refuse_flag
    args = parser.parse_args(arguments)
    compose.name_folder_by_time(datetime.now())
    statuses = []

    def job(composed: "DictConfig") -> None:
        statuses.append(_settled(lambda: _train(composed, jobs, arguments), tracebacks))
        if statuses[-1] in (INTERRUPTED, BROKEN_PIPE):  # no further job of a grid is wanted
            raise SystemExit(statuses[-1])

    shows = args.cfg or args.info or args.hydra_help or args.shell_completion
    jobs = 0 if shows or args.experimental_rerun else len(compose.plan(args, job))
    decorate = hydra.main(
        config_path=str(help_page.CONF),
        config_name=compose.CONFIG_NAME,
        version_base=compose.VERSION_BASE,
    )
    with composer.one_line(), _hydra_raises():
        decorate(job)()
    return max(statuses, default=0)


def _train(composed: "DictConfig", jobs: int, arguments: list[str]) -> int:
    """One job, in the folder that Hydra has made for it."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    values: Any = OmegaConf.to_container(composed, resolve=True)
    config = Config.from_mapping(values)
    settings = HydraConfig.get()
    if jobs > 1:
        overrides: Any = OmegaConf.to_container(settings.overrides.task, resolve=False)
        print(f"\njob {settings.job.num + 1} of {jobs}: {' '.join(overrides)}", flush=True)

    from dqn.execution.driver import train  # imports TensorFlow

    status = train(config, Path(settings.runtime.output_dir))
    if status == INTERRUPTED:
        print(f"to go on: {_again(arguments, settings)}")
    return status


def _again(arguments: list[str], settings: Any) -> str:
    """The command that goes on in the folder of this one."""
    many = settings.mode.name == "MULTIRUN"
    key, folder = (
        ("hydra.sweep.dir", settings.sweep.dir) if many else ("hydra.run.dir", settings.run.dir)
    )
    named = any(word.startswith((f"{key}=", "name=")) for word in arguments)
    return shlex.join(
        ["python", "-m", "dqn.run", *arguments, *([] if named else [f"{key}={folder}"])]
    )


def _settled(call: Callable[[], int], tracebacks: bool) -> int:
    """The exit status of `call`; whatever it raises becomes one and a line on standard error."""
    try:
        status = call()
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader has gone, as in `dqn-run --help | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        known = isinstance(error, UserError | RunError)
        line = str(error) if known else f"{type(error).__name__}: {error}"
        advice = "" if known else f"; {_FULL_ERROR}=1 shows the traceback"
        if tracebacks:
            traceback.print_exc()
        print(" ".join(line.split()) + advice, file=sys.stderr)
        return error.exit_status if known else FAILED


@contextmanager
def _hydra_raises() -> Iterator[None]:
    """Have Hydra raise what it would otherwise print, over several lines, and exit with."""
    before = os.environ.get(_FULL_ERROR)
    os.environ[_FULL_ERROR] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FULL_ERROR]
        else:
            os.environ[_FULL_ERROR] = before


def _refuse_flag(message: str) -> None:
    """In the place of argparse's own error, which prints the whole usage."""
    raise UserError(
        f"{message}; flags stand before or after all of key=value, --hydra-help lists them"
    )


if __name__ == "__main__":
    sys.exit(main())
