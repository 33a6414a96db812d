"""machine.yaml: on which machines, and with which versions, a folder's trainings were made."""

import contextlib
import math
from pathlib import Path
from typing import Any

from dqn.runtime import machine
from dqn.runtime.atomic_write import replacing
from dqn.storage.safe_yaml import differences, plain_of, written

FILE = "machine.yaml"
_TIMED = 1.0  # seconds; the speed of fewer says little
_DECISIVE = ("processor", "system", "versions")


def record_machine(folder: Path) -> None:
    """Add this machine to those of the `folder`, unless the last to write there was its like."""
    known = read(folder)
    here = machine.describe()
    if known and not changed(known[-1], here):
        return
    with replacing(folder / FILE, durable=True) as temporary:
        temporary.write_text(written([*known, here]), encoding="utf-8")


def record_speed(folder: Path, steps: int, seconds: float, lane_seconds: float) -> None:
    """Say how fast the last command trained: `steps` in so many `seconds` of all workers together.

    `lane_seconds` are those of the lanes at work. Of less than a second nothing is said, and
    nothing where it cannot be written: no result depends on it.
    """
    known = read(folder)
    if not (known and steps and seconds >= _TIMED):
        return
    lanes = round(lane_seconds / seconds, 2)
    known[-1]["speed"] = {"steps": steps, "worker_seconds": round(seconds, 3), "lanes": lanes}
    with contextlib.suppress(OSError), replacing(folder / FILE) as temporary:
        temporary.write_text(written(known), encoding="utf-8")


def speed_in(folder: Path) -> tuple[float, float] | None:
    """Steps per second of a worker, and lanes of it at work, of the last command that says so."""
    for entry in reversed(read(folder)):
        speed: Any = entry.get("speed")
        try:
            steps, seconds, lanes = (float(speed[n]) for n in ("steps", "worker_seconds", "lanes"))
        except (TypeError, ValueError, LookupError):
            continue
        if min(steps, seconds, lanes) > 0 and math.isfinite(steps / seconds + lanes):
            return steps / seconds, lanes
    return None


def read(folder: Path) -> list[dict[str, Any]]:
    """The machines, first to last; none where the file is not there or does not say."""
    try:
        text = plain_of(folder / FILE)
    except (FileNotFoundError, ValueError):
        return []
    return [entry for entry in text if isinstance(entry, dict)] if isinstance(text, list) else []


def changed(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What may change a training's last bits and is not what it was: "numpy 2.1 is now 2.2"."""
    old, new = ({name: machine.get(name) for name in _DECISIVE} for machine in (then, now))
    return [
        f"{name.rpartition('.')[2]} {was or '-'} is now {is_now or '-'}"
        for name, was, is_now in differences(old, new)
    ]
