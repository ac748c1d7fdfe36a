"""What the routes share: settings, store, queue, pictures, figures; and who calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from fundoscope.serve.looks import Looks
from fundoscope.serve.metrics import Metrics
from fundoscope.serve.pictures import Pictures
from fundoscope.serve.problems import Problem, not_found
from fundoscope.serve.queue import Queue
from fundoscope.serve.settings import Settings
from fundoscope.serve.store import records, reviews, tokens
from fundoscope.serve.store.records import Record
from fundoscope.serve.store.reviews import Reviews
from fundoscope.serve.store.store import Store
from fundoscope.serve.store.tokens import Holder

COOKIE: Final = "fundoscope_token"
"""Holds a browser's token: out of reach of scripts, and never sent by other sites."""
PERSON: Final = "fundoscope-person"
"""Whom the page shows as signed in. Windows of a browser share a cookie: who signs in in one is the
caller of all, and what the other windows send is in another name than the one on the screen."""
BEARER: Final = "bearer "
BASIC: Final = "basic "
CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}
EVERYBODY: Final = Holder(tokens.NOBODY, frozenset(tokens.ROLES))


@dataclass(frozen=True, slots=True)
class Service:
    """A running service.

    Attributes:
        settings: how it runs.
        store: where photographs and readings are.
        queue: of photographs.
        pictures: draws on a process of its own.
        looks: notes in the audit log who looked at which reading.
        metrics: figures for Prometheus.
    """

    settings: Settings
    store: Store
    queue: Queue
    pictures: Pictures
    looks: Looks
    metrics: Metrics


def service_of(request: Request) -> Service:
    """The service that answers a request."""
    service: Service = request.app.state.service
    return service


def caller(request: Request) -> Holder:
    """Who calls.

    Raises:
        Problem: 401; a token is needed, and there is none, or it is not valid. 409; the page takes
            the caller for somebody else.
        DatabaseError: the database cannot be used.
    """
    holder = _holder(request)
    if request.headers.get(PERSON, holder.person) != holder.person:
        raise Problem(
            409,
            "other_person",
            "somebody else signed in in another window of this browser",
            "load the page again",
        )
    return holder


def _holder(request: Request) -> Holder:
    """Whose token a request has.

    Raises:
        Problem: 401, as for :func:`caller`.
        DatabaseError: the database cannot be used.
    """
    store = service_of(request).store
    token = token_of(request)
    holder = tokens.holder(store, token) if token else None
    if holder is not None:
        return holder
    # Browsers also send the cookie of another service on the same computer, whatever its port.
    if token in ("", request.cookies.get(COOKIE)) and not tokens.needed(store):
        return EVERYBODY
    raise Problem(
        401,
        "token",
        "the token is not valid" if token else "a token is needed",
        "send it as Authorization: Bearer TOKEN, or sign in on the page",
        headers=CHALLENGE,
    )


def token_of(request: Request) -> str:
    """The token of a request; ``""`` if there is none.

    A name and a password (HTTP Basic) are those of a proxy before the service, not a token.
    """
    header = request.headers.get("authorization", "")
    if header.lower().startswith(BEARER):
        return header[len(BEARER) :].strip()
    if header.lower().startswith(BASIC):
        header = ""
    return header or request.cookies.get(COOKIE, "")


def allowed(*roles: str) -> Callable[[Request], Holder]:
    """A dependency: who calls, if the token has all of some roles.

    Args:
        roles: of :data:`fundoscope.serve.store.tokens.ROLES`.
    """

    def who(request: Request) -> Holder:
        holder = caller(request)
        for role in roles:
            if role not in holder.roles:
                raise Problem(
                    403,
                    "role",
                    f"this token does not have the role {role}",
                    "ask who runs the service for a token with it",
                )
        return holder

    return who


TheService = Annotated[Service, Depends(service_of)]
Uploader = Annotated[Holder, Depends(allowed(tokens.UPLOAD))]
Viewer = Annotated[Holder, Depends(allowed(tokens.LOOK))]
Reviewer = Annotated[Holder, Depends(allowed(tokens.REVIEW, tokens.LOOK))]
"""Who reviews a photograph sees its reading, too."""
Corrector = Annotated[Holder, Depends(allowed(tokens.UPLOAD, tokens.LOOK))]
"""Who corrects a photograph sees its reading."""
Monitor = Annotated[Holder, Depends(allowed(tokens.MONITOR))]


def record_of(service: Service, id_: str) -> Record:
    """A record by its id.

    Raises:
        Problem: 404; there is none.
        DatabaseError: the database cannot be used.
    """
    record = records.get(service.store, id_)
    if record is None:
        raise not_found(id_)
    return record


def reviews_of(service: Service, record: Record, holder: Holder) -> tuple[Reviews, bool]:
    """The reviews of a reading, and whether the software's opinion is withheld from the caller.

    Raises:
        DatabaseError: the database cannot be used.
    """
    stored = reviews.of_reading(service.store, record.id, holder.person)
    withheld = service.settings.blind and not stored.first_grade and record.reading is not None
    return stored, withheld


def not_read(record: Record) -> Problem:
    """The problem that a photograph has no reading (yet)."""
    return Problem(
        409,
        "not_read",
        f"the photograph has no reading (it is {record.status})",
        "look at /v1/readings/ID for the reason",
        id=record.id,
    )


def shown_record(service: Service, id_: str, holder: Holder) -> Record:
    """A record that is read, and whose reading the caller may see; the look is logged.

    Raises:
        Problem: 404, 409 (it is not read), or 403 (a first grade is needed).
        DatabaseError: the database cannot be used.
    """
    record = record_of(service, id_)
    if record.reading is None:
        raise not_read(record)
    if reviews_of(service, record, holder)[1]:
        raise Problem(
            403,
            "withheld",
            "the software's reading is withheld until you have given a grade",
            "save a review, or a draft of one, with your grade",
            id=id_,
        )
    service.looks.note(holder.person, id_)
    return record
