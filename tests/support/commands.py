"""`python -m dqn.run`: a process of its own, or this one.

Here TensorFlow is loaded and programs are compiled once for many commands; a process of its own is
for what is killed, interrupted, or read as its user reads it.
"""

import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from unittest import mock

from dqn import run


def own_lines(err: str) -> list[str]:
    """Lines of standard error but for TensorFlow's: before 2.21 on each program that it reads."""
    lines = err.splitlines()
    if version("tensorflow") < "2.21":
        lines = [line for line in lines if not re.match(r"WARNING: All log|[EI]0000 ", line)]
    return lines


def argv(*arguments: str) -> list[str]:
    """The command as a process of its own is started."""
    return [sys.executable, "-m", "dqn.run", *map(str, arguments)]


def python(*arguments: str, env: dict[str, str] | None = None, **options):
    """A process of this interpreter that has ended, and imports what this one can."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | (env or {})
    words = [sys.executable, *map(str, arguments)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, **options)


def ended(*arguments: str) -> subprocess.CompletedProcess:
    """A process that has ended, and what it said; without a traceback."""
    done = subprocess.run(argv(*arguments), capture_output=True, text=True, timeout=280)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def stopped(
    folder: Path,
    start: Callable[[Path], subprocess.Popen],
    stop: Callable[[subprocess.Popen, Path], None],
) -> tuple[Path, int, str, str]:
    """A process that `stop` has ended before its end: its folder, exit status, output and errors.

    On a busy machine it may have done all its work by then: another one begins, in the next folder.
    """
    for number in range(10):
        own = folder / f"{number}"
        process = start(own)
        stop(process, own)
        out, err = process.communicate(timeout=200)
        assert "Traceback" not in err, err
        if process.returncode != 0:
            return own, process.returncode, out, err
    raise AssertionError("each came to its end before it was stopped")


def here(*arguments: str) -> int:
    """The exit status of the command in this process."""
    with (
        mock.patch.object(sys, "argv", ["dqn-run", *map(str, arguments)]),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras's
        try:
            return run.main()
        except SystemExit as end:  # of a sweep, within Hydra
            return int(end.code or 0)


def rows(folder: Path) -> int:
    """Whole lines of seeds.csv so far."""
    path = folder / "seeds.csv"
    return max(0, path.read_text().count("\n") - 1) if path.exists() else 0


def wait_for_rows(process: subprocess.Popen, folder: Path, wanted: int) -> None:
    """Until there are so many, or the process has ended."""
    deadline = time.monotonic() + 200
    while rows(folder) < wanted and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def assert_silent(printed) -> None:
    """Nothing of ours was printed: of what `capfd.readouterr()` gives."""
    assert (printed.out, own_lines(printed.err)) == ("", [])
