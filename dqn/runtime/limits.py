"""What this process may take of its machine: processors, and memory.

A container, a service or a batch job is given less than there is by the control groups around it,
of version 1 or 2: each of them counts, from the process's own up to the outermost that is seen.
"""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
"""Of /proc and /sys."""
_GROUPS = Path("sys/fs/cgroup")
_UNLIMITED = 1 << 60  # version 1 says "no limit" by a number as large as this


def cores() -> int:
    """Processors this process may use, at least 1; a part of one that a quota grants is one.

    Those it may run on, and no more than the quotas of its control groups come to.
    """
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:  # macOS
        found = os.cpu_count() or 1
    return max(1, min([found, *map(math.ceil, _quotas())]))


def free_bytes() -> int | None:
    """Bytes that this process may take besides, or None where the system does not say."""
    found = [*_available(), *_left_in_groups(), *_left_of_addresses()]
    return max(0, min(found)) if found else None


def _quotas() -> Iterator[float]:
    """Processors that each control group grants."""
    for group in _groups("cpu"):
        quota, _, period = _text(group / "cpu.max").partition(" ")
        if not quota:
            quota, period = (_text(group / f"cpu.cfs_{x}_us") for x in ("quota", "period"))
        with contextlib.suppress(ValueError, ZeroDivisionError):
            if (share := int(quota) / int(period)) > 0:  # -1: none
                yield share


def _available() -> Iterator[int]:
    for line in _text(ROOT / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            with contextlib.suppress(ValueError, IndexError):
                yield int(line.split()[1]) * 1024


def _left_in_groups() -> Iterator[int]:
    """What each control group leaves; what it has cached of files is given back on demand."""
    for group in _groups("memory"):
        limits = [
            limit
            for name in ("memory.max", "memory.high", "memory.limit_in_bytes")
            if (limit := _number(group / name)) is not None and limit < _UNLIMITED
        ]
        used = _number(group / "memory.current")
        if used is None:
            used = _number(group / "memory.usage_in_bytes")
        if not limits or used is None:
            continue
        pairs = [line.split() for line in _text(group / "memory.stat").splitlines()]
        kinds = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
        cached = kinds.get("total_inactive_file", kinds.get("inactive_file", ""))
        yield min(limits) - used + (int(cached) if cached.isdecimal() else 0)


def _left_of_addresses() -> Iterator[int]:
    """What `ulimit -v` leaves."""
    try:
        import resource  # not on Windows
    except ImportError:
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = _text(ROOT / "proc/self/statm").split()
    if limit != resource.RLIM_INFINITY and pages and pages[0].isdecimal():
        yield limit - int(pages[0]) * resource.getpagesize()


def _groups(controller: str) -> Iterator[Path]:
    """Folders of the control groups this process is in, innermost first, of either version."""
    for point, seen, path in _mounts(controller):
        # What is mounted may begin at a group of its own (`seen`), and then hides those around it.
        inner = path[len(seen) :] if f"{path}/".startswith(f"{seen}/") else ""
        parts = [part for part in inner.split("/") if part not in ("", "..")]
        for depth in range(len(parts), -1, -1):
            yield point.joinpath(*parts[:depth])


def _mounts(controller: str) -> Iterator[tuple[Path, str, str]]:
    """(where a hierarchy is mounted, which of its groups is, the group of this process)."""
    paths = {}
    for line in _text(ROOT / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            paths["cgroup2"] = path
        elif controller in names.split(","):
            paths["cgroup"] = path
    for line in _text(ROOT / "proc/self/mountinfo").splitlines():
        mount, _, about = line.partition(" - ")
        fields, kind = mount.split(), about.split()
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in paths:
            continue
        if kind[0] == "cgroup2" or controller in kind[2].split(","):
            yield _below_root(fields[4]), fields[3].rstrip("/"), paths[kind[0]].rstrip("/")
    for point in (_GROUPS, _GROUPS / controller):  # where they usually are, whatever is listed
        for path in paths.values() or [""]:
            yield ROOT / point, "", path.rstrip("/")


def _below_root(path: str) -> Path:
    return ROOT / path.replace("\\040", " ").lstrip("/")


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    """What a file says; nothing where it is not there or cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
