"""Standard streams that take every line, whatever they can show and whether they are there."""

import codecs
import io
import os
import sys
import unicodedata

from dqn.runtime.errors import UserError

_HANDLER = "dqn.nearest"
_NEAREST = dict(zip("–—−·•×…‘’′“”≤≥→←≈∞", """---.*x.'''""<>><~8""", strict=True))


def prepare_streams() -> None:
    """Have standard output and error show any text; what they cannot show is shown as its nearest.

    A stream that was closed takes what is written and shows nothing.
    """
    for descriptor in range(3):  # else the next file that is opened would be taken for a stream
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def shows(text: str) -> bool:
    """Whether standard output can show `text` as it is."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def refuse_system() -> None:
    """Raise `UserError` where the system lacks what this program needs: on Windows itself."""
    try:
        import fcntl  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"this program needs Linux or macOS, got {sys.platform}; on Windows run it within WSL"
        ) from error


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """What is written in the place of letters that an encoding does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(map(_shown, letters)), error.end


def _shown(letter: str) -> str:
    """One letter for one, so that columns stay where they are."""
    name = unicodedata.name(letter, "")
    if name.startswith("BOX DRAWINGS"):
        upright = any(part in name for part in ("VERTICAL", "UP", "DOWN"))
        level = any(part in name for part in ("HORIZONTAL", "LEFT", "RIGHT"))
        shown = "+" if upright and level else "|" if upright else "-"
    elif name.startswith(("BRAILLE", "BLOCK")) or name.endswith("BLOCK"):  # spinners and bars
        shown = "*"
    elif name.startswith("GREEK SMALL LETTER "):
        shown = name.removeprefix("GREEK SMALL LETTER ")[0].lower()
    else:
        shown = _NEAREST.get(letter) or unicodedata.normalize("NFKD", letter)[0]
    return shown if shown.isascii() and shown.isprintable() else "?"


codecs.register_error(_HANDLER, _nearest)
