"""The first tables, and the triggers that make the audit log append-only."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Integer,
    String,
    Text,
)

revision = "a001"
down_revision = None

FORBIDDEN = "the audit log is append-only"
FUNCTION = f"""
create function audit_is_append_only() returns trigger language plpgsql as
$$ begin raise exception '{FORBIDDEN}'; end $$
"""


def upgrade() -> None:
    """Make the tables."""
    _readings()
    _reviews()
    op.create_table(
        "tokens",
        Column("person", String(64), primary_key=True),
        Column("sha256", String(64), nullable=False, unique=True),
        Column("roles", Text, nullable=False),
        Column("created", String(32), nullable=False),
        Column("revoked", String(32)),
    )
    op.create_table(
        "audit",
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("time", String(32), nullable=False),
        Column("who", String(64), nullable=False),
        Column("what", String(32), nullable=False),
        Column("about", String(36), nullable=False),
        Column("models", Text, nullable=False),
        Column("detail", Text, nullable=False),
        Column("previous", String(64), nullable=False),
        Column("hash", String(64), nullable=False),
    )
    _forbid_changes_of_the_log()


def _readings() -> None:
    op.create_table(
        "readings",
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("id", String(36), nullable=False, unique=True),
        Column("created", String(32), nullable=False),
        Column("finished", String(32)),
        Column("uploaded_by", String(64), nullable=False),
        Column("photograph", String(64), nullable=False),
        Column("size", Integer, nullable=False),
        Column("name", Text),
        Column("eye", String(32)),
        Column("patient", String(128)),
        Column("same_as", String(36)),
        Column("status", String(32), nullable=False),
        Column("reading", Text),
        Column("refusal", Text),
        Column("grade", Integer),
        Column("certainty", Float),
        Column("referable", Boolean),
        Column("needs_reader", Boolean),
        Column("ungradable", Boolean),
        Column("next_step", String(32)),
        CheckConstraint("status in ('waiting', 'read', 'refused')", name="a_known_status"),
    )
    for column in ("photograph", "patient", "status"):
        op.create_index(f"readings_by_{column}", "readings", [column])


def _reviews() -> None:
    op.create_table(
        "reviews",
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("id", String(36), nullable=False, unique=True),
        Column("reading", String(36), ForeignKey("readings.id"), nullable=False),
        Column("reader", String(64), nullable=False),
        Column("draft", Boolean, nullable=False),
        Column("saved", String(32), nullable=False),
        Column("grade", Integer),
        Column("content", Text, nullable=False),
        CheckConstraint("grade between 0 and 4", name="a_grade_of_a_review"),
    )
    op.create_index("reviews_by_reading", "reviews", ["reading"])
    op.create_table(
        "first_grades",
        Column("reading", String(36), ForeignKey("readings.id"), primary_key=True),
        Column("reader", String(64), primary_key=True),
        Column("grade", Integer),
        Column("given", String(32), nullable=False),
    )


def _forbid_changes_of_the_log() -> None:
    """Let the database refuse to change the audit log."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(FUNCTION)
        op.execute(
            "create trigger audit_rows before update or delete or truncate on audit"
            " for each statement execute function audit_is_append_only()"
        )
        return
    for change in ("update", "delete"):
        op.execute(
            f"create trigger audit_no_{change} before {change} on audit"
            f" begin select raise(abort, '{FORBIDDEN}'); end"
        )
