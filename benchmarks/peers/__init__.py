"""Stable-Baselines3 and rejax beside lanes, each in a virtual environment of its own.

Their requirements contradict ours and each other's. `stable_baselines3_dqn.py` and `rejax_dqn.py`
here are run by the interpreters of those environments and must import nothing of `dqn`. Each warms
up, prints a line of JSON that says what it is, and then answers every line of standard input, a
number of seconds, with the environment steps a second that it did for about so long.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

HERE = Path(__file__).parent
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}


@dataclass(frozen=True)
class Peer:
    """A script and what its environment holds; `pip` runs once a group, in their order."""

    script: str
    requirements: tuple[tuple[str, ...], ...]


# PyTorch first and by itself: its CPU build comes from an index of its own (see `build`).
STABLE_BASELINES3 = Peer(
    "stable_baselines3_dqn.py",
    (("torch==2.13.0",), ("stable-baselines3==2.9.2", "gymnasium[box2d]==1.4.0")),
)
REJAX = Peer("rejax_dqn.py", (("rejax==0.1.3", "jax==0.10.2", "gymnax<1"),))


def build(peer: Peer, progress: Callable[[str], None], torch_index: str | None = None) -> Path:
    """The interpreter of a peer's environment in the user's cache, made on first use.

    `torch_index` is an extra index for PyTorch: https://download.pytorch.org/whl/cpu saves the
    gigabytes of CUDA where PyPI's wheels carry it. Raises CalledProcessError where pip fails.
    """
    key = repr((peer.requirements, torch_index, sys.version_info[:2])).encode()
    name = f"{Path(peer.script).stem}-{hashlib.sha256(key).hexdigest()[:8]}"
    folder = Path(platformdirs.user_cache_dir("dqn-study")) / "peers" / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (folder / "complete").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    progress(f"making an environment for {peer.script} in {folder}")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    for group in peer.requirements:
        index = ["--extra-index-url", torch_index] if torch_index and "torch" in group[0] else []
        command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*command, *index, *group], check=True)
    (folder / "complete").touch()
    return python


class Running:
    """A peer's script at work in its environment, on the core of whoever starts it."""

    def __init__(self, python: Path, peer: Peer, *arguments: str):
        self._process = subprocess.Popen(
            [python, "-W", "ignore", HERE / peer.script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | _ONE_THREAD,
        )
        self.about: dict = self._answer()
        """Its versions and settings."""

    def steps(self, seconds: float) -> float:
        """Environment steps a second."""
        assert self._process.stdin is not None
        print(seconds, file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def _answer(self):
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildProcessError(f"{self._process.args} ended without an answer")
        return json.loads(line)
