"""Photographs from their acceptance to their reading: rows of the table ``readings``."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, select, update

from fundoscope.batch.jobs import CHANGING, INTERNAL_ERROR
from fundoscope.batch.workers import DEADLINE, DIED
from fundoscope.photo.refusals import OUT_OF_MEMORY
from fundoscope.reading import Reading
from fundoscope.report.wording import certainty
from fundoscope.serve.store import audit
from fundoscope.serve.store.database import DatabaseError, looking, writing
from fundoscope.serve.store.photographs import Incoming, path_of, removal
from fundoscope.serve.store.store import Store
from fundoscope.serve.store.tables import READ, REFUSED, WAITING, readings

READER, RETAKE = "reader", "retake"
"""Two of :data:`fundoscope.reading.NEXT_STEPS`: a person looks, or takes another photograph."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a caller says of a photograph; ``None`` where nothing was said.

    Attributes:
        eye: ``"right"`` or ``"left"``.
        patient: an identifier.
        name: of the file, if the caller wants it kept.
    """

    eye: str | None = None
    patient: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a photograph could not be read.

    Attributes:
        code: a stable word.
        reason: what is wrong, to follow "the photograph".
        remedy: what to do.
    """

    code: str
    reason: str
    remedy: str


NOT_THE_FILE: Final = frozenset(
    {
        DEADLINE, DIED, INTERNAL_ERROR, OUT_OF_MEMORY, CHANGING, "no_permission", "not_found",
        "unreadable",
    }
)  # fmt: skip
"""Codes of refusals that may pass: a busy machine, too little memory, a disk that does not answer,
an error of ours."""
PASSING: Final = NOT_THE_FILE - {INTERNAL_ERROR, "no_permission", "not_found"}
"""Those of them that may have passed a minute later, without anybody's doing."""
BLANKS: Final = re.compile(" +")
REFUSALS: Final = msgspec.json.Decoder(Refused)
"""Made once: msgspec crashes if two threads build the decoder of a type at the same time."""


@dataclass(frozen=True, slots=True)
class Record:
    """An accepted photograph.

    Attributes:
        id: of the reading.
        created: when it was accepted, in UTC.
        finished: when it was read or refused.
        uploaded_by: the name of the token.
        photograph: the SHA-256 of the file.
        size: of the file, in bytes.
        given: what the caller said of it.
        same_as: the earliest reading of the same file; ``None`` if there is none.
        status: one of :data:`fundoscope.serve.store.tables.STATUSES`.
        reading: the Reading, once there is one, as JSON.
        refusal: why it could not be read.
    """

    id: str
    created: str
    finished: str | None
    uploaded_by: str
    photograph: str
    size: int
    given: Given
    same_as: str | None
    status: str
    reading: str | None
    refusal: Refused | None


def patient_of(text: str) -> str:
    """A patient's identifier as it is stored.

    Blanks around it, or two for one, are not seen on any screen and would make two patients of one.
    """
    return BLANKS.sub(" ", text.strip())


def accept(store: Store, upload: Incoming, given: Given, who: str) -> Record:
    """Store a photograph: when this returns, it survives a loss of power.

    The second upload of one that was refused for a reason that is not the file's is no new one.

    Args:
        store: where.
        upload: the complete upload.
        given: what the caller says of it.
        who: the name of the token.

    Raises:
        OSError: the disk cannot be written.
        DatabaseError: the database cannot be used. In both cases nothing is stored.
    """
    sha256 = upload.sync()
    said = {
        "uploaded_by": who,
        "photograph": sha256,
        "eye": given.eye,
        "patient": given.patient,
        "name": given.name,
    }
    kept = False
    try:
        with writing(store.engine) as connection:
            id_ = _refused_before(connection, said)
            if id_ is None:
                id_ = _inserted(connection, said, upload.size)
                audit.append(connection, who, audit.ACCEPTED, id_, detail={"photograph": sha256})
            else:
                _wait(connection, id_)
            row = connection.execute(select(readings).where(readings.c.id == id_)).one()
            kept = upload.keep(sha256)  # The last step: if the database fails, nothing is kept.
    except BaseException:
        if kept:
            _forget(store, sha256)
        raise
    return record_of(row)


def _inserted(connection: Connection, said: Mapping[str, str | None], size: int) -> str:
    """Add the row of a photograph; its id."""
    first = (
        select(readings.c.id)
        .where(readings.c.photograph == said["photograph"])
        .order_by(readings.c.number)
        .limit(1)
    )
    same_as = connection.execute(first).scalar()
    row = {"id": str(uuid.uuid4()), "created": audit.now(), "size": size, "status": WAITING}
    connection.execute(readings.insert().values(**said, **row, same_as=same_as))
    return str(row["id"])


def _refused_before(connection: Connection, said: Mapping[str, str | None]) -> str | None:
    """The id of the same upload by the same person, refused for a reason that is not the file's."""
    same = [readings.c[name].is_not_distinct_from(value) for name, value in said.items()]
    query = select(readings.c.id, readings.c.refusal).where(readings.c.status == REFUSED, *same)
    rows = connection.execute(query.order_by(readings.c.number))
    return next((row.id for row in rows if not _blames_file(row.refusal)), None)


def _wait(connection: Connection, id_: str) -> None:
    """Let a refused photograph wait to be read again."""
    values = {"status": WAITING, "refusal": None, "finished": None}
    connection.execute(update(readings).where(readings.c.id == id_).values(values))


