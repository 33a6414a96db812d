"""The command that resumes this one, as it can be typed into the same shell."""

import os
import shlex
import shutil
import sys
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
    arguments = sys.argv[1:]
    many = settings.mode == RunMode.MULTIRUN
    key, folder = (
        ("hydra.sweep.dir", settings.sweep.dir) if many else ("hydra.run.dir", settings.run.dir)
    )
    given = [word.lstrip("+") for word in arguments]
    named = any(
        word.startswith((f"{key}=", "name=")) and word.lower() != "name=null" for word in given
    )
    if not named:  # beside the other overrides: flags stand before or after all of them
        places = [i for i, word in enumerate(arguments) if "=" in word and word[0] not in "-"]
        place = places[-1] + 1 if places else len(arguments)
        arguments = [*arguments[:place], f"{key}={quoted(str(folder))}", *arguments[place:]]
    command = shlex.join([*program(), *map(without_passwords, arguments)])
    return f"{command}\n{REMEDY}" if any(map(has_secret, arguments)) else command


def program() -> list[str]:
    """How this program was started: `dqn-run`, or an interpreter that a shell finds again."""
    typed = sys.argv[0]
    if Path(typed).name == SCRIPT:
        found = shutil.which(typed)
        if (by_name := shutil.which(SCRIPT)) and found and _is(by_name, found):
            return [SCRIPT]
        if found:
            return [typed]
    return [_interpreter(), "-m", MODULE]


def _interpreter() -> str:
    """As it was typed, if that leads to the very one that runs; its whole path otherwise."""
    for name in (*sys.orig_argv[:1], "python", "python3"):
        found = shutil.which(name)
        if found and _is(found, sys.executable):
            return name
    return sys.executable or "python3"


def _is(one: str, other: str) -> bool:
    """Whether both are the same file of the same folder: an environment's python is a link."""
    one, other = os.path.abspath(one), os.path.abspath(other)
    try:
        return os.path.dirname(one) == os.path.dirname(other) and os.path.samefile(one, other)
    except OSError:
        return False
