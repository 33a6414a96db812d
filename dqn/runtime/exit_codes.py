"""How a command ends: exit statuses, and one line on standard error for whatever was raised."""

import os
import sys
import traceback
from collections.abc import Callable

from dqn.runtime.errors import RunError, UserError
from dqn.runtime.secrets import hidden

FAILED, INTERRUPTED, BROKEN_PIPE = 1, 130, 141
TIME_IS_UP = 124
"""Within this program, as `timeout` has it: a study that its own limit stopped ends with 0."""
FULL_ERROR = "HYDRA_FULL_ERROR"


def show_tracebacks() -> bool:
    """Whether tracebacks are shown, in this process and in its workers."""
    return os.environ.get(FULL_ERROR) == "1"


def exit_code(call: Callable[[], int]) -> int:
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
        advice = "" if known else f"; {FULL_ERROR}=1 shows the traceback"
        if show_tracebacks():
            print(hidden(traceback.format_exc()), end="", file=sys.stderr)
        print(printable(line) + advice, file=sys.stderr)
        return error.exit_status if known else FAILED


def printable(text: str) -> str:
    """`text` in one line that a terminal shows and does not obey, without passwords."""
    line = " ".join(hidden(text).split())
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
