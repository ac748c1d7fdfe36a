"""Correcting what a caller said of a photograph: whose it is, and which eye it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select, update

from fundoscope.reading import Reading
from fundoscope.serve.store import audit
from fundoscope.serve.store.database import forget, writing
from fundoscope.serve.store.records import Record, columns_of, record_of
from fundoscope.serve.store.store import Store
from fundoscope.serve.store.tables import READ, readings

EYE: Final = "eye"
PATIENT: Final = "patient"


def correct(
    store: Store,
    id_: str,
    given: Mapping[str, str | None],
    *,
    by: str,
    reading: Reading | None = None,
) -> Record | None:
    """Correct patient or eye of a photograph that was read. Its reviews are kept.

    Args:
        store: where.
        id_: of the reading.
        given: the new values by their names, :data:`PATIENT` and :data:`EYE`. What is left out
            stays.
        by: who corrects.
        reading: the photograph read with the new eye. Quadrants, the side of the fovea and warnings
            depend on the eye, so a new eye needs a new reading.

    Returns:
        The record as it is now; ``None`` if there is none, if the photograph is not read, or if a
        new eye has no reading.

    Raises:
        DatabaseError: the database cannot be used. Nothing was changed.
    """
    this = readings.c.id == id_
    with writing(store.engine) as connection:
        row = connection.execute(select(readings).where(this, readings.c.status == READ)).first()
        if row is None:
            return None
        changed = {name: value for name, value in given.items() if getattr(row, name) != value}
        if EYE in changed and reading is None:
            return None
        if changed:
            values, entry = dict(changed), {}
            detail: dict[str, Any] = {audit.FIELDS: sorted(changed)}
            if EYE in changed and reading is not None:
                columns = columns_of(reading)
                values |= columns | {"finished": audit.now()}
                detail[audit.CONTENT] = audit.digest(columns["reading"])
                entry["models"] = reading.models
            connection.execute(update(readings).where(this).values(**values))
            audit.append(connection, by, audit.CORRECTED, id_, detail=detail, **entry)
            row = connection.execute(select(readings).where(this)).one()
    if PATIENT in changed:
        forget(store.engine)
    return record_of(row)
