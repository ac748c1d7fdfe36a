"""``/v1/readings``: a photograph in, its Reading out."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from fundoscope.errors import FundoscopeError
from fundoscope.serve import uploads
from fundoscope.serve.answers import (
    ReadingAnswer,
    answered,
    documented,
    problems,
    reading_answer,
)
from fundoscope.serve.problems import RETRY_S, Problem, disk_full, not_found, retry
from fundoscope.serve.service import (
    Service,
    TheService,
    Uploader,
    Viewer,
    record_of,
    reviews_of,
)
from fundoscope.serve.store import photographs, records
from fundoscope.serve.store.photographs import Incoming
from fundoscope.serve.store.records import Record, Refused
from fundoscope.serve.store.tables import WAITING

PREFER: Final = "prefer"
AT_ONCE: Final = "respond-async"
"""The preference (RFC 7240) of a caller who does not wait for the reading."""
LOOK_AGAIN: Final = {"Retry-After": "1"}

router = APIRouter(tags=["readings"])


@router.post(
    "/v1/readings",
    status_code=201,
    response_class=Response,
    summary="Read a photograph",
    responses={
        **documented(201, ReadingAnswer, "The photograph was read.", example="reading"),
        **documented(
            202,
            ReadingAnswer,
            "The photograph is stored and will be read (with `Prefer: respond-async`, or if its"
            " reading could not be stored).",
            example="accepted",
        ),
        **problems(400, 408, 413, 415, 507),
    },
    openapi_extra=uploads.OPEN_API,
)
async def upload(request: Request, service: TheService, caller: Uploader) -> Response:
    """Store a photograph and read it.

    The answer comes when it is read; with the header `Prefer: respond-async` when it is stored.
    From then on it is kept and read, also if the caller hangs up or the service dies. A file that
    cannot be read as a photograph gets 422 with the reason. It is removed; the reason is kept, with
    what you said of it. If the file is not to blame, such as when memory ran out, the answer is 503
    (500 where waiting does not help). The photograph is kept, and read again when you send it again
    or after the next start.
    """
    service.queue.take_place()
    try:
        record = await _accepted(request, service, caller.person)
    except BaseException:
        service.queue.leave()
        raise
    task = service.queue.submit(record)
    where = {"Location": f"/v1/readings/{record.id}"}
    if AT_ONCE in request.headers.get(PREFER, "").lower():
        task.add_done_callback(_retrieved)
        answer = reading_answer(record)
        return answered(answer, 202, where | {"Preference-Applied": AT_ONCE})
    try:
        finished = await asyncio.shield(task)
    except (FundoscopeError, OSError):  # its reading could not be stored; it is read again later
        return answered(reading_answer(record), 202, where)
    if finished is None:
        raise not_found(record.id)
    if finished.refusal is not None:
        raise _refusal(finished.refusal, record.id, where)
    return await run_in_threadpool(_read, service, finished, caller, where)


def _refusal(why: Refused, id_: str, where: dict[str, str]) -> Problem:
    """The problem of a photograph that was not read: of the file, or of the service."""
    status = 422
    if why.code in records.PASSING:
        status, where = 503, where | retry(RETRY_S)
    elif why.code in records.NOT_THE_FILE:
        status = 500
    what = f"the photograph {why.reason}"
    return Problem(status, why.code, what, why.remedy, headers=where, id=id_)


def _read(service: Service, record: Record, caller: Uploader, where: dict[str, str]) -> Response:
    stored, withheld = reviews_of(service, record, caller)
    return answered(reading_answer(record, stored, withheld=withheld), 201, where)


@router.get(
    "/v1/readings/{id}",
    response_class=Response,
    summary="A reading",
    responses={
        **documented(200, ReadingAnswer, "The reading.", example="reading"),
        **problems(404),
    },
)
def reading(id: UUID, service: TheService, caller: Viewer) -> Response:  # noqa: A002
    """A photograph's reading, its reviews, and your draft of one.

    `status` says whether it is read. In a blind programme `reading` is null, and `withheld` true,
    until you have given a grade.
    """
    record = record_of(service, str(id))
    stored, withheld = reviews_of(service, record, caller)
    if record.status != WAITING:
        service.looks.note(caller.person, record.id)
    headers = LOOK_AGAIN if record.status == WAITING else None
    return answered(reading_answer(record, stored, withheld=withheld), headers=headers)


async def _accepted(request: Request, service: Service, person: str) -> Record:
    settings, store = service.settings, service.store
    if photographs.free_bytes(store.data) < settings.reserve_bytes:
        raise disk_full()
    with Incoming(store.data) as incoming:
        given = await uploads.receive(
            request, incoming, most=settings.upload_bytes, seconds=settings.upload_s
        )
        record = await run_in_threadpool(records.accept, store, incoming, given, person)
    service.metrics.uploaded_bytes.inc(record.size)
    return record


def _retrieved(task: asyncio.Task[Any]) -> None:
    """Take the exception of a task that nobody waits for; the queue logs it."""
    if not task.cancelled():
        task.exception()
