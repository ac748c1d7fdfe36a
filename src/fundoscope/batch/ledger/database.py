"""The ledger of a run: what is to be read and what was read, in a database that survives a kill.

It is an SQLite file in the folder of results. A photograph is recorded and synced to the disk as
soon as it was read. The same command resumes a run that was killed; each photograph is
recorded once. No list of photographs or results is held in memory.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Self

from fundoscope.batch.inputs import Input
from fundoscope.batch.ledger.patients import Patient
from fundoscope.batch.ledger.record import Facts, Record
from fundoscope.errors import OutputError, PhotoError, UsageError
from fundoscope.quoting import encodable
from fundoscope.writing import REMEDY, UNWRITTEN

VERSION: Final = 1
"""Of the tables below."""
SCHEMA: Final = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE inputs(number INTEGER PRIMARY KEY, shown TEXT NOT NULL, patient INTEGER NOT NULL,
    body TEXT NOT NULL);
CREATE INDEX inputs_shown ON inputs(shown);
CREATE TABLE records(number INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
    status TEXT NOT NULL, patient TEXT NOT NULL, picture TEXT NOT NULL,
    picture_sha256 TEXT NOT NULL, facts TEXT NOT NULL,
    line BLOB NOT NULL, row BLOB NOT NULL, summary BLOB NOT NULL);
CREATE INDEX records_sha256 ON records(sha256);
CREATE INDEX records_size ON records(size);
CREATE INDEX records_patient ON records(patient, number) WHERE patient != '';
"""
PRAGMAS: Final = (
    "PRAGMA locking_mode = EXCLUSIVE",  # a second run cannot open it; a kill frees it
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -4096",
)
"""The cache is 4 MiB."""
AT_A_TIME: Final = 256
"""Rows that are fetched at a time. An open query would keep the log from being written back."""
TEMPORARY: Final = ""
"""Makes SQLite keep the database in a temporary file of its own."""
NO_ROOM: Final = "No space left on device"
COMMAND, STARTED, LISTED, PUBLISHED = "command", "started", "listed", "published"
"""Facts."""


class DamagedError(UsageError):
    """A ledger is damaged or of another version."""


class InUseError(UsageError):
    """Another run uses a ledger."""


