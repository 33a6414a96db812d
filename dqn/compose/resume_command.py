"""The command that resumes this one, as it can be typed into the same shell."""

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.types import RunMode

from dqn.compose.arguments import quoted
from dqn.runtime.secrets import REMEDY, has_secret, without_passwords

SCRIPT, MODULE = "dqn-run", "dqn.run"


def resume_command(settings: Any) -> str:
    """The command that resumes in the folder of this one's; `settings` is the node hydra.

    A password in it is left out, and a second line says what to write instead.
    """
    arguments, kind = sys.argv[1:], "sweep" if settings.mode == RunMode.MULTIRUN else "run"
    key, folder = f"hydra.{kind}.dir", settings[kind].dir
    given = [word.lstrip("+") for word in arguments if word.lower().lstrip("+") != "name=null"]
    if not any(word.startswith((f"{key}=", "name=")) for word in given):
        # beside the other overrides: flags stand before or after all of them
        places = [i for i, word in enumerate(arguments, 1) if "=" in word and word[0] not in "-"]
        place = places[-1] if places else len(arguments)
        arguments.insert(place, f"{key}={quoted(str(folder))}")
    command = shlex.join([*program(), *map(without_passwords, arguments)])
    return f"{command}\n{REMEDY}" if any(map(has_secret, arguments)) else command


def program() -> list[str]:
    """How this program was started: `dqn-run`, or an interpreter that a shell finds again."""
    typed = sys.argv[0]
    if Path(typed).name == SCRIPT and (found := shutil.which(typed)):
        return [_name_of(found, [SCRIPT]) or typed]
    names = [*sys.orig_argv[:1], "python", "python3"]
    return [_name_of(sys.executable, names) or sys.executable or "python3", "-m", MODULE]


def _name_of(path: str, names: Sequence[str]) -> str | None:
    """The first of `names` by which a shell finds `path`, and not a link as an environment has."""
    for name in names:
        found = os.path.abspath(shutil.which(name) or "")
        with contextlib.suppress(OSError):
            same_folder = os.path.dirname(found) == os.path.dirname(os.path.abspath(path))
            if same_folder and os.path.samefile(found, path):
                return name
    return None