def _forget(store: Store, sha256: str) -> None:
    """Remove the photograph of a row that could not be committed, unless another row needs it.

    If the database cannot say so, the file stays until the next start, which tidies up.
    """
    with suppress(DatabaseError), writing(store.engine) as connection:
        if not is_kept(connection, sha256):
            path_of(store.data, sha256).unlink(missing_ok=True)


def finish(store: Store, id_: str, outcome: Reading | Refused) -> Record | None:
    """Store the reading of an accepted photograph, or why there is none.

    Args:
        store: where.
        id_: of the reading.
        outcome: what came of it. A file that cannot be read as a photograph is removed. A file that
            is not to blame (:data:`NOT_THE_FILE`) is kept, and read again after the next start.

    Returns:
        The record; ``None`` if it was deleted meanwhile.

    Raises:
        DatabaseError: the database cannot be used. The photograph still waits then.
    """
    entry: dict[str, Any]
    if isinstance(outcome, Reading):
        values = columns_of(outcome)
        content = {audit.CONTENT: audit.digest(values["reading"])}
        entry = {"what": audit.READ_BY_SOFTWARE, "models": outcome.models, "detail": content}
    else:
        values = _of_refusal(outcome)
        entry = {"what": audit.REFUSED, "detail": {"code": outcome.code}}
    with removal(store.data) as remove_file, writing(store.engine) as connection:
        done = connection.execute(
            update(readings)
            .where(readings.c.id == id_, readings.c.status == WAITING)
            .values(finished=audit.now(), **values)
        )
        if done.rowcount == 1:
            audit.append(connection, audit.SERVICE, about=id_, **entry)
            if isinstance(outcome, Refused):
                sha256 = select(readings.c.photograph).where(readings.c.id == id_)
                unused = connection.execute(sha256).scalar_one()
                if not is_kept(connection, unused):
                    remove_file(unused)
        row = connection.execute(select(readings).where(readings.c.id == id_)).first()
    return None if row is None else record_of(row)


def get(store: Store, id_: str) -> Record | None:
    """A record by its id; ``None`` if there is none.

    Raises:
        DatabaseError: the database cannot be used.
    """
    with looking(store.engine) as connection:
        row = connection.execute(select(readings).where(readings.c.id == id_)).first()
    return None if row is None else record_of(row)


def waiting(store: Store) -> list[Record]:
    """The accepted photographs that are not read yet, the earliest first.

    Raises:
        DatabaseError: the database cannot be used.
    """
    query = select(readings).where(readings.c.status == WAITING).order_by(readings.c.number)
    with looking(store.engine) as connection:
        return [record_of(row) for row in connection.execute(query)]


def wait_again(store: Store) -> int:
    """Let photographs wait that were refused for a reason that is not the file's.

    Returns:
        Their number.

    Raises:
        DatabaseError: the database cannot be used.
    """
    query = select(readings.c.id, readings.c.refusal).where(readings.c.status == REFUSED)
    with writing(store.engine) as connection:
        ids = [row.id for row in connection.execute(query) if not _blames_file(row.refusal)]
        for id_ in ids:
            _wait(connection, id_)
    return len(ids)


def known_photographs(store: Store) -> set[str]:
    """The hashes of all photographs that are kept.

    Raises:
        DatabaseError: the database cannot be used.
    """
    query = select(readings.c.photograph, readings.c.status, readings.c.refusal)
    with looking(store.engine) as connection:
        rows = connection.execute(query)
        return {sha256 for sha256, status, refusal in rows if _needs_file(status, refusal)}


def is_kept(connection: Connection, sha256: str) -> bool:
    """Whether a reading needs a photograph."""
    query = select(readings.c.status, readings.c.refusal).where(readings.c.photograph == sha256)
    return any(_needs_file(status, refusal) for status, refusal in connection.execute(query))


def _needs_file(status: str, refusal: str | None) -> bool:
    return status != REFUSED or not _blames_file(refusal)


def _blames_file(refusal: str | None) -> bool:
    return refusal is not None and REFUSALS.decode(refusal).code not in NOT_THE_FILE


def columns_of(reading: Reading) -> dict[str, Any]:
    """The columns of a reading; some repeat its fields for the worklist."""
    grade, step = reading.grade, reading.next_step
    # Without a grade it is listed as ungradable; with one nobody would notice that it is doubtful.
    for_a_person = (READER,) if grade.icdr is None else (READER, RETAKE)
    return {
        "status": READ,
        "reading": reading.to_json(),
        "grade": grade.icdr,
        "certainty": certainty(grade),
        "referable": None if grade.referable is None else grade.referable.positive,
        "needs_reader": bool(reading.needs_reader or grade.abstained)
        or (step is not None and step.step in for_a_person),
        "ungradable": grade.icdr is None,
        "next_step": None if step is None else step.step,
    }


def _of_refusal(refusal: Refused) -> dict[str, Any]:
    return {"status": REFUSED, "refusal": msgspec.json.encode(refusal).decode()}


def record_of(row: Row[Any]) -> Record:
    """The record in a row of the table ``readings``."""
    refusal = None if row.refusal is None else REFUSALS.decode(row.refusal)
    return Record(
        id=row.id,
        created=row.created,
        finished=row.finished,
        uploaded_by=row.uploaded_by,
        photograph=row.photograph,
        size=row.size,
        given=Given(row.eye, row.patient, row.name),
        same_as=row.same_as,
        status=row.status,
        reading=row.reading,
        refusal=refusal,
    )
