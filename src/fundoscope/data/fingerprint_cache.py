"""Fingerprints of many files; those of unchanged files come from a cache.

The cache is an SQLite file. It holds absolute paths and small grey crops of the photographs, so it
needs the same protection as the photographs; only its owner may read it.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from fundoscope.data.fingerprint import Fingerprint, Refusal, fingerprint
from fundoscope.errors import OutputError, UsageError
from fundoscope.photo.refusals import PASSING

VERSION: Final = 1
"""Increased whenever the fingerprint of a photograph changes."""
FILE_NAME: Final = f"fingerprints-{VERSION}.sqlite"
SYSTEM: Final = os.name
AHEAD: Final = 4
"""Photographs in progress or waiting, for each thread."""
SAVED_EVERY: Final = 100
"""Fingerprints between writes to the disk: an interruption loses no more."""
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
PATIENCE_SECONDS: Final = 60.0
"""How long to wait while another check writes to the same file."""

FingerprintResult = Fingerprint | Refusal
"""The fingerprint of a file, or why there is none."""
State = tuple[int, int]
"""Size in bytes, and the time of the last change in nanoseconds."""


def user_cache() -> Path:
    """The folder for caches of the user, by the conventions of the system."""
    if SYSTEM == "nt":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "fundoscope"
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "fundoscope"


def fingerprints(
    paths: Sequence[Path],
    *,
    cache: Path | None = None,
    workers: int = 1,
    on_done: Callable[[], None] = lambda: None,
) -> tuple[FingerprintResult, ...]:
    """The fingerprints of files, in their order.

    Args:
        paths: the photographs, which need not exist.
        cache: folder in which fingerprints are stored: a file with the same path, size and time of
            change is not opened again. ``None`` stores nothing.
        workers: the number of photographs that are decoded at a time.
        on_done: called after each photograph, for progress.

    Raises:
        OutputError: the cache cannot be written.
        UsageError: the cache is damaged.
    """
    results = []
    with nullcontext() if cache is None else open_cache(cache) as opened:
        for result in _in_order(paths, opened, workers):
            results.append(result)
            on_done()
    return tuple(results)


def _in_order(
    paths: Sequence[Path], cache: FingerprintCache | None, workers: int
) -> Iterator[FingerprintResult]:
    """Threads suffice, because decoding and numpy release the lock; the cache stays on this one."""
    waiting = iter(paths)
    window: deque[tuple[Path, State | None, FingerprintResult | Future[FingerprintResult]]] = (
        deque()
    )
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fingerprint")

    def begin(path: Path) -> None:
        state = _state(path)
        known = cache.get(path, state) if cache is not None and state is not None else None
        window.append((path, state, known or pool.submit(fingerprint, path)))

    try:
        for path in islice(waiting, AHEAD * workers):
            begin(path)
        while window:
            path, state, result = window.popleft()
            if isinstance(result, Future):
                result = result.result()
                if cache is not None and state is not None and _lasts(result):
                    cache.put(path, state, result)
            yield result
            for following in islice(waiting, 1):
                begin(following)
    finally:
        pool.shutdown(cancel_futures=True)


def _lasts(result: FingerprintResult) -> bool:
    """Whether the content alone decided: the same file may be readable tomorrow."""
    return isinstance(result, Fingerprint) or result.code not in PASSING


def _state(path: Path) -> State | None:
    """What changes when a file does; ``None`` where there is no regular file."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # Opening it reports the error.
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


class FingerprintCache:
    """The open database; see :func:`open_cache`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use an open connection; the table is created where it is missing."""
        self._connection = connection
        self._unsaved = 0
        connection.execute(
            "CREATE TABLE IF NOT EXISTS fingerprints"
            " (path BLOB PRIMARY KEY, size INTEGER, changed INTEGER, found BLOB) WITHOUT ROWID"
        )

    def get(self, path: Path, state: State) -> FingerprintResult | None:
        """What is stored for a file; ``None`` without an entry, or if the file changed."""
        row = self._connection.execute(
            "SELECT found FROM fingerprints WHERE path = ? AND size = ? AND changed = ?",
            (_key(path), *state),
        ).fetchone()
        if row is None:
            return None
        entry = _decoder.decode(row[0])
        return entry.fingerprint or entry.refusal

    def put(self, path: Path, state: State, result: FingerprintResult) -> None:
        """Store the fingerprint of a file, in place of an earlier one."""
        self._connection.execute(
            "INSERT OR REPLACE INTO fingerprints VALUES (?, ?, ?, ?)",
            (_key(path), *state, _encoder.encode(_entry(result))),
        )
        self._unsaved += 1
        if self._unsaved >= SAVED_EVERY:
            self.save()

    def save(self) -> None:
        """Write stored fingerprints to the disk."""
        self._connection.commit()
        self._unsaved = 0


@contextmanager
def open_cache(folder: Path) -> Iterator[FingerprintCache]:
    """Open the cache in a folder, which is created if it does not exist; saved at the end.

    Raises:
        OutputError: the folder cannot be created, or the file in it cannot be written.
        UsageError: the file is damaged.
    """
    file = folder / FILE_NAME
    with _explained(file):
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        file.touch(mode=PRIVATE_FILE)
        with closing(sqlite3.connect(file, timeout=PATIENCE_SECONDS)) as connection:
            cache = FingerprintCache(connection)
            try:
                yield cache
            finally:
                cache.save()


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"--cache {file.parent}",
            f"cannot be written to ({reason})",
            "free some space, or name another folder",
        ) from None
    except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
        raise UsageError(
            str(file), f"is damaged ({error})", "delete it; it will be created again"
        ) from None


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of the cache: one of the two."""

    fingerprint: Fingerprint | None = None
    refusal: Refusal | None = None


def _entry(result: FingerprintResult) -> _Entry:
    return _Entry(refusal=result) if isinstance(result, Refusal) else _Entry(result)


def _key(path: Path) -> bytes:
    return os.fsencode(path.absolute())


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Entry)
