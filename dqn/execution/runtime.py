"""What must be set before TensorFlow is loaded: threads, and where compiled programs are kept."""

import contextlib
import functools
import gc
import hashlib
import os
import platform
import sys
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import platformdirs

from dqn.results import atomic

CACHE_BYTES = 500_000_000  # of compiled programs that are kept: those of some 200 network shapes
SWITCH = "DQN_COMPILE_CACHE"  # a folder of one's own, or 0 for none
_CACHE_FLAG = "--tf_xla_persistent_cache_directory="


def prepare() -> None:
    """Set TensorFlow up for lanes; to be called before TensorFlow is imported.

    One thread a process: a block of lanes gains nothing from a second one, and a result must not
    depend on how many cores a machine has. Settings that the user has made himself stay.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    folder = cache_folder()
    flags = os.environ.get("TF_XLA_FLAGS", "")
    if folder is None or "persistent_cache" in flags:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _shrink(folder)
    except OSError:  # a cache that cannot be had is done without
        return
    os.environ["TF_XLA_FLAGS"] = f"{flags} {_CACHE_FLAG}{folder}".strip()


class Graphs:
    """Traced graphs, each in a file of a folder; those that other code has left are not seen.

    A file that is damaged is as good as none, and so is a folder that cannot be written to.
    """

    def __init__(self, folder: Path):
        self._folder = folder

    def get(self, name: str) -> bytes | None:
        """The graph of that name, if there is one of today's code."""
        try:
            return zlib.decompress(self._path(name).read_bytes())
        except (OSError, zlib.error):
            return None

    def __setitem__(self, name: str, graph: bytes) -> None:
        with contextlib.suppress(OSError), atomic.replacing(self._path(name)) as path:
            path.write_bytes(zlib.compress(graph))

    def _path(self, name: str) -> Path:
        key = hashlib.sha256(f"{_code()} {name}".encode()).hexdigest()
        return self._folder / f"graph-{key[:32]}"


def graphs() -> Graphs | None:
    """Beside the compiled programs; None unless `prepare` has found a place for those.

    And None where there is no source to tell today's code by.
    """
    if not _code():
        return None
    for flag in os.environ.get("TF_XLA_FLAGS", "").split():
        if flag.startswith(_CACHE_FLAG):
            return Graphs(Path(flag.removeprefix(_CACHE_FLAG)))
    return None


@functools.cache
def _code() -> str:
    """Stands for all of this package's code, any of which may change a graph; "" without source."""
    sources = [path.read_bytes() for path in sorted(Path(__file__).parents[1].rglob("*.py"))]
    return hashlib.sha256(b"".join(sources)).hexdigest() if sources else ""


def cache_folder() -> Path | None:
    """The folder for this TensorFlow on this processor, or None where the cache is switched off.

    Compiled code fits one version of the compiler and one set of instructions, so both are in the
    folder's name: what another version or machine has left is never read.
    """
    chosen = os.environ.get(SWITCH, "")
    if chosen == "0":
        return None
    root = Path(chosen) if chosen else Path(platformdirs.user_cache_dir("dqn-study"))
    parts = [version("tensorflow"), version("numpy"), platform.machine(), sys.version, _processor()]
    parts += [os.environ.get("XLA_FLAGS", ""), os.environ.get("TF_XLA_FLAGS", "")]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return root / f"xla-{version('tensorflow')}-{key}"


def _shrink(folder: Path, most: int = CACHE_BYTES) -> None:
    """Delete the oldest programs of a cache that has more than `most` bytes, until it has half."""
    programs = []
    for program in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process does the same
            about = program.stat()
            programs.append((about.st_mtime, about.st_size, program))
    size = sum(bytes for _, bytes, _ in programs)
    if size <= most:
        return
    for _, bytes, program in sorted(programs):
        program.unlink(missing_ok=True)
        size -= bytes
        if size <= most // 2:
            return


@contextlib.contextmanager
def nothing_collected() -> Iterator[None]:
    """No search for garbage, now nor later, in what is made meanwhile and is to stay.

    Of a table of 20,000 rows it would take a second while it is read, and a third of one each time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _processor() -> str:
    """The processor's model and instruction sets."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))
