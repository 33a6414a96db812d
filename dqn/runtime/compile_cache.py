"""What must be set before TensorFlow is loaded: threads, and where compiled programs are kept."""

import contextlib
import functools
import gc
import hashlib
import os
import platform
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import platformdirs

from dqn.runtime import atomic_write
from dqn.runtime.cache_staging import PREFIX, Staging, places, refuse_full
from dqn.runtime.errors import RunError
from dqn.runtime.machine import cpuinfo
from dqn.runtime.notices import notice

T = TypeVar("T")

CACHE_BYTES = 500_000_000  # of compiled programs that are kept: those of some 200 network shapes
SWITCH = "DQN_COMPILE_CACHE"  # a folder of one's own, or 0 for none
_CHECKSUM = 32  # bytes, before what they are of
_CACHE_FLAG = "--tf_xla_persistent_cache_directory="


def prepare(quiet: bool = False) -> None:
    """Set TensorFlow up for lanes; to be called before TensorFlow is imported.

    One thread a process: a block of lanes gains nothing from a second one, and a result must not
    depend on how many cores a machine has. Settings that the user has made himself stay. What is
    done without is said on standard error, unless `quiet`.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    if graphs() is not None:  # of this process: it has read its flags
        return
    flags = _own_flags()
    os.environ["TF_XLA_FLAGS"] = flags
    if "persistent_cache" in flags or os.environ.get(SWITCH) == "0" or not _code():
        return
    folder, lack = _cache()
    staging = Staging(tried := places(folder))
    if staging.path is None or folder is None:
        lack = lack or f"there is no space to compile in ({', '.join(map(str, tried))})"
    else:
        _stores[str(staging.path)] = Graphs(folder, staging)
        os.environ["TF_XLA_FLAGS"] = f"{flags} {_CACHE_FLAG}{staging.path}".strip()
    if lack and not quiet:
        notice(
            f"compiled programs cannot be cached: {lack}; each command compiles them again, "
            f"{SWITCH}=FOLDER caches them elsewhere"
        )


class Graphs:
    """Traced graphs and the programs compiled of them, each in a file of a folder.

    Those that other code has left are not seen. A file that is damaged is as good as none, and so
    is a folder that cannot be written to.
    """

    def __init__(self, folder: Path, staging: Staging | None = None):
        self._folder, self._staging = folder, staging

    def get(self, name: str) -> bytes | None:
        """The graph of that name, if there is one of today's code."""
        packed = _read(self._path("graph", name))
        return None if packed is None else zlib.decompress(packed)

    def __setitem__(self, name: str, graph: bytes) -> None:
        _write(self._path("graph", name), zlib.compress(graph))

    def compiled(self, name: str, call: Callable[[], T], again: Callable[[], T]) -> T:
        """`call()`, the first one of the program of that name: the one that was kept is taken.

        `again` does it under another name in TensorFlow, which never forgets that it could not
        load a program. Raises `RunError` where there is no room to compile in.
        """
        staging, path = self._staging, self._path("program", name)
        if staging is None or staging.path is None:
            return call()
        file, _, program = (_read(path) or b"").partition(b"\n")
        lack = None
        for place in staging.places:
            try:
                with staging.holding(place, file.decode(), program) as folder:
                    result = call()
                    _keep(path, folder, beside=file.decode())
                    return result
            except Exception as error:
                if program:
                    with contextlib.suppress(OSError):
                        atomic_write.remove(path)
                    return self.compiled(name, again, again)
                if staging.path.name not in str(error):
                    raise
                lack = error
        raise RunError(
            f"a program cannot be compiled: there is no space in {staging.path.parent} "
            f"({' '.join(str(lack).split())[:200]}); free some, or set {SWITCH}=0"
        ) from lack

    def _path(self, kind: str, name: str) -> Path:
        key = hashlib.sha256(f"{_code()} {name}".encode()).hexdigest()
        return self._folder / f"{kind}-{key[:32]}"


