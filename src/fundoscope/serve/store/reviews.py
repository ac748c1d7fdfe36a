"""What people say of a reading: drafts that are resumed, final reviews, and blind first grades."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, delete, select

from fundoscope.serve.store import audit
from fundoscope.serve.store.database import looking, writing
from fundoscope.serve.store.records import Record, record_of
from fundoscope.serve.store.store import Store
from fundoscope.serve.store.tables import first_grades, readings, reviews


@dataclass(frozen=True, slots=True)
class ReviewedBox:
    """A box that a reader drew, or left as it was; in the photograph's pixels.

    Attributes:
        kind: a key of :data:`fundoscope.kinds.KINDS`.
        x0: left edge.
        y0: upper edge.
        x1: right edge, greater than ``x0``.
        y1: lower edge, greater than ``y0``.
    """

    kind: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a reader says of a photograph.

    Attributes:
        grade: 0 to 4; ``None`` if there is none (yet), or the photograph is not gradable.
        ungradable: whether the reader finds the photograph not gradable.
        comment: free text.
        confidence: 1 (guessing) to 5 (sure).
        changed_mind: whether the software's opinion changed the reader's.
        boxes: all lesions; ``()`` means that there are none, ``None`` that the reader did not go
            through the boxes.
    """

    grade: int | None = None
    ungradable: bool = False
    comment: str = ""
    confidence: int | None = None
    changed_mind: bool | None = None
    boxes: tuple[ReviewedBox, ...] | None = None


OPINIONS: Final = msgspec.json.Decoder(Opinion)
"""Made once: msgspec crashes if two threads build the decoder of a type at the same time."""


@dataclass(frozen=True, slots=True)
class Review:
    """A stored review.

    Attributes:
        id: of the review.
        reading: the id of the reading.
        reader: the name of the token.
        draft: whether it is unfinished.
        saved: when, in UTC.
        opinion: what the reader says.
    """

    id: str
    reading: str
    reader: str
    draft: bool
    saved: str
    opinion: Opinion


@dataclass(frozen=True, slots=True)
class Reviews:
    """The reviews of a reading, as a reader may see them.

    Attributes:
        final: the finished ones, the latest last.
        draft: the reader's own draft.
        first_grade: whether the reader gave a grade before the software's was shown.
        first: that grade; ``None`` if there is none, or it was "not gradable".
    """

    final: tuple[Review, ...]
    draft: Review | None
    first_grade: bool
    first: int | None


def save(
    store: Store, reading: str, reader: str, opinion: Opinion, *, draft: bool, blind: bool
) -> Review:
    """Save a review. A draft replaces the reader's earlier one; a final review ends it.

    Args:
        store: where.
        reading: the id of a reading that exists.
        reader: the name of the token.
        opinion: what the reader says.
        draft: whether it is unfinished.
        blind: whether the software's reading is withheld until the reader gave a grade. The first
            grade is then kept, whatever the reader says later.

    Raises:
        LookupError: the reading was deleted.
        DatabaseError: the database cannot be used. Nothing was saved.
    """
    content = msgspec.json.encode(opinion).decode()
    review = Review(str(uuid.uuid4()), reading, reader, draft, audit.now(), opinion)
    with writing(store.engine) as connection:
        if (
            connection.execute(select(readings.c.id).where(readings.c.id == reading)).first()
            is None
        ):
            raise LookupError(reading)
        if blind and (opinion.grade is not None or opinion.ungradable):
            _keep_first_grade(connection, review)
        connection.execute(
            delete(reviews).where(
                reviews.c.reading == reading, reviews.c.reader == reader, reviews.c.draft.is_(True)
            )
        )
        connection.execute(
            reviews.insert().values(
                id=review.id,
                reading=reading,
                reader=reader,
                draft=draft,
                saved=review.saved,
                grade=opinion.grade,
                content=content,
            )
        )
        if not draft:
            detail = {"reading": reading, audit.CONTENT: audit.digest(content)}
            audit.append(connection, reader, audit.REVIEWED, review.id, detail=detail)
    return review


def of_reading(store: Store, reading: str, reader: str) -> Reviews:
    """The reviews of a reading.

    Args:
        store: where.
        reading: its id.
        reader: whose draft and first grade are wanted.

    Raises:
        DatabaseError: the database cannot be used.
    """
    with looking(store.engine) as connection:
        rows = connection.execute(
            select(reviews).where(reviews.c.reading == reading).order_by(reviews.c.number)
        ).all()
        first = connection.execute(
            select(first_grades).where(
                first_grades.c.reading == reading, first_grades.c.reader == reader
            )
        ).first()
    found = [_review(row) for row in rows]
    own = [each for each in found if each.draft and each.reader == reader]
    return Reviews(
        tuple(each for each in found if not each.draft),
        own[-1] if own else None,
        first is not None,
        None if first is None else first.grade,
    )


def finished(store: Store) -> list[tuple[Record, Review, int | None]]:
    """All finished reviews, the latest last, each with its record and the reader's first grade.

    Raises:
        DatabaseError: the database cannot be used.
    """
    own = (first_grades.c.reading == reviews.c.reading) & (
        first_grades.c.reader == reviews.c.reader
    )
    query = (
        select(reviews, first_grades.c.grade.label("first"))
        .outerjoin(first_grades, own)
        .where(reviews.c.draft.is_(False))
        .order_by(reviews.c.number)
    )
    with looking(store.engine) as connection:
        rows = connection.execute(query).all()
        known = {
            row.id: record_of(row)
            for row in connection.execute(
                select(readings).where(readings.c.id.in_(select(reviews.c.reading)))
            )
        }
    return [(known[row.reading], _review(row), row.first) for row in rows if row.reading in known]


def _keep_first_grade(connection: Connection, review: Review) -> None:
    mine = (first_grades.c.reading == review.reading) & (first_grades.c.reader == review.reader)
    if connection.execute(select(first_grades).where(mine)).first() is not None:
        return
    grade = review.opinion.grade
    connection.execute(
        first_grades.insert().values(
            reading=review.reading, reader=review.reader, grade=grade, given=review.saved
        )
    )
    detail = {"grade": grade}
    audit.append(connection, review.reader, audit.FIRST_GRADE, review.reading, detail=detail)


def _review(row: Row[Any]) -> Review:
    opinion = OPINIONS.decode(row.content)
    return Review(row.id, row.reading, row.reader, row.draft, row.saved, opinion)
