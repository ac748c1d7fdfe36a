"""The audit log: who did what, when and with which models, each entry chained to the last by hash.

An entry's hash covers its fields and the hash of the entry before it. To change or remove an entry
without being noticed, all later ones would have to be written again. Entries that were cut off
at the end are noticed if the last hash was noted elsewhere (``fundoscope audit verify`` prints it).
Entries name people by their tokens and readings by their ids, never a patient or a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, Row, select

from fundoscope.reading import ModelUsed
from fundoscope.serve.store.database import looking
from fundoscope.serve.store.tables import READ, audit, readings, reviews

STARTED, STOPPED = "started", "stopped"
ACCEPTED, READ_BY_SOFTWARE, REFUSED = "accepted", "read", "refused"
LOOKED, FIRST_GRADE, REVIEWED = "looked", "first_grade", "reviewed"
CORRECTED: Final = "corrected"
DELETED, EXPORTED = "deleted", "exported"
TOKEN_ADDED, TOKEN_REVOKED = "token_added", "token_revoked"
ACTIONS: Final = (
    STARTED, STOPPED, ACCEPTED, READ_BY_SOFTWARE, REFUSED, LOOKED, FIRST_GRADE, REVIEWED, CORRECTED,
    DELETED, EXPORTED, TOKEN_ADDED, TOKEN_REVOKED,
)  # fmt: skip
"""What can be in the column ``what``. Later versions may add more."""
SERVICE: Final = "fundoscope"
"""The "who" of what the service does on its own account, such as reading a photograph."""
BEFORE_THE_FIRST: Final = "0" * 64
"""The ``previous`` of the first entry."""
CONTENT: Final = "sha256"
"""The key of ``detail`` under which the hash of a reading's or a review's text stands."""

REVIEWS: Final = "reviews"
"""The key under which a deletion lists the reviews that went with a reading."""
FIELDS: Final = "fields"
"""The key under which a correction lists the columns that it changed, without their values."""
UNKNOWN: Final = "unknown"
"""Stands for the hash of what was never logged."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the audit log.

    Attributes:
        number: from 1 on, without a gap.
        time: in UTC.
        who: the name of a token, or :data:`SERVICE`.
        what: one of :data:`ACTIONS`.
        about: the id of the reading or review; ``""`` if it is about neither.
        models: the models in use, as JSON; ``"[]"`` if none was.
        detail: further facts, as JSON.
        previous: the hash of the entry before it.
    """

    number: int
    time: str
    who: str
    what: str
    about: str
    models: str
    detail: str
    previous: str

    @property
    def hash(self) -> str:
        """The SHA-256 of the entry: of its fields in this order, as a JSON list."""
        return hashlib.sha256(msgspec.json.encode(list(_values(self).values()))).hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of :func:`verify`.

    Attributes:
        entries: the number of entries.
        head: the hash of the last one; ``""`` without entries.
        faults: sentences; empty if the log is intact.
    """

    entries: int
    head: str
    faults: tuple[str, ...]


def now() -> str:
    """The time in UTC, as the database stores it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def digest(content: str) -> str:
    """The SHA-256 of a stored text."""
    return hashlib.sha256(content.encode()).hexdigest()


def append(
    connection: Connection,
    who: str,
    what: str,
    about: str = "",
    *,
    models: Sequence[ModelUsed] = (),
    detail: Mapping[str, Any] | None = None,
) -> Entry:
    """Add an entry, within the transaction that does what it is about.

    Args:
        connection: of :func:`fundoscope.serve.store.database.writing`, so that no other entry can
            come between.
        who: see :class:`Entry`.
        what: likewise.
        about: likewise.
        models: the models in use.
        detail: further facts.
    """
    last = connection.execute(select(audit).order_by(audit.c.number.desc()).limit(1)).first()
    entry = Entry(
        number=1 if last is None else last.number + 1,
        time=now(),
        who=who,
        what=what,
        about=about,
        models=msgspec.json.encode(models).decode(),
        detail=msgspec.json.encode(detail or {}, order="sorted").decode(),
        previous=BEFORE_THE_FIRST if last is None else last.hash,
    )
    connection.execute(audit.insert().values(**_values(entry), hash=entry.hash))
    return entry


def verify(engine: Engine, *, noted: str | None = None) -> Verdict:
    """Check that no entry was changed or removed, and that readings and reviews are as logged.

    Args:
        engine: of the database.
        noted: the hash of an entry that was noted earlier; the log must still hold it.
    """
    faults: list[str] = []
    contents: dict[str, str | None] = {}
    seen_noted, number, head = noted is None, 0, ""
    with looking(engine, frozen=True) as connection:
        previous = BEFORE_THE_FIRST
        for row in connection.execute(select(audit).order_by(audit.c.number)):
            number += 1
            faults += _faults(row, number, previous)
            previous = head = row.hash
            number = row.number
            seen_noted = seen_noted or row.hash == noted
            _note_content(row, contents)
        faults += _changed(connection, contents)
    if not seen_noted:
        faults.append("the entry whose hash you noted is gone: the end of the log was cut off")
    return Verdict(number, head, tuple(faults))


def entries(engine: Engine) -> Iterator[Entry]:
    """All entries, the earliest first."""
    with looking(engine) as connection:
        for row in connection.execute(select(audit).order_by(audit.c.number)):
            yield _entry(row)


def _values(entry: Entry) -> dict[str, Any]:
    return {field: getattr(entry, field) for field in Entry.__slots__}


def _entry(row: Row[Any]) -> Entry:
    return Entry(**{field: getattr(row, field) for field in Entry.__slots__})


def _faults(row: Row[Any], number: int, previous: str) -> Iterator[str]:
    if row.number != number:
        yield f"entry {number} is missing"
    if row.previous != previous:
        yield f"entry {row.number} does not follow the entry before it"
    if _entry(row).hash != row.hash:
        yield f"entry {row.number} was changed"


def _note_content(row: Row[Any], contents: dict[str, str | None]) -> None:
    """Keep the latest logged hash of each reading and review; forget what was deleted."""
    detail = msgspec.json.decode(row.detail)
    if row.what == ACCEPTED:
        contents[row.about] = None
    elif row.what in (READ_BY_SOFTWARE, REVIEWED):
        contents[row.about] = detail.get(CONTENT)
    elif row.what == CORRECTED and CONTENT in detail:
        contents[row.about] = detail[CONTENT]
    elif row.what == DELETED:
        for gone in (row.about, *detail.get(REVIEWS, ())):
            contents.pop(gone, None)


def _changed(connection: Connection, contents: Mapping[str, str | None]) -> Iterator[str]:
    """What the database holds, but not as it was logged, and what it should hold and does not."""
    gone = dict(contents)
    for id_, status, content in connection.execute(
        select(readings.c.id, readings.c.status, readings.c.reading)
    ):
        logged = gone.pop(id_, UNKNOWN)
        if logged != (digest(content or "") if status == READ else None):
            yield f"reading {id_} is not as it was logged"
    final = select(reviews.c.id, reviews.c.content).where(reviews.c.draft.is_(False))
    for id_, content in connection.execute(final):
        if gone.pop(id_, UNKNOWN) != digest(content):
            yield f"review {id_} is not as it was logged"
    for id_ in gone:
        yield f"{id_} was logged, but is gone, and the log does not say that it was deleted"
