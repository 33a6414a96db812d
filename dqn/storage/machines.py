"""machine.yaml: on which machines, and with which versions, a folder's trainings were made."""

from pathlib import Path
from typing import Any

from dqn.runtime import machine
from dqn.runtime.atomic_write import replacing
from dqn.storage.safe_yaml import plain_of, written

FILE = "machine.yaml"
_DECISIVE = ("processor", "system", "versions")


def record_machine(folder: Path) -> None:
    """Add this machine to those of the `folder`, unless the last to write there was its like."""
    known = read(folder)
    here = machine.describe()
    if known and not changed(known[-1], here):
        return
    with replacing(folder / FILE, durable=True) as temporary:
        temporary.write_text(written([*known, here]), encoding="utf-8")


def read(folder: Path) -> list[dict[str, Any]]:
    """The machines, first to last; none where the file is not there or does not say."""
    try:
        text = plain_of(folder / FILE)
    except (FileNotFoundError, ValueError):
        return []
    return [one for one in text if isinstance(one, dict)] if isinstance(text, list) else []


def changed(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What may change a training's last bits and is not what it was: "numpy 2.1 is now 2.2"."""
    found = []
    for name in _DECISIVE:
        was, is_now = then.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(is_now, dict):
            both = {**was, **is_now}
            found += [
                f"{part} {was.get(part, '-')} is now {is_now.get(part, '-')}"
                for part in both
                if was.get(part) != is_now.get(part)
            ]
        elif was != is_now:
            found.append(f"{name} {was or '-'} is now {is_now or '-'}")
    return found
