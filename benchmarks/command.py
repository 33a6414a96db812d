"""`python -m dqn.run` as its user meets it: whole commands, from the shell to the last file."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.measure import Row, on_all_cores
from dqn.runtime.compile_cache import SWITCH
from dqn.runtime.errors import RunError

ARGUMENTS = ("seeds=10", "episodes=150")
COLD, WARM = 20.0, 12.0  # seconds at most, on two cores


def rows(rounds: int, progress: Callable[[str], None], arguments=ARGUMENTS) -> list[Row]:
    """Wall seconds with an empty compile cache, and with the one that this has left."""
    cold, warm = [], []
    for i in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for name, times in (("cold", cold), ("warm", warm)):
                times.append(_seconds(Path(folder), name, arguments))
                progress(f"round {i + 1} of {rounds}, {name}: {times[-1]:.1f} s")
    command = "dqn.run " + " ".join(arguments)
    return [
        Row(f"{command}, cold", cold, "s", COLD, at_most=True),
        Row(f"{command}, compile cache warm", warm, "s", WARM, at_most=True),
    ]


def _seconds(folder: Path, name: str, arguments) -> float:
    results = folder / name
    command = [sys.executable, "-m", "dqn.run", *arguments, f"hydra.run.dir={results}"]
    environment = os.environ | {SWITCH: str(folder / "cache")}
    for key in ("TF_XLA_FLAGS", "TF_NUM_INTRAOP_THREADS"):  # ours, set by `compile_cache.prepare`
        environment.pop(key, None)
    began = perf_counter()
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=on_all_cores,
    )
    took = perf_counter() - began
    if done.returncode:
        raise RunError(f"{' '.join(command)} failed: {done.stdout}")
    return took
