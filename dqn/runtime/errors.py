"""The ways a command can end badly; `str(error)` is the one line a user reads."""

from dqn.runtime.secrets import hidden


class _LineError(Exception):
    """Passwords are left out of its texts."""

    def __init__(self, *texts: str):
        super().__init__(*map(hidden, texts))


class UserError(_LineError):
    """What the user wrote cannot be run: exit status 2, before anything is trained or written."""

    exit_status = 2


class RunError(_LineError):
    """What was asked is sound and still failed (a full disk, a lost folder): exit status 1."""

    exit_status = 1


class TrainingError(RunError):
    """Seeds of the only configuration there is failed, and have no rows; those of others are."""


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
