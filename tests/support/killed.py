"""Kills a process before each call that changes the disk, one process after another."""

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import itertools, os, signal, sys
from pathlib import Path
sys.path[:0] = {folders!r}
from {module} import *

def dying(function, left=[0]):
    def call(*arguments, **named):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call

for calls in itertools.count(1):
    if {prepared}:
        prepare(Path(sys.argv[1]) / str(calls))
    child = os.fork()
    if child == 0:
        dying.__defaults__[0][0] = calls
        os.replace, os.fsync, Path.unlink = map(dying, (os.replace, os.fsync, Path.unlink))
        work_to_be_killed(Path(sys.argv[1]) / str(calls))
        os._exit(0)
    if os.waitpid(child, 0)[1] != signal.SIGKILL:
        break
print(calls - 1)
"""


def before_each_call(test: str, folder: Path, prepared: bool = False) -> int:
    """Run `work_to_be_killed(folder / "1")` of the file `test`, killed at its 1st call, then "2".

    Where `prepared`, its `prepare` of the same folder comes before, and is not killed.

    Returns how many were killed: the next one came to its end.
    """
    folders = [str(Path(__file__).parent), str(Path(test).parent)]
    script = _SCRIPT.format(folders=folders, module=Path(test).stem, prepared=prepared)
    command = [sys.executable, "-c", script, folder]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
