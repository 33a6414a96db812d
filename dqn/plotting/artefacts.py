"""The files that one looks at, each made by itself: one that cannot be made keeps no other away."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dqn.envs.registry_errors import describe_error
from dqn.runtime.errors import RunError, UserError
from dqn.runtime.exit_codes import printable

CURVES = ("figures/returns.png", "figures/losses.png")
MODEL, EPISODE, Q_VALUES = "model.keras", "episode.gif", "figures/q_values.png"
PRESET = "config.yaml"


class NotMadeError(Exception):
    """Why an artefact is not made, in one line."""


@contextmanager
def attempt(name: str, problems: list[str]) -> Iterator[None]:
    """What goes wrong in making an artefact is a line of `problems`; Ctrl-C is raised."""
    try:
        yield
    except (Exception, SystemExit) as error:  # of drawing, of a disk, of the user's environment
        problems.append(printable(f"no {name}: {_reason(error)}"))


def missing(folder: Path, title: str, network: bool) -> list[str]:
    """What a best/ has not, of the trial that its config.yaml would name by `title`.

    Without a `network` there is none to save or to play. All is missing where it is of another.
    """
    wanted = [PRESET, *CURVES, *([MODEL, EPISODE, Q_VALUES] if network else [])]
    try:
        lines = (folder / PRESET).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return wanted
    if f"# {title}" not in lines[:2]:
        return wanted
    return [name for name in wanted if not (folder / name).is_file()]


def _reason(error: BaseException) -> str:
    if isinstance(error, UserError | RunError | NotMadeError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return describe_error(error)
