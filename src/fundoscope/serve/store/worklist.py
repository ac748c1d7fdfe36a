"""The worklist: readings, filtered and sorted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, case, exists, func, null, or_, select, true

from fundoscope.serve.store.database import looking
from fundoscope.serve.store.records import Record, patient_of
from fundoscope.serve.store.store import Store
from fundoscope.serve.store.tables import READ, REFUSED, first_grades, readings, reviews

SAME_VISIT: Final = timedelta(days=14)
"""Photographs of a patient that were received within this time belong to one visit: both eyes are
photographed on one day, and a bad photograph is retaken soon."""


class Order(StrEnum):
    """How the worklist is sorted; a minus sorts the other way round."""

    NEWEST = "-created"
    OLDEST = "created"
    WORST = "-grade"
    BEST = "grade"
    LEAST_CERTAIN = "certainty"
    MOST_CERTAIN = "-certainty"
    PATIENT = "patient"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the worklist should show; ``None`` means all.

    Attributes:
        grade: of the software.
        needs_reader: whether a person should look.
        ungradable: whether the software could not grade it.
        reviewed: whether a person reviewed it.
        status: one of :data:`fundoscope.serve.store.tables.STATUSES`; ``None`` leaves out the
            photographs that could not be read.
        patient: whose photographs.
        patient_part: a part of the patient's name, in small or capital letters.
        received: the first and the last time at which photographs were accepted, in UTC.
        sort: the order.
        limit: the most items.
        offset: how many items to leave out at the beginning.
    """

    grade: int | None = None
    needs_reader: bool | None = None
    ungradable: bool | None = None
    reviewed: bool | None = None
    status: str | None = None
    patient: str | None = None
    patient_part: str | None = None
    received: tuple[str, str] | None = None
    sort: Order = Order.NEWEST
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the worklist.

    Attributes:
        id: of the reading.
        created: when the photograph was accepted, in UTC.
        status: one of :data:`fundoscope.serve.store.tables.STATUSES`.
        eye: as the caller gave it.
        patient: as the caller gave it.
        name: of the file, if the caller wanted it kept.
        same_as: the earliest reading of the same file.
        withheld: whether the software's opinion is withheld until the reader gave a grade.
        grade: of the software.
        certainty: the probability of that grade.
        referable: whether the eye should be referred.
        needs_reader: whether a person should look.
        ungradable: whether the software could not grade it.
        next_step: one of :data:`fundoscope.reading.NEXT_STEPS`.
        reviewed: whether a person reviewed it.
        draft: whether the caller has a draft of a review.
    """

    id: str
    created: str
    status: str
    eye: str | None
    patient: str | None
    name: str | None
    same_as: str | None
    withheld: bool
    grade: int | None
    certainty: float | None
    referable: bool | None
    needs_reader: bool | None
    ungradable: bool | None
    next_step: str | None
    reviewed: bool
    draft: bool


@dataclass(frozen=True, slots=True)
class Worklist:
    """A part of the worklist.

    Attributes:
        total: the number of readings that match.
        items: those from ``offset`` on.
    """

    total: int
    items: tuple[Item, ...]


def worklist(store: Store, wanted: Wanted, reader: str, *, blind: bool) -> Worklist:
    """The readings that match.

    Args:
        store: where.
        wanted: which, and in which order.
        reader: whose list it is.
        blind: whether the software's opinion is withheld where the reader gave no grade yet. Such
            readings match no filter by that opinion, and are sorted as if there were none.

    Raises:
        DatabaseError: the database cannot be used.
    """
    shown: ColumnElement[bool] = true()
    if blind:
        shown = exists().where(
            first_grades.c.reading == readings.c.id, first_grades.c.reader == reader
        )
    final = exists().where(reviews.c.reading == readings.c.id, reviews.c.draft.is_(False))
    draft = exists().where(
        reviews.c.reading == readings.c.id, reviews.c.draft.is_(True), reviews.c.reader == reader
    )
    where = _where(wanted, shown, final)
    query = select(
        readings, shown.label("shown"), final.label("reviewed"), draft.label("drafted")
    ).where(where)
    ordered = query.order_by(*_order(wanted.sort, shown)).limit(wanted.limit).offset(wanted.offset)
    with looking(store.engine) as connection:
        count = select(func.count()).select_from(readings).where(where)
        total = connection.execute(count).scalar_one()
        rows = connection.execute(ordered).all()
    return Worklist(total, tuple(map(_item, rows)))


def is_same_visit(one: str, other: str) -> bool:
    """Whether photographs that were accepted at these times, in UTC, belong to one visit."""
    return abs(datetime.fromisoformat(one) - datetime.fromisoformat(other)) <= SAME_VISIT


def same_visit(store: Store, record: Record, reader: str, *, blind: bool) -> Worklist:
    """The other photographs of a patient at the same visit that are read, the newest first.

    Args:
        store: where.
        record: of one photograph. If it names no patient, there are no others.
        reader: as for :func:`worklist`.
        blind: likewise.

    Raises:
        DatabaseError: the database cannot be used.
    """
    if record.given.patient is None:
        return Worklist(0, ())
    created = datetime.fromisoformat(record.created)
    first, last = (
        time.isoformat(timespec="microseconds")
        for time in (created - SAME_VISIT, created + SAME_VISIT)
    )
    wanted = Wanted(patient=record.given.patient, received=(first, last), status=READ)
    found = worklist(store, wanted, reader, blind=blind).items
    others = tuple(item for item in found if item.id != record.id)
    return Worklist(len(others), others)


def _where(
    wanted: Wanted, shown: ColumnElement[bool], final: ColumnElement[bool]
) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = []
    for name in ("grade", "needs_reader", "ungradable"):
        value = getattr(wanted, name)
        if value is not None:
            conditions += [readings.c[name] == value, shown]
    if wanted.reviewed is not None:
        conditions.append(final if wanted.reviewed else ~final)
    if wanted.patient is not None:
        names = (wanted.patient, patient_of(wanted.patient))
        conditions.append(readings.c.patient.in_(names))
    if wanted.patient_part is not None:
        conditions.append(readings.c.patient.icontains(wanted.patient_part, autoescape=True))
    if wanted.received is not None:
        conditions.append(readings.c.created.between(*wanted.received))
    if wanted.status is None:
        conditions.append(readings.c.status != REFUSED)
    else:
        conditions.append(readings.c.status == wanted.status)
    return and_(true(), *conditions)


def _order(sort: Order, shown: ColumnElement[bool]) -> tuple[ColumnElement[Any], ...]:
    """The order; what has no value comes last, and equal values are sorted from new to old."""
    newest = readings.c.number.desc()
    name = sort.removeprefix("-")
    if name == "created":
        return (newest if sort is Order.NEWEST else readings.c.number,)
    column: ColumnElement[Any] = readings.c[name]
    if name != "patient":
        column = case((shown, column), else_=null())
    direction = column.desc() if sort.startswith("-") else column
    return (or_(column.is_(None)), direction, newest)


def _item(row: Row[Any]) -> Item:
    shown = bool(row.shown) or row.status != READ
    return Item(
        id=row.id,
        created=row.created,
        status=row.status,
        eye=row.eye,
        patient=row.patient,
        name=row.name,
        same_as=row.same_as,
        withheld=not shown,
        grade=row.grade if shown else None,
        certainty=row.certainty if shown else None,
        referable=row.referable if shown else None,
        needs_reader=row.needs_reader if shown else None,
        ungradable=row.ungradable if shown else None,
        next_step=row.next_step if shown else None,
        reviewed=bool(row.reviewed),
        draft=bool(row.drafted),
    )
