"""The tables of the database, as :mod:`fundoscope.serve.migrations` makes them.

Times are texts in UTC with microseconds, such as ``2026-03-01T09:30:00.000000+00:00``: they sort as
texts, and SQLite and PostgreSQL treat them alike. JSON is stored as the text that was hashed.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

WAITING, READ, REFUSED = "waiting", "read", "refused"
STATUSES: Final = (WAITING, READ, REFUSED)
"""Of a photograph: accepted and not yet read; read; it could not be read as a photograph."""
ID_CHARACTERS: Final = 36
HASH_CHARACTERS: Final = 64
TIME_CHARACTERS: Final = 32
PERSON_CHARACTERS: Final = 64
"""Longest name of a token."""
PATIENT_CHARACTERS: Final = 128
"""Longest identifier of a patient."""
WORD_CHARACTERS: Final = 32

metadata: Final = MetaData()

readings: Final = Table(
    "readings",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(ID_CHARACTERS), nullable=False, unique=True),
    Column("created", String(TIME_CHARACTERS), nullable=False),
    Column("finished", String(TIME_CHARACTERS)),
    Column("uploaded_by", String(PERSON_CHARACTERS), nullable=False),
    Column("photograph", String(HASH_CHARACTERS), nullable=False),
    Column("size", Integer, nullable=False),
    Column("name", Text),
    Column("eye", String(WORD_CHARACTERS)),
    Column("patient", String(PATIENT_CHARACTERS)),
    Column("same_as", String(ID_CHARACTERS)),
    Column("status", String(WORD_CHARACTERS), nullable=False),
    Column("reading", Text),
    Column("refusal", Text),
    Column("grade", Integer),
    Column("certainty", Float),
    Column("referable", Boolean),
    Column("needs_reader", Boolean),
    Column("ungradable", Boolean),
    Column("next_step", String(WORD_CHARACTERS)),
    CheckConstraint("status in ('waiting', 'read', 'refused')", name="a_known_status"),
    Index("readings_by_photograph", "photograph"),
    Index("readings_by_patient", "patient"),
    Index("readings_by_status", "status"),
)
"""A row for each accepted photograph. The columns from ``grade`` on repeat the reading's, for the
worklist."""

reviews: Final = Table(
    "reviews",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(ID_CHARACTERS), nullable=False, unique=True),
    Column("reading", String(ID_CHARACTERS), ForeignKey("readings.id"), nullable=False),
    Column("reader", String(PERSON_CHARACTERS), nullable=False),
    Column("draft", Boolean, nullable=False),
    Column("saved", String(TIME_CHARACTERS), nullable=False),
    Column("grade", Integer),
    Column("content", Text, nullable=False),
    CheckConstraint("grade between 0 and 4", name="a_grade_of_a_review"),
    Index("reviews_by_reading", "reading"),
)
"""What people say of a reading. A reader has at most one draft of each reading."""

first_grades: Final = Table(
    "first_grades",
    metadata,
    Column("reading", String(ID_CHARACTERS), ForeignKey("readings.id"), primary_key=True),
    Column("reader", String(PERSON_CHARACTERS), primary_key=True),
    Column("grade", Integer),
    Column("given", String(TIME_CHARACTERS), nullable=False),
)
"""The grade that a reader gave before the software's was shown (blind); null: not gradable."""

tokens: Final = Table(
    "tokens",
    metadata,
    Column("person", String(PERSON_CHARACTERS), primary_key=True),
    Column("sha256", String(HASH_CHARACTERS), nullable=False, unique=True),
    Column("roles", Text, nullable=False),
    Column("created", String(TIME_CHARACTERS), nullable=False),
    Column("revoked", String(TIME_CHARACTERS)),
)
"""One token a person. Only its hash is stored."""

audit: Final = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("time", String(TIME_CHARACTERS), nullable=False),
    Column("who", String(PERSON_CHARACTERS), nullable=False),
    Column("what", String(WORD_CHARACTERS), nullable=False),
    Column("about", String(ID_CHARACTERS), nullable=False),
    Column("models", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String(HASH_CHARACTERS), nullable=False),
    Column("hash", String(HASH_CHARACTERS), nullable=False),
)
"""The audit log. Triggers of the database refuse to change or delete a row."""
