"""Named tokens: one a person, so that the audit log knows who did what."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, func, select, update

from fundoscope.errors import UsageError
from fundoscope.quoting import quoted
from fundoscope.serve.store import audit
from fundoscope.serve.store.database import looking, writing
from fundoscope.serve.store.store import Store
from fundoscope.serve.store.tables import tokens

UPLOAD, LOOK, REVIEW, MONITOR = "upload", "look", "review", "monitor"
ROLES: Final = (UPLOAD, LOOK, REVIEW, MONITOR)
"""What a token may be allowed: to upload photographs; to look at readings; to review them; to read
``/metrics``."""
SECRET_BYTES: Final = 32
"""256 bits from the system's source of randomness: nobody guesses it, so a plain hash protects it.
"""
PERSON: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
NOBODY: Final = "local"
"""The "who" where no token is needed: whoever sits at this computer."""
RESERVED: Final = frozenset({NOBODY, audit.SERVICE})
PREFIX: Final = "fs_"
"""How a token begins, so that programs that look for leaked secrets recognise one."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a token belongs to.

    Attributes:
        person: a name.
        roles: of :data:`ROLES`.
        created: when the token was added, in UTC.
        revoked: when it was revoked; ``None`` if it is valid.
    """

    person: str
    roles: frozenset[str]
    created: str = ""
    revoked: str | None = None


def add(store: Store, person: str, roles: Collection[str], *, by: str = NOBODY) -> str:
    """Add a token, and return it. It is shown this once: only its hash is stored.

    Args:
        store: where.
        person: whose it is.
        roles: what it allows, of :data:`ROLES`.
        by: who adds it.

    Raises:
        UsageError: the name cannot be used or has a token already, or a role is unknown.
        DatabaseError: the database cannot be used.
    """
    if not PERSON.fullmatch(person) or person in RESERVED:
        raise UsageError(
            f"the name {quoted(person)}",
            "cannot be used",
            "take lower-case letters, digits, dots and hyphens, such as a.smith",
        )
    unknown = sorted(set(roles) - set(ROLES))
    remedy = f"take some of {', '.join(ROLES)}"
    if unknown:
        raise UsageError(f"the role {quoted(unknown[0])}", "is not known", remedy)
    if not roles:
        raise UsageError("the token", "has no role", remedy)
    token = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    with writing(store.engine) as connection:
        if connection.execute(select(tokens).where(tokens.c.person == person)).first():
            raise UsageError(
                person,
                "has or had a token",
                "take another name, so that the audit log stays clear",
            )
        connection.execute(
            tokens.insert().values(
                person=person,
                sha256=_hashed(token),
                roles=" ".join(sorted(roles)),
                created=audit.now(),
            )
        )
        detail = {"person": person, "roles": sorted(roles)}
        audit.append(connection, by, audit.TOKEN_ADDED, detail=detail)
    return token


def revoke(store: Store, person: str, *, by: str = NOBODY) -> None:
    """Revoke a person's token, from the next request on.

    Raises:
        UsageError: the person has no valid token.
        DatabaseError: the database cannot be used.
    """
    with writing(store.engine) as connection:
        done = connection.execute(
            update(tokens)
            .where(tokens.c.person == person, tokens.c.revoked.is_(None))
            .values(revoked=audit.now())
        )
        if done.rowcount != 1:
            remedy = "list the tokens with: fundoscope store tokens"
            raise UsageError(quoted(person), "has no valid token", remedy)
        audit.append(connection, by, audit.TOKEN_REVOKED, detail={"person": person})


def all_tokens(store: Store) -> list[Holder]:
    """Whose tokens there are, also revoked ones.

    Raises:
        DatabaseError: the database cannot be used.
    """
    with looking(store.engine) as connection:
        return [_holder(row) for row in connection.execute(select(tokens))]


def holder(store: Store, token: str) -> Holder | None:
    """Whose valid token this is; ``None`` if it is nobody's.

    Raises:
        DatabaseError: the database cannot be used.
    """
    query = select(tokens).where(tokens.c.sha256 == _hashed(token), tokens.c.revoked.is_(None))
    with looking(store.engine) as connection:
        row = connection.execute(query).first()
    return None if row is None else _holder(row)


def needed(store: Store) -> bool:
    """Whether callers need a token: from the first one on, also if it was revoked later.

    Raises:
        DatabaseError: the database cannot be used.
    """
    with looking(store.engine) as connection:
        return bool(connection.execute(select(func.count()).select_from(tokens)).scalar_one())


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _holder(row: Row[Any]) -> Holder:
    return Holder(row.person, frozenset(row.roles.split()), row.created, row.revoked)
