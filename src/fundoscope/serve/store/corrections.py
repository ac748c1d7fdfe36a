"""Correcting what a caller said of a photograph: whose it is, and which eye it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import select, update

from fundoscope.serve.store import audit
from fundoscope.serve.store.database import forget, writing
from fundoscope.serve.store.records import UNREAD, Record, record_of
from fundoscope.serve.store.store import Store
from fundoscope.serve.store.tables import READ, readings

EYE, PATIENT = "eye", "patient"
FIELDS: Final = (EYE, PATIENT)
"""The columns that may be corrected."""


def correct(store: Store, id_: str, given: Mapping[str, str | None], *, by: str) -> Record | None:
    """Correct patient or eye of a photograph that was read.

    Quadrants, the side of the fovea and warnings depend on the eye. With another eye, the
    photograph therefore waits to be read again. Its reviews are kept.

    Args:
        store: where.
        id_: of the reading.
        given: the new values by the names of :data:`FIELDS`. What is left out stays.
        by: who corrects.

    Returns:
        The record as it is now; ``None`` if there is none, or the photograph is not read.

    Raises:
        DatabaseError: the database cannot be used. Nothing was changed.
    """
    this = readings.c.id == id_
    with writing(store.engine) as connection:
        row = connection.execute(select(readings).where(this, readings.c.status == READ)).first()
        if row is None:
            return None
        changed = {name: value for name, value in given.items() if getattr(row, name) != value}
        if not changed:
            return record_of(row)
        again = EYE in changed
        values = changed | (UNREAD if again else {})
        connection.execute(update(readings).where(this).values(**values))
        detail = {audit.FIELDS: sorted(changed), audit.READ_AGAIN: again}
        audit.append(connection, by, audit.CORRECTED, id_, detail=detail)
        row = connection.execute(select(readings).where(this)).one()
    if PATIENT in changed:
        forget(store.engine)
    return record_of(row)
