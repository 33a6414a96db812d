"""Optuna's storages as users name them: opened, found damaged, spoken of in one line."""

import sqlite3
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote_plus

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from dqn.config.fields import short_repr
from dqn.runtime.errors import RunError, UserError
from dqn.runtime.secrets import REMEDY, has_secret, remember, without_passwords

PATIENCE = 60.0  # seconds to wait while a dashboard reads


_DRIVERS = {
    "postgresql": ("'psycopg[binary]>=3.2'", "postgresql+psycopg"),
    "mysql": ("pymysql", "mysql+pymysql"),
    "mariadb": ("pymysql", "mariadb+pymysql"),
}
"""By the first word of a URL: what provides it to Python, and how a URL says so."""


def open_storage(url: str) -> RDBStorage:
    """The storage of a URL that the user wrote; its password is left out of every line from now."""
    with suppress(ArgumentError, ValueError):
        for secret in {(password := make_url(url).password or ""), quote_plus(password)}:
            remember(secret)
    try:
        if url.startswith("sqlite"):
            return RDBStorage(url, {"connect_args": {"timeout": PATIENCE}})
        return RDBStorage(url, {"pool_pre_ping": True})  # a server may have been restarted
    except (ArgumentError, ImportError, ValueError, KeyError) as error:
        raise UserError(
            f"hydra.sweeper.storage must be a URL that Optuna can open, got {short_repr(url)} "
            f"({first_line(error)}); {_remedy(url, error)}"
        ) from error
    except (StorageInternalError, SQLAlchemyError, RuntimeError) as error:
        raise RunError(
            f"hydra.sweeper.storage={without_password(url)} cannot be opened "
            f"({first_line(error)}); the same command resumes once it can{_in_plain_sight(url)}"
        ) from error


def _remedy(url: str, error: BaseException) -> str:
    """What to do about a URL that Optuna cannot open."""
    kind = url.partition(":")[0].partition("+")[0]
    if isinstance(error, ImportError) and kind in _DRIVERS:
        driver, prefix = _DRIVERS[kind]
        other = "" if url.startswith(f"{prefix}:") else f" and begin the URL with {prefix}://"
        return f"pip install {driver}{other}{_in_plain_sight(url)}"
    return f"write for example sqlite:///study.db, or install its driver{_in_plain_sight(url)}"


def _in_plain_sight(url: str) -> str:
    return f"; {REMEDY}" if has_secret(url) else ""


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    return without_passwords(url)


def first_line(error: BaseException) -> str:
    """Of what the database itself said, where it did."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else None
    text = getattr(cause or error, "orig", None) or cause or error
    return str(text).partition("\n")[0]


def quarantine(path: Path) -> None:
    """Move a damaged file out of the way, with its journals, and say so."""
    stamp = f"damaged-{datetime.now():%Y%m%d-%H%M%S}"
    while (aside := path.with_name(f"{path.name}.{stamp}")).exists():
        stamp += "-again"
    for suffix in ("-journal", "-wal", "-shm", ""):  # itself last: with it SQLite reads the others
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    print(
        f"{path} is damaged: it is kept as {aside.name}, and written anew from seeds.csv",
        file=sys.stderr,
    )


def is_sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with a file. Raises `RunError` where it cannot look."""
    try:
        connection = sqlite3.connect(path, timeout=PATIENCE)
        try:
            return connection.execute("PRAGMA integrity_check(1)").fetchall() == [("ok",)]
        finally:
            connection.close()
    except sqlite3.OperationalError as error:  # busy, or no right to read: not damaged
        raise RunError(f"{path} cannot be opened ({error}); see that it can be read") from error
    except sqlite3.DatabaseError:
        return False
    except UnicodeDecodeError:  # in the report on what is wrong
        return False


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that a file is not as it wrote it."""
    text = getattr(error, "orig", None) or error
    code = getattr(text, "sqlite_errorcode", None)
    damage = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return code in damage or str(text).startswith("Could not decode")  # the latter has no code