class Ledger:
    """The ledger of one run. Nobody else can open it meanwhile."""

    def __init__(self, path: Path | None) -> None:
        """Open a ledger; it is made where there is none.

        Args:
            path: of the file; ``None`` means a temporary one.

        Raises:
            UsageError: another run uses it, or it is damaged or of another version.
            OutputError: it cannot be made.
        """
        self._path = path
        with self._explained():
            self._sqlite = sqlite3.connect(
                path or TEMPORARY, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                self._open()
            except BaseException:
                self._sqlite.close()
                raise

    def _open(self) -> None:
        for pragma in PRAGMAS:
            self._sqlite.execute(pragma)
        self._sqlite.execute("BEGIN EXCLUSIVE")
        version = self._value("PRAGMA user_version")
        if version == 0:
            for statement in SCHEMA.split(";"):
                self._sqlite.execute(statement)
            self._sqlite.execute(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}")
        self._sqlite.execute("COMMIT")

    def close(self) -> None:
        """Close it; the next run may open it."""
        with suppress(sqlite3.Error):
            self._sqlite.close()

    def __enter__(self) -> Self:
        """Return the ledger, which is open already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def fact(self, name: str) -> str | None:
        """A fact about the run."""
        value = self._value("SELECT value FROM facts WHERE name = ?", name)
        return None if value is None else str(value)

    def set_fact(self, name: str, value: str) -> None:
        """Record a fact about the run."""
        with self._explained():
            self._sqlite.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def list_inputs(
        self, inputs: Iterable[tuple[Input, str]], noticed: Callable[[], str] = str
    ) -> None:
        """Record what is to be read, unless that was done before.

        Args:
            inputs: each photograph, and how results name it.
            noticed: gives the value of the fact :data:`LISTED`, once all are recorded.

        Raises:
            OutputError: it could not be written.
        """
        if self.fact(LISTED) is not None:
            return
        with self._explained():
            self._sqlite.execute("BEGIN")
            try:
                self._sqlite.execute("DELETE FROM inputs")
                self._sqlite.executemany(
                    "INSERT INTO inputs(shown, patient, body) VALUES (?, ?, ?)",
                    (
                        (json.dumps(shown), bool(photograph.patient), _packed(photograph))
                        for photograph, shown in inputs
                    ),
                )
                self._sqlite.execute("INSERT INTO facts VALUES (?, ?)", (LISTED, noticed()))
                self._sqlite.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._sqlite.execute("ROLLBACK")
                raise

    def pending(self, shard: tuple[int, int] = (1, 1)) -> Iterator[tuple[int, Input]]:
        """The photographs that are not recorded yet, each with its number, in order.

        Args:
            shard: ``(i, n)``: only every n-th, beginning with the i-th, counted from 1.
        """
        place, shards = shard
        last = 0
        while rows := self._rows(
            "SELECT number, body FROM inputs WHERE number > ? AND (number - ?) % ? = 0"
            " AND number NOT IN (SELECT number FROM records) ORDER BY number LIMIT ?",
            last, place, shards, AT_A_TIME,
        ):  # fmt: skip
            for number, body in rows:
                yield number, _unpacked(body)
            last = rows[-1][0]

    def inputs(self) -> list[Input]:
        """All that is listed; many take much memory."""
        return [
            _unpacked(body) for (body,) in self._rows("SELECT body FROM inputs ORDER BY number")
        ]

    def total(self, shard: tuple[int, int] = (1, 1)) -> int:
        """The number of photographs to read, with those that were read."""
        query = "SELECT COUNT(*) FROM inputs WHERE (number - ?) % ? = 0"
        return int(self._value(query, *shard))

    def is_empty(self) -> bool:
        """Whether nothing was recorded; false where that cannot be found out."""
        try:
            return self._value("SELECT 1 FROM records LIMIT 1") is None
        except (OutputError, UsageError):
            return False

    def patient_count(self) -> int:
        """The number of patients of photographs that were read."""
        query = "SELECT COUNT(DISTINCT patient) FROM records WHERE patient != ''"
        return int(self._value(query))

    def has_patients(self) -> bool:
        """Whether a photograph is that of a known patient."""
        return self._value("SELECT 1 FROM inputs WHERE patient LIMIT 1") is not None

    def is_shared(self, shown: str) -> bool:
        """Whether results name several photographs so."""
        query = "SELECT COUNT(*) FROM (SELECT 1 FROM inputs WHERE shown = ? LIMIT 2)"
        return int(self._value(query, json.dumps(shown))) > 1

    def add(self, record: Record) -> None:
        """Record a photograph; it is on the disk when this returns.

        Raises:
            OutputError: it could not be written.
        """
        facts = record.facts
        values = (
            record.number, record.sha256, record.size, facts.status, encodable(facts.patient),
            facts.picture, record.picture_sha256, facts.to_text(),
            record.line, record.row, record.summary,
        )  # fmt: skip
        with self._explained():
            marks = ",".join("?" * len(values))
            self._sqlite.execute(f"INSERT INTO records VALUES ({marks})", values)

    def first_with(self, sha256: str) -> tuple[int, str] | None:
        """Number and name of the first photograph with this file, as results name it."""
        query = "SELECT number, facts FROM records WHERE sha256 = ? ORDER BY number LIMIT 1"
        row = next(iter(self._rows(query, sha256)), None)
        return None if row is None else (row[0], Facts.from_text(row[1]).image)

    def has_other_picture(self, sha256: str, name: str, picture_sha256: str) -> bool:
        """Whether a picture of this name, of the same photograph, has other bytes."""
        query = (
            "SELECT 1 FROM records WHERE sha256 = ? AND picture = ? AND picture_sha256 != ? LIMIT 1"
        )
        return self._value(query, sha256, name, picture_sha256) is not None

    def has_size(self, size: int) -> bool:
        """Whether a photograph that was read has a file of this size, in bytes."""
        query = "SELECT 1 FROM records WHERE size = ? AND sha256 != '' LIMIT 1"
        return self._value(query, size) is not None

    def lines_with(self, sha256: str) -> Iterator[tuple[Facts, bytes]]:
        """The facts and the line of ``readings.jsonl`` of each photograph with this file."""
        query = "SELECT facts, line FROM records WHERE sha256 = ? ORDER BY number"
        for facts, line in self._rows(query, sha256):
            yield Facts.from_text(facts), line

    def facts(self) -> Iterator[tuple[int, Facts]]:
        """The number and the facts of each photograph that was read, in order."""
        for number, facts in self._all("facts"):
            yield number, Facts.from_text(facts)

    def lines(self, table: str) -> Iterator[bytes]:
        """The lines of a table in order.

        Args:
            table: ``"line"``, ``"row"`` or ``"summary"``, see :class:`Record`.
        """
        for _, line in self._all(table):
            yield line

    def pictures(self) -> Iterator[tuple[str, str]]:
        """The name and SHA-256 of each picture, once."""
        query = (
            "SELECT picture, MIN(picture_sha256) FROM records WHERE picture > ?"
            " GROUP BY picture ORDER BY picture LIMIT ?"
        )
        last = ""
        while rows := self._rows(query, last, AT_A_TIME):
            yield from rows
            last = rows[-1][0]

    def patients(self) -> Iterator[Patient]:
        """The patients in the order of their first photograph that was read."""
        unread: dict[str, list[str]] = {}
        for _, photograph in self.pending():  # none, once a whole run has ended
            if photograph.patient:
                unread.setdefault(encodable(photograph.patient), []).append(photograph.eye)
        query = (
            "SELECT number, facts FROM records JOIN (SELECT patient AS name, MIN(number) AS first"
            " FROM records WHERE patient != '' GROUP BY patient) ON patient = name"
            " ORDER BY first, number"
        )
        with self._explained():
            rows = self._sqlite.execute(query)
            all_facts = (Facts.from_text(facts) for _, facts in rows)
            for name, photographs in groupby(all_facts, key=lambda facts: facts.patient):
                patient = Patient(name)
                for each in photographs:
                    patient.add(each)
                for eye in unread.get(encodable(name), ()):
                    patient.add_unread(eye)
                yield patient

    def _all(self, column: str) -> Iterator[tuple[int, Any]]:
        last = 0
        query = f"SELECT number, {column} FROM records WHERE number > ? ORDER BY number LIMIT ?"
        while rows := self._rows(query, last, AT_A_TIME):
            yield from rows
            last = rows[-1][0]

    def _value(self, query: str, *values: object) -> Any:
        row = next(iter(self._rows(query, *values)), None)
        return None if row is None else row[0]

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._explained():
            return self._sqlite.execute(query, values).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors into errors of ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise _error(error, self._path) from None


def _error(error: sqlite3.Error, path: Path | None) -> OutputError | UsageError:
    what = "the ledger" if path is None else str(path)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        why, remedy = "is used by another run", "wait until it has ended, or name another folder"
        return InUseError(what, why, remedy)
    if code == sqlite3.SQLITE_FULL:
        return OutputError(what, f"{UNWRITTEN} ({NO_ROOM})", REMEDY)
    if isinstance(error, sqlite3.OperationalError):
        return OutputError(what, f"{UNWRITTEN} ({error})", REMEDY)
    why = f"is not a ledger that can be resumed ({error})"
    return DamagedError(what, why, "name another folder, or add --overwrite to begin anew")


def _packed(photograph: Input) -> str:
    """An input as JSON in ASCII; a path may hold any bytes.

    Paths are absolute, as the run may be resumed from another working folder.
    """
    problem = photograph.problem
    parts = None if problem is None else (problem.what, problem.why, problem.remedy, problem.code)
    path = photograph.path if photograph.url else photograph.path.absolute()
    archive = photograph.archive and str(Path(photograph.archive).absolute())
    return json.dumps(
        (
            photograph.image, str(path), photograph.id, photograph.patient, photograph.eye,
            photograph.from_table, archive, photograph.place, parts, photograph.url,
            photograph.listed,
        )
    )  # fmt: skip


def _unpacked(body: str) -> Input:
    image, path, name, patient, eye, from_table, archive, place, parts, *later = json.loads(body)
    problem = None if parts is None else PhotoError(*parts[:3], code=parts[3])
    known = (image, Path(path), name, patient, eye, from_table, problem, archive, place)
    return Input(*known, *later)  # a ledger of an earlier version has fewer
