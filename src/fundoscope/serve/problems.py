"""Errors as ``application/problem+json`` (RFC 9457): what is wrong, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fundoscope.errors import FundoscopeError
from fundoscope.quoting import shown
from fundoscope.serve.store import database
from fundoscope.serve.store.database import DatabaseError
from fundoscope.serve.streams import drain, is_unread

MEDIA_TYPE: Final = "application/problem+json"
TYPE: Final = "urn:fundoscope:problem:"
AGAIN: Final = "send it again"
RETRY_S: Final = 10
"""Seconds after which a caller may try again when the database or the disk fails."""
NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NOT_NOW: Final = frozenset(
    {
        errno.EAGAIN, errno.EBUSY, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
        errno.ESTALE, errno.ETIMEDOUT,
    }
)  # fmt: skip
"""Of a disk that is busy, or does not answer; one over a network does so now and then."""
NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
LATER: Final = "try again in a minute; if that fails, ask who runs the service"
OF_DATABASE: Final = {
    database.BUSY: ("the service is busy with its database", True),
    database.DISK: ("the service cannot write to its disk, or read from it", False),
    database.DAMAGED: ("the database of the service is damaged", False),
    database.SILENT: ("the database of the service does not answer", True),
}
"""What is wrong with the database, by its code, and whether it may pass."""
NOT_FOUND_WORDS: Final = {
    HTTPStatus.NOT_FOUND: ("there is nothing at this address", "check it"),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        "this address does not allow this HTTP method",
        "use one of the methods in the header Allow",
    ),
}


@dataclass(frozen=True, slots=True)
class ProblemAnswer:
    """The body of an error.

    Attributes:
        type: a URN that ends with ``code``.
        title: the status in words.
        status: of HTTP.
        code: a stable word for programs.
        detail: what is wrong.
        remedy: what to do.
        id: of the reading, where there is one.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    remedy: str
    id: str | None = None


class Problem(Exception):  # noqa: N818 (the term of RFC 9457)
    """An error that becomes the answer to a request.

    Attributes:
        status: of HTTP.
        code: a stable word for programs.
        detail: what is wrong.
        remedy: what to do.
        headers: of the answer.
        id: of the reading, where there is one.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        remedy: str,
        *,
        headers: Mapping[str, str] | None = None,
        id: str | None = None,  # noqa: A002 (as in the answer)
    ) -> None:
        """Describe what is wrong."""
        self.status = status
        self.code = code
        self.detail = detail
        self.remedy = remedy
        self.headers = dict(headers or {})
        self.id = id
        super().__init__(detail)


class ProblemResponse(Response):
    """The answer for a problem. It reads what is left of a refused upload, so that it arrives."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, *, linger: bool = False) -> None:
        """Make the answer.

        Args:
            problem: what is wrong.
            linger: whether a body is still on its way.
        """
        title = HTTPStatus(problem.status).phrase
        answer = ProblemAnswer(
            TYPE + problem.code,
            title,
            problem.status,
            problem.code,
            problem.detail,
            problem.remedy,
            problem.id,
        )
        super().__init__(msgspec.json.encode(answer), problem.status, problem.headers)
        self._linger = linger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        if not self._linger:
            await super().__call__(scope, receive, send)
            return
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": [*self.raw_headers, (b"connection", b"close")],
        }
        await send(start)
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await drain(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def of_error(error: Exception) -> Problem:
    """The problem that an error is to the caller; anything unforeseen is an internal error."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, DatabaseError):
        return _of_database(error.code)
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return disk_full()
    if isinstance(error, OSError) and error.errno in NOT_NOW:
        what = "the disk of the service does not answer"
        return Problem(503, "disk_busy", what, LATER, headers=retry(RETRY_S))
    if isinstance(error, OSError) and error.errno in NOT_ALLOWED:
        return _of_database(database.DISK)
    if isinstance(error, FundoscopeError):
        return Problem(500, "failed", f"{error.what} {error.why}", error.remedy)
    detail = f"internal error ({type(error).__name__})"
    return Problem(500, "internal_error", detail, "report it with the request's id")


def _of_database(code: str) -> Problem:
    """The problem that the database cannot be used, for people who did not set it up."""
    if code == database.FULL:
        return disk_full()
    what, waiting_helps = OF_DATABASE[code]
    if not waiting_helps:
        return Problem(500, code, what, "ask who runs the service")
    return Problem(503, code, what, LATER, headers=retry(RETRY_S))


def disk_full() -> Problem:
    """The problem that the disk is full."""
    return Problem(
        HTTPStatus.INSUFFICIENT_STORAGE,
        "disk_full",
        "the disk of the service is full: nothing was stored",
        "ask who runs the service to free some space, then try again",
        headers=retry(RETRY_S),
    )


def not_found(id_: str) -> Problem:
    """The problem that there is no such reading."""
    return Problem(404, "no_such_reading", "there is no reading with this id", "check it", id=id_)


def retry(seconds: float) -> dict[str, str]:
    """The header that says when to try again."""
    return {"Retry-After": str(max(1, round(seconds)))}


def install(app: FastAPI) -> None:
    """Let an application answer with problems."""
    for kind in (Problem, HTTPException, FundoscopeError, OSError, Exception):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(ClientDisconnect, _gone)


async def _answer(request: Request, error: Exception) -> Response:
    problem = of_error(error)
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED and (methods := _methods(request)):
        problem.headers["Allow"] = ", ".join(methods)
    return ProblemResponse(problem, linger=is_unread(request))


async def _of_validation(_request: Request, error: Exception) -> Response:
    """Name the first parameter that is wrong. Its value is not repeated: it may name a patient."""
    details: Any = error.errors() if isinstance(error, RequestValidationError) else ()
    first = details[0] if details else {"loc": (), "msg": "is not valid"}
    where = shown(".".join(str(part) for part in first["loc"]))
    what = str(first["msg"])
    return ProblemResponse(
        Problem(422, "invalid", f"{where}: {what}", "see /openapi.json for what is accepted")
    )


async def _gone(_request: Request, _error: Exception) -> Response:
    """The caller hung up; nobody sees this answer."""
    return ProblemResponse(
        Problem(400, "incomplete", "the upload was interrupted: nothing was stored", AGAIN)
    )


def _methods(request: Request) -> list[str]:
    """The methods of an address: of its routes, each of which knows only its own."""
    path = getattr(request.scope.get("route"), "path", "")
    methods = request.app.openapi()["paths"].get(path, {})
    return sorted(method.upper() for method in methods)


def _of_http(error: HTTPException) -> Problem:
    status = HTTPStatus(error.status_code)
    detail, remedy = NOT_FOUND_WORDS.get(status, (status.phrase, "see /openapi.json"))
    code = status.name.lower()
    return Problem(status, code, detail, remedy, headers=dict(error.headers or {}))
