"""components.yaml: the components of one's own that a folder's trainings were made with.

Of each, by its import path, the SHA-256 of the file that defines it, one entry a source, the oldest
first. To look at results nothing is imported.
"""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from dqn.config import Config
from dqn.config.components import own_of, source_hash
from dqn.runtime.atomic_write import replacing
from dqn.storage.safe_yaml import plain_of, written

FILE = "components.yaml"
_TITLE = "# Components of one's own, by import path, and the SHA-256 of each one's source.\n"
_SHOWN = 12  # digits of a hash in a message


def record(folder: Path, configs: Iterable[Config]) -> list[str]:
    """Add the sources of the components in `configs` to the record of `folder`.

    Returns a line for each that is not what its record says last. Raises `UserError` where one
    cannot be imported.
    """
    known, text = read(folder), []
    added = False
    for path, sha256 in _sources(configs).items():
        entries = known.setdefault(path, [])
        sha256 = sha256 or None
        last = entries[-1].get("sha256") if entries else sha256
        if last != sha256:
            text.append(
                f"{path} has changed since it was last trained here: its source was {_short(last)} "
                f"and is {_short(sha256)}; what is missing is trained with it as it is now"
            )
        if not entries or last != sha256:
            entries.append({"sha256": sha256, "date": date.today().isoformat()})
            added = True
    if added:
        with replacing(folder / FILE, durable=True) as temporary:
            temporary.write_text(_TITLE + written(known), encoding="utf-8")
    return text


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """By import path the sources, oldest first; none where the file is not there or unreadable."""
    try:
        text = plain_of(folder / FILE)
    except (FileNotFoundError, ValueError):
        return {}
    return {
        str(path): [entry for entry in entries if isinstance(entry, dict)]
        for path, entries in (text.items() if isinstance(text, dict) else ())
        if isinstance(entries, list)
    }


def changed(folder: Path, config: Config) -> list[str]:
    """What of the components in `config` is not what the record of `folder` says, a line each.

    Raises as `record`.
    """
    known, text = read(folder), []
    for path, sha256 in _sources([config]).items():
        hashes = list(dict.fromkeys(entry.get("sha256") for entry in known.get(path, ())))
        if not hashes:
            text.append(f"no source of {path} is on record")
        elif len(hashes) > 1:
            text.append(f"{len(hashes)} sources of {path} are on record")
        elif hashes[0] != (sha256 or None):
            text.append(f"the source of {path} was {_short(hashes[0])} and is {_short(sha256)}")
    return text


def _sources(configs: Iterable[Config]) -> dict[str, str]:
    used = {item for config in configs for item in own_of(config).items()}
    return {path: source_hash(key, path) for key, path in sorted(used)}


def _short(sha256: Any) -> str:
    return f"SHA-256 {str(sha256)[:_SHOWN]}…" if sha256 else "unknown"
