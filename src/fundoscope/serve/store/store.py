"""The store: the data folder, its database, and the lock that keeps a second service out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.serve.store import database, photographs
from fundoscope.writing import explained

LOCK: Final = "service.lock"


@dataclass(frozen=True, slots=True)
class Store:
    """An open store.

    Attributes:
        data: the data folder.
        engine: of the database.
    """

    data: Path
    engine: Engine


@contextmanager
def opened(data: Path, url: str | None = None, *, make: bool = False) -> Iterator[Store]:
    """Open a store.

    Args:
        data: the data folder.
        url: of a PostgreSQL database; ``None`` means SQLite in the folder.
        make: whether a folder that does not exist is made.

    Raises:
        UsageError: the folder does not exist or is a file, or the URL is not valid.
        OutputError: the folder cannot be made.
        DatabaseError: the database cannot be used.
    """
    if not make and not (data / photographs.FOLDER).is_dir():
        raise UsageError(
            str(data), "is not a data folder of the service", "name it with --data DIR"
        )
    if data.exists() and not data.is_dir():
        raise UsageError(str(data), "is not a folder", "name another one with --data DIR")
    with explained(data):
        photographs.prepare(data)
    engine = database.opened(data, url)
    try:
        yield Store(data, engine)
    finally:
        engine.dispose()


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Keep other services out of a data folder. The system frees the lock if the process dies.

    Raises:
        FundoscopeError: another service uses the folder.
    """
    if os.name == "nt":  # pragma: no cover (no such locks there)
        yield
        return
    import fcntl

    with explained(data):
        stream = (data / LOCK).open("ab")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FundoscopeError(
                str(data),
                "is in use by another fundoscope serve",
                "stop that one, or name another folder with --data DIR",
            ) from None
        yield
