"""A command line of this package: one line for every error, tables or JSON for every result."""

import argparse
import json
import math
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from dqn.runtime.errors import UserError
from dqn.runtime.exit_codes import INTERRUPTED, exit_code
from dqn.runtime.standard_streams import prepare_streams, refuse_system, shows


class Parser(argparse.ArgumentParser):
    """One line of error instead of the whole usage; its epilog is shown as it is written."""

    def __init__(self, **options: Any):
        super().__init__(**{"formatter_class": argparse.RawDescriptionHelpFormatter, **options})

    def error(self, message: str) -> NoReturn:
        """Raise `UserError`."""
        raise UserError(f"{self.prog}: {message}; --help shows examples")


def command_line(run: Callable[[list[str]], int], arguments: list[str] | None) -> int:
    """The exit status of `run` on `arguments`, by default `sys.argv`'s; errors cost one line."""
    prepare_streams()

    def checked() -> int:
        refuse_system()
        return run(sys.argv[1:] if arguments is None else arguments)

    try:
        return exit_code(checked)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`, which `show` asks for."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def show(result: tuple[int, str, Any], as_json: bool) -> int:
    """Print a command's result (its exit status, text, and plain values); the exit status."""
    status, text, plain = result
    if as_json:
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
