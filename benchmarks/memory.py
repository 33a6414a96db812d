"""Memory of a lane: `python -m benchmarks.memory LANES` prints what a process with so many needs.

A process of its own for each number of lanes, since memory once used is not all given back.
"""

import re
import subprocess
import sys
from pathlib import Path

FEW, MANY = 16, 80


def megabytes_a_lane() -> float:
    """How much higher the peak of a process with a bigger block is, per lane more."""
    # Of two processes the first may have compiled, and keep what that took; the second has not.
    few, many = (min(_peak_in_a_process(lanes) for _ in range(2)) for lanes in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def is_measurable() -> bool:
    """Whether this system tells a process its peak and lets it begin anew (Linux)."""
    return Path("/proc/self/clear_refs").exists()


def _peak_in_a_process(lanes: int) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", str(lanes)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def _peak(lanes: int) -> float:
    """Megabytes at most resident while a compiled block of so many lanes is at work."""
    from benchmarks.lanes import FullBlock

    block = FullBlock(lanes=lanes)
    Path("/proc/self/clear_refs").write_text("5")  # the compiler's own peak is not a lane's
    block.steps(0.0)
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


if __name__ == "__main__":
    from dqn.runtime import compile_cache
    from dqn.runtime.tensorflow import import_tensorflow

    compile_cache.prepare()
    import_tensorflow()
    print(_peak(int(sys.argv[1])))
