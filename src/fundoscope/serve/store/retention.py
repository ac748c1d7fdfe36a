"""Deleting readings: one, or those that are older than a programme may keep them.

The photograph goes when its last reading goes. The audit log keeps that a reading was deleted, by
its id, and nothing of its content.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from fundoscope.serve.store import audit
from fundoscope.serve.store.database import forget, looking, writing
from fundoscope.serve.store.photographs import removal
from fundoscope.serve.store.records import is_kept, patient_of
from fundoscope.serve.store.store import Store
from fundoscope.serve.store.tables import first_grades, readings, reviews


def remove(store: Store, ids: Sequence[str], *, by: str, reviewed: bool = True) -> int:
    """Delete readings with their reviews, and photographs that have no other reading.

    Args:
        store: where.
        ids: of the readings; unknown ones are passed over.
        by: who deletes them.
        reviewed: whether those that a person reviewed are deleted, too.

    Returns:
        The number of readings deleted.

    Raises:
        OSError: a photograph cannot be removed.
        DatabaseError: the database cannot be used. In both cases the reading is still there.
    """
    try:
        return sum(_remove(store, id_, by, reviewed) for id_ in ids)
    finally:
        forget(store.engine)


def older_than(store: Store, days: int) -> list[str]:
    """The ids of readings that were accepted more than some days ago.

    Raises:
        DatabaseError: the database cannot be used.
    """
    limit = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
    query = select(readings.c.id).where(readings.c.created < limit).order_by(readings.c.number)
    with looking(store.engine) as connection:
        return list(connection.execute(query).scalars())


def of_patient(store: Store, patient: str) -> list[str]:
    """The ids of a patient's readings.

    Raises:
        DatabaseError: the database cannot be used.
    """
    names = (patient, patient_of(patient))
    query = select(readings.c.id).where(readings.c.patient.in_(names)).order_by(readings.c.number)
    with looking(store.engine) as connection:
        return list(connection.execute(query).scalars())


def _remove(store: Store, id_: str, by: str, reviewed: bool) -> bool:
    with removal(store.data) as remove_file, writing(store.engine) as connection:
        query = select(readings.c.photograph).where(readings.c.id == id_)
        sha256 = connection.execute(query).scalar()
        gone = _reviews(connection, id_)
        if sha256 is None or (gone and not reviewed):
            return False
        _remove_rows(connection, id_)
        if not is_kept(connection, sha256):
            remove_file(sha256)
        audit.append(connection, by, audit.DELETED, id_, detail={audit.REVIEWS: gone})
    return True


def _reviews(connection: Connection, id_: str) -> list[str]:
    """The ids of a reading's finished reviews."""
    query = select(reviews.c.id).where(reviews.c.reading == id_, reviews.c.draft.is_(False))
    return list(connection.execute(query).scalars())


def _remove_rows(connection: Connection, id_: str) -> None:
    """Delete a reading, its reviews and first grades."""
    connection.execute(delete(reviews).where(reviews.c.reading == id_))
    connection.execute(delete(first_grades).where(first_grades.c.reading == id_))
    _hand_on(connection, id_)
    connection.execute(delete(readings).where(readings.c.id == id_))


def _hand_on(connection: Connection, id_: str) -> None:
    """Let later readings of the same file name the next one as the earliest."""
    same = readings.c.same_as == id_
    query = select(readings.c.id).where(same).order_by(readings.c.number)
    earliest = connection.execute(query.limit(1)).scalar()
    if earliest is not None:
        connection.execute(update(readings).where(readings.c.id == earliest).values(same_as=None))
        connection.execute(update(readings).where(same).values(same_as=earliest))
