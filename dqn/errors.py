"""The two ways a command can end badly; `str(error)` is the one line a user reads."""

from dqn.secrets import hidden


class UserError(Exception):
    """What the user wrote cannot be run: exit status 2, before anything is trained or written."""

    exit_status = 2

    def __init__(self, line: str):
        super().__init__(hidden(line))


class RunError(Exception):
    """What was asked is sound and still failed (a full disk, a lost folder): exit status 1."""

    exit_status = 1

    def __init__(self, line: str):
        super().__init__(hidden(line))
