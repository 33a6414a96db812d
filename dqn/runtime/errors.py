"""The ways a command can end badly; `str(error)` is the one line a user reads.

It says what must hold, then what was given, then what to write.
"""

import shlex

from dqn.runtime.secrets import hidden


class _LineError(Exception):
    """Passwords are left out of its texts."""

    def __init__(self, *texts: str):
        super().__init__(*map(hidden, texts))

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the line, as on a terminal, and nothing of how it came to it."""
        return [f"{type(self).__name__}: {self}"]


class UserError(_LineError):
    """What the user wrote cannot be run: exit status 2, before anything is trained or written.

    `key` is the key, flag or path that is wrong, and `value` what it was given, where there is one.

    >>> import dqn
    >>> try:
    ...     dqn.train(lrr=0.1)
    ... except dqn.UserError as error:
    ...     print(error.key, error.value, error, sep="; ")
    lrr; 0.1; unknown key lrr (in lrr=0.1); did you mean lr?
    """

    exit_status = 2

    def __init__(self, text: str, key: str = "", value: object = None):
        super().__init__(text)
        self.key, self.value = key, value

    def followed_by(self, text: str) -> "UserError":
        """The same error with more text, such as the file or the job that it is of."""
        return UserError(f"{self}{text}", self.key, self.value)


def must_be(
    key: str, rule: str, got: object, advice: str = "", *, example: str = "", value: object = ...
) -> UserError:
    """KEY must be RULE, got GOT; ADVICE. Or, where there is an example: (for example EXAMPLE).

    `value` is what was given where `got` is a text about it.
    """
    ending = f" (for example {example})" if example else f"; {advice}" if advice else ""
    return UserError(
        f"{key} must be {rule}, got {got}{ending}", key, got if value is ... else value
    )


def unknown_key(key: str, got: str, advice: str, value: object = None) -> UserError:
    """Unknown key KEY (in GOT); ADVICE."""
    return UserError(f"unknown key {key} (in {got}); {advice}", key, value)


def only_for(key: str, what: str, advice: str, value: object = None) -> UserError:
    """KEY only applies to WHAT: ADVICE."""
    return UserError(f"{key} only applies to {what}: {advice}", key, value)


def missing_package(asked: str, package: str, requirement: str) -> UserError:
    """ASKED needs PACKAGE: pip install REQUIREMENT."""
    key, _, value = asked.partition("=")
    install = f"pip install {shlex.quote(requirement)}"
    return UserError(f"{asked} needs {package}: {install}", key, value)


class RunError(_LineError):
    """What was asked is valid but failed (a full disk, a damaged file): exit status 1.

    >>> import dqn
    >>> from pathlib import Path
    >>> Path("damaged").mkdir()
    >>> _ = Path("damaged/config.yaml").write_text("lr: [0.1")
    >>> dqn.load("damaged")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    dqn.runtime.errors.RunError: ...damaged/config.yaml: must be the configuration of this folder...
    """

    exit_status = 1


class TrainingError(RunError):
    """Seeds of the only configuration failed and have no rows; all other seeds have theirs."""


class EnvError(RunError):
    """An environment raised an error, or gave what cannot be taken: `problem`, of its `method`."""

    def __init__(self, env: str, method: str, problem: str, where: str = ""):
        super().__init__(env, method, problem, where)
        self.env, self.method, self.problem, self.where = self.args

    def __str__(self) -> str:
        where = f" ({self.where})" if self.where else ""
        return hidden(f"{self.env}: {self.method} {self.problem}{where}")

    def at(self, seed: object, step: object, episode: str = "") -> "EnvError":
        """The same error, of this seed and step."""
        of = f"{episode}, " if episode else ""
        return EnvError(self.env, self.method, self.problem, f"seed {seed}, {of}step {step}")


def first_line(error: BaseException) -> str:
    """The first line of what an error says, without passwords; its kind where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return hidden(lines[0]) if lines else type(error).__name__
