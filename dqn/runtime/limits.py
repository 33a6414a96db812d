"""What this process may take of its machine: processors, and memory.

A container, a service or a batch job is given less than there is by the control groups around it,
of version 1 or 2: each of them counts, from the process's own up to the outermost that is seen.
"""

import contextlib
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
"""Of /proc and /sys."""
_GROUPS = Path("sys/fs/cgroup")
_MOUNT = re.compile(r"^(?:\S+ ){3}(\S+) (\S+) .*?- (cgroup2?) \S+ (\S+)", re.MULTILINE)
_UNLIMITED = 1 << 60  # version 1 says "no limit" by a number as large as this


def cores() -> int:
    """Processors this process may use, at least 1, within its quotas; a part of one is one."""
    on_linux = hasattr(os, "sched_getaffinity")  # macOS has none
    found = len(os.sched_getaffinity(0)) if on_linux else os.cpu_count() or 1
    return max(1, min([found, *map(math.ceil, _quotas())]))


def free_bytes() -> int | None:
    """Bytes that this process may take besides, or None where the system does not say."""
    available = re.findall(r"^MemAvailable:\s+(\d+)\b", _text(ROOT / "proc/meminfo"), re.M)
    found = [*(1024 * int(kib) for kib in available), *_left_in_groups(), *_left_of_addresses()]
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


def _left_in_groups() -> Iterator[int]:
    """What each control group leaves; what it has cached of files is given back on demand."""
    for group in _groups("memory"):
        limits = _numbers(group, "memory.max", "memory.high", "memory.limit_in_bytes")
        limits = [limit for limit in limits if limit < _UNLIMITED]
        used = _numbers(group, "memory.current", "memory.usage_in_bytes")
        if limits and used:
            kinds = dict(re.findall(r"^(\w+) (\d+)$", _text(group / "memory.stat"), re.M))
            cached = kinds.get("total_inactive_file", kinds.get("inactive_file", 0))
            yield min(limits) - used[0] + int(cached)


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
    for names, path in re.findall(r"^\d+:([^:]*):(.*)$", _text(ROOT / "proc/self/cgroup"), re.M):
        if not names or controller in names.split(","):
            paths["cgroup" if names else "cgroup2"] = path.rstrip("/")
    mounts = _text(ROOT / "proc/self/mountinfo")
    for seen, point, kind, about in _MOUNT.findall(mounts):
        if kind in paths and (kind == "cgroup2" or controller in about.split(",")):
            place = ROOT / point.replace("\\040", " ").lstrip("/")
            yield place, seen.rstrip("/"), paths[kind]
    for point in (_GROUPS, _GROUPS / controller):  # where they usually are, whatever is listed
        for path in paths.values() or [""]:
            yield ROOT / point, "", path


def _numbers(folder: Path, *names: str) -> list[int]:
    """The numbers in files of a folder, of those that have one."""
    return [int(text) for name in names if (text := _text(folder / name)).isdecimal()]


def _text(path: Path) -> str:
    """What a file says; nothing where it is not there or cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
