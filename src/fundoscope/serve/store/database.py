"""The database: SQLite in the data folder, or PostgreSQL by its URL; its migration, its errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from fundoscope.errors import FundoscopeError, MissingExtraError, UsageError

FILE: Final = "fundoscope.db"
"""The SQLite database in the data folder."""
BUSY_S: Final = 10.0
"""How long SQLite waits for another connection's transaction."""
CONNECT_S: Final = 5
"""How long to wait for PostgreSQL to answer."""
WRITE_LOCK: Final = 7_316_003
"""The advisory lock that writers of PostgreSQL take in turn; any number that is always the same."""
WRITES: Final = "fundoscope_writes"
"""The execution option of connections that write."""
POSTGRESQL: Final = "postgresql"
SQLITE: Final = "sqlite"
DRIVER: Final = "psycopg"
MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
FULL, BUSY, DISK, DAMAGED = "disk_full", "database_busy", "database_disk", "database_damaged"
SILENT: Final = "database"
"""What can be wrong with a database: the codes of problems."""
SIGNS: Final = {
    FULL: ("database or disk is full", "No space left on device", "disk full"),
    BUSY: ("is locked",),
    DISK: ("readonly database", "disk I/O error", "unable to open database file"),
    DAMAGED: ("malformed", "not a database"),
}
"""How SQLite, and PostgreSQL the first, report what is wrong."""
FAULTS: Final = {
    FULL: ("has no space left on its disk", "free some space"),
    BUSY: ("is in use by another program", "close that program, or try again in a minute"),
    DISK: (
        "cannot be written or read",
        "check the disk, and that the data folder belongs to the user who runs the service",
    ),
    DAMAGED: ("is damaged", "put back a copy of fundoscope.db that you saved"),
    SILENT: ("does not answer", "start it again, and check that it can be reached"),
}
"""What is wrong, and what to do, for whoever runs the service."""


class DatabaseError(FundoscopeError):
    """The database cannot be used.

    Attributes:
        code: what is wrong, a key of :data:`FAULTS`.
    """

    def __init__(self, code: str = SILENT) -> None:
        """Describe what is wrong with it."""
        self.code = code
        super().__init__("the database", *FAULTS[code])


def opened(folder: Path, url: str | None) -> Engine:
    """Open the database, and bring it to the tables of this version.

    Args:
        folder: the data folder.
        url: of PostgreSQL, ``postgresql://user@host/name``; ``None`` means SQLite in the folder.

    Raises:
        UsageError: the URL is not valid, or the database is of a later version of fundoscope.
        DatabaseError: it cannot be reached.
    """
    engine = _engine(folder, url)
    with explained():
        _migrate(engine)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes. Writers take turns, so that each sees what the last one wrote.

    Raises:
        DatabaseError: the database cannot be used. Nothing was written.
    """
    with explained(), engine.execution_options(**{WRITES: True}).begin() as connection:
        if connection.dialect.name == POSTGRESQL:
            connection.execute(text(f"select pg_advisory_xact_lock({WRITE_LOCK})"))
        yield connection


@contextmanager
def looking(engine: Engine, *, frozen: bool = False) -> Iterator[Connection]:
    """A transaction that only reads.

    Args:
        engine: of the database.
        frozen: whether all queries see the database as it was at the first one. With SQLite they
            always do.

    Raises:
        DatabaseError: the database cannot be used.
    """
    if frozen and engine.dialect.name == POSTGRESQL:
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with explained(), engine.begin() as connection:
        yield connection


def forget(engine: Engine) -> None:
    """Empty SQLite's log of changes, which still holds what was deleted from the tables.

    Raises:
        DatabaseError: the database cannot be used.
    """
    if engine.dialect.name != SQLITE:
        return
    with explained():
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("pragma wal_checkpoint(truncate)")
        finally:
            connection.close()


@contextmanager
def explained() -> Iterator[None]:
    """Turn errors of the database into one of ours.

    Raises:
        DatabaseError: the block raised an error of SQLAlchemy, or SQLite did.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = str(getattr(error, "orig", None) or error)
        signs = (code for code, words in SIGNS.items() if any(word in cause for word in words))
        raise DatabaseError(next(signs, SILENT)) from error


def _engine(folder: Path, url: str | None) -> Engine:
    if url is None:
        # Not as a text: in one, "?" and "%" of a folder's name would mean something else.
        file = URL.create(SQLITE, database=str((folder / FILE).absolute()))
        engine = create_engine(
            file,
            connect_args={"timeout": BUSY_S},
            hide_parameters=True,
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != POSTGRESQL:
            raise UsageError("--database", "is not PostgreSQL", "give postgresql://USER@HOST/NAME")
        return create_engine(
            parsed.set(drivername=f"{POSTGRESQL}+{DRIVER}"),
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_S},
        )
    except ModuleNotFoundError:
        raise MissingExtraError("--database with PostgreSQL", "postgresql") from None
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise UsageError(
            "--database", "is not a URL of a database", "give postgresql://USER@HOST/NAME"
        ) from None


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """Leave transactions to :func:`_begin_sqlite`; keep what was reported through a power cut."""
    if not isinstance(connection, sqlite3.Connection):  # pragma: no cover
        return
    connection.isolation_level = None
    # SQLite's own function knows the letters of English alone.
    connection.create_function("lower", 1, _lower, deterministic=True)
    # Deleted rows are overwritten: a patient who was deleted must not stay in the file.
    for setting in (
        "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON",
    ):  # fmt: skip
        connection.execute(f"pragma {setting}")


def _lower(text: str | None) -> str | None:
    return text if text is None else str(text).lower()


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction; one that writes waits for its turn here, not at its first statement."""
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("begin immediate" if writes else "begin")


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        with writing(engine) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError:
        raise UsageError(
            "the database",
            "was written by a later version of fundoscope",
            "update fundoscope",
        ) from None
