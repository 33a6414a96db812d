"""Optuna's storages as users name them: opened, found damaged, spoken of in one line."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote_plus

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from dqn.config.fields import short_repr
from dqn.runtime.errors import RunError, must_be
from dqn.runtime.secrets import REMEDY, has_secret, remember, without_passwords
from dqn.storage.quarantine import move_aside, report

PATIENCE = 60.0  # seconds to wait while a dashboard reads
_DRIVERS = {
    "postgresql": ("'psycopg[binary]>=3.2'", "postgresql+psycopg"),
    "mysql": ("pymysql", "mysql+pymysql"),
    "mariadb": ("pymysql", "mariadb+pymysql"),
}
"""By the first word of a URL: what provides it to Python, and how a URL says so."""


def open_storage(url: str) -> RDBStorage:
    """The storage of a URL that the user wrote; its password is left out of every line from now.

    Raises `UserError` for what Optuna cannot open, `RunError` for a server that is away.
    """
    with suppress(ArgumentError, ValueError):
        for secret in {(password := make_url(url).password or ""), quote_plus(password)}:
            remember(secret)
    in_plain_sight = f"; {REMEDY}" if has_secret(url) else ""
    try:
        if url.startswith("sqlite"):
            return RDBStorage(url, {"connect_args": {"timeout": PATIENCE}})
        return RDBStorage(url, {"pool_pre_ping": True})  # a server may have been restarted
    except (ArgumentError, ImportError, ValueError, KeyError) as error:
        raise must_be(
            "hydra.sweeper.storage",
            "a URL that Optuna can open",
            f"{short_repr(url)} ({cause_of(error)})",
            _remedy(url, error) + in_plain_sight,
            value=without_passwords(url),
        ) from error
    except (StorageInternalError, SQLAlchemyError, RuntimeError) as error:
        raise RunError(
            f"hydra.sweeper.storage={without_passwords(url)} cannot be opened "
            f"({cause_of(error)}); the same command resumes once it can{in_plain_sight}"
        ) from error


def open_file(path: Path) -> RDBStorage:
    """The storage that is the file at `path`, which is made if it is not there."""

    # By a function instead of a URL: a path may hold any character. Rollback journal, not WAL:
    # the study stays one file that can be copied, and a dashboard's short reads are waited for.
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False)

    try:
        return RDBStorage("sqlite://", {"creator": connect, "poolclass": StaticPool})
    except RuntimeError as error:
        raise RunError(f"{path} is of another version of Optuna: {cause_of(error)}") from error


def _remedy(url: str, error: BaseException) -> str:
    """What to do about a URL that Optuna cannot open."""
    kind = url.partition(":")[0].partition("+")[0]
    if isinstance(error, ImportError) and kind in _DRIVERS:
        driver, prefix = _DRIVERS[kind]
        other = "" if url.startswith(f"{prefix}:") else f" and begin the URL with {prefix}://"
        return f"pip install {driver}{other}"
    return "write for example sqlite:///study.db, or install its driver"


def cause_of(error: BaseException) -> str:
    """What the database itself said, where it did."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else None
    text = getattr(cause or error, "orig", None) or cause or error
    return str(text).partition("\n")[0]


def quarantine(path: Path) -> None:
    """Move a damaged file out of the way, with its journals, and say so."""
    # Itself last: SQLite would put what a journal has into the new file.
    for suffix in ("-journal", "-wal", "-shm"):
        if (journal := path.with_name(path.name + suffix)).exists():
            move_aside(journal, path.parent)
    aside = move_aside(path, path.parent)
    report(f"{path} is damaged: it is kept as {aside.name}, and written anew from seeds.csv")


def is_sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with a file. Raises `RunError` where it cannot look."""
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
            return connection.execute("PRAGMA integrity_check(1)").fetchall() == [("ok",)]
    except sqlite3.OperationalError as error:  # busy, or no right to read: not damaged
        raise RunError(f"{path} cannot be opened ({error}); see that it can be read") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # the latter in the report on what is wrong
        return False


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that a file is not as it wrote it."""
    text = getattr(error, "orig", None) or error
    code = getattr(text, "sqlite_errorcode", None)
    damage = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return code in damage or str(text).startswith("Could not decode")  # the latter has no code