class ProgramsAlone:
    """What `graphs` keeps but for graphs, which are traced each time.

    For what is traced through code that no name tells of. A program is found by what its graph
    says, so that of another graph is never taken for it.
    """

    def __init__(self, graphs: Graphs):
        self.compiled = graphs.compiled

    def get(self, name: str) -> bytes | None:
        """None: a graph is not kept."""

    def __setitem__(self, name: str, graph: bytes) -> None:
        """Keep nothing."""


_stores: dict[str, Graphs] = {}
"""By the folder that TensorFlow was given."""


def graphs() -> Graphs | None:
    """What this process keeps; None unless `prepare` has found a place for it."""
    flags = os.environ.get("TF_XLA_FLAGS", "").split()
    return next((kept for path, kept in _stores.items() if f"{_CACHE_FLAG}{path}" in flags), None)


def _own_flags() -> str:
    """TF_XLA_FLAGS as the user has them, without those of the process that started this one."""
    given = os.environ.get("TF_XLA_FLAGS", "").split()
    return " ".join(flag for flag in given if PREFIX not in flag)


def _read(path: Path) -> bytes | None:
    """What was written to a file, or None where there is none or one byte of it is another."""
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    checksum, content = whole[:_CHECKSUM], whole[_CHECKSUM:]
    return content if hashlib.sha256(content).digest() == checksum else None


def _write(path: Path, content: bytes) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir():
            atomic_write.remove(path)
        with atomic_write.replacing(path) as temporary:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)


def _keep(path: Path, folder: Path, beside: str = "") -> None:
    """Keep the program that TensorFlow has left in `folder`, if it has made a new one."""
    with contextlib.suppress(OSError):
        for made in folder.glob("*.pb"):
            if made.name != beside:
                _write(path, made.name.encode() + b"\n" + made.read_bytes())


@functools.cache
def _code() -> str:
    """Stands for all of this package's code, any of which may change a graph; "" without source."""
    sources = [path.read_bytes() for path in sorted(Path(__file__).parents[1].rglob("*.py"))]
    return hashlib.sha256(b"".join(sources)).hexdigest() if sources else ""


def _cache() -> tuple[Path | None, str]:
    """The folder to keep in, None where there is none; and why nothing can be kept, or ""."""
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        if not os.environ.get(SWITCH) and folder.stat().st_uid not in (0, os.geteuid()):
            return None, f"{folder} is another user's"
    except (OSError, RuntimeError, PackageNotFoundError) as error:
        return None, str(error)
    try:
        _shrink(folder)
        refuse_full(folder)
    except OSError as error:
        return folder, f"{folder}: {error.strerror or error}"
    return folder, ""


def cache_folder() -> Path:
    """The folder for this TensorFlow on this processor.

    Compiled code fits one version of the compiler and one set of instructions, so both are in the
    folder's name: what another version or machine has left is never read. Raises `RuntimeError`
    where this user has no folder of his own, `PackageNotFoundError` without TensorFlow.
    """
    chosen = os.environ.get(SWITCH)
    root = Path(chosen or platformdirs.user_cache_dir("dqn-study")).absolute()
    parts = [version("tensorflow"), version("numpy"), platform.machine(), sys.version]
    parts.append("\n".join(cpuinfo("model name", "flags", "Features")) or platform.processor())
    parts += [os.environ.get("XLA_FLAGS", ""), _own_flags()]
    key = hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:16]
    return root / f"xla-{version('tensorflow')}-{key}"


def _shrink(folder: Path, most: int = CACHE_BYTES) -> None:
    """Delete the oldest programs of a cache that has more than `most` bytes, until it has half."""
    programs = []
    for program in folder.iterdir():
        with contextlib.suppress(OSError):  # another process does the same
            about = program.lstat()
            if stat.S_ISREG(about.st_mode):
                programs.append((about.st_mtime, about.st_size, program))
    size = sum(bytes for _, bytes, _ in programs)
    enough = size if size <= most else most // 2
    for _, bytes, program in sorted(programs):
        if size <= enough:
            return
        with contextlib.suppress(OSError):
            program.unlink(missing_ok=True)
        size -= bytes


@contextlib.contextmanager
def nothing_collected() -> Iterator[None]:
    """No search for garbage, now nor later, in what is made meanwhile and is to stay.

    Of a table of 20,000 rows it would take a second while it is read, and a third of one each time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
