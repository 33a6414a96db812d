"""format.yaml: which format a folder of results has, and which version last wrote there."""

from collections.abc import Collection
from pathlib import Path

from dqn.config.fields import short_repr
from dqn.runtime.atomic_write import refuse_links, replacing
from dqn.runtime.errors import UserError
from dqn.runtime.version import VERSION
from dqn.storage.layout import FORMAT_FILE, is_written, refuse_foreign
from dqn.storage.safe_yaml import plain_of, written

FORMAT = 3
"""1 (0.1.0) had no format.yaml. 2 (0.2.0) kept lines of seeds.csv in the parts of episodes.parquet,
3 keeps the rows there that seeds.csv follows from."""

_TITLE = "# The format of these results, and the version of dqn-study that last wrote here.\n"


def refuse_newer(folder: Path) -> int:
    """The format that `folder` has; `UserError` where it is newer than this program knows.

    Also where format.yaml does not say one. Nothing is touched.
    """
    path = folder / FORMAT_FILE
    try:
        text = plain_of(path)
    except (FileNotFoundError, NotADirectoryError):
        return 1
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(f"{path}: must be readable, is not ({reason}); {_RESTORE}") from error
    found = text.get("format") if isinstance(text, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise UserError(
            f"{path}: must say the format of these results, as in 'format: {FORMAT}', got "
            f"{short_repr(text)}; {_RESTORE}"
        )
    if found > FORMAT:
        raise UserError(
            f"{folder}: has results of format {found}, written by version "
            f"{short_repr(text.get('version'))}, this is version {VERSION} and knows formats up to "
            f"{FORMAT}; open them with that version"
        )
    return found


def refuse_unfit(
    folder: Path, key: str, also: Collection[str] = (), hydra: str | None = None
) -> int:
    """The format of a folder; one that results must not be written to is refused, and not touched.

    Raises as `refuse_newer` and `layout.refuse_foreign`, which says what `key`, `also` and
    `hydra` are; `OSError` where something of ours in it is a link.
    """
    found = refuse_newer(folder)
    if folder.is_dir():
        refuse_links(folder, is_written)
        refuse_foreign(folder, key, also, hydra)
    return found


def check_or_write(folder: Path) -> None:
    """Say in `folder` that this version writes there, in its format."""
    path = folder / FORMAT_FILE
    text = _TITLE + written({"format": FORMAT, "version": VERSION})
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    with replacing(path, durable=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


_RESTORE = "restore it, or choose another folder with name=NAME"
