"""``PATCH`` and ``DELETE`` of ``/v1/readings/{id}``: a wrong patient, eye or photograph."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from msgspec.json import Decoder
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from fundoscope.reading import Reading
from fundoscope.serve import uploads
from fundoscope.serve.answers import (
    GivenCorrection,
    ReadingAnswer,
    answered,
    documented,
    json_body,
    problems,
    reading_answer,
)
from fundoscope.serve.bodies import decoded
from fundoscope.serve.problems import RETRY_S, Problem, retry
from fundoscope.serve.service import (
    Corrector,
    Service,
    TheService,
    Uploader,
    not_read,
    record_of,
    reviews_of,
)
from fundoscope.serve.store import corrections, retention
from fundoscope.serve.store.records import Refused

MOST_BYTES: Final = 2**12
"""Of a correction: a patient of 128 characters, each written as an escape."""
CORRECTIONS: Final = Decoder(GivenCorrection)

router = APIRouter(prefix="/v1/readings/{id}", tags=["readings"])


@router.patch(
    "",
    response_class=Response,
    summary="Correct patient or eye",
    responses={
        **documented(200, ReadingAnswer, "It is corrected.", example="reading"),
        **problems(404, 409, 413, 415, 507),
    },
    openapi_extra=json_body(GivenCorrection, example="given_correction"),
)
async def correct(
    request: Request,
    id: UUID,  # noqa: A002
    service: TheService,
    caller: Corrector,
) -> Response:
    """Correct whose photograph it is, or which eye it shows.

    With another eye the photograph is read again before the answer comes; if that fails, nothing
    is changed. Reviews are kept. The audit log says who corrected which field, not its values.
    """
    given = (await decoded(request, CORRECTIONS, most=MOST_BYTES)).values()
    if corrections.PATIENT in given:
        given[corrections.PATIENT] = uploads.checked_patient(given[corrections.PATIENT])
    record = await run_in_threadpool(record_of, service, str(id))
    if record.reading is None:
        raise not_read(record)
    eye = given.get(corrections.EYE, record.given.eye)
    outcome = None
    if eye != record.given.eye:
        outcome = await service.queue.read_again(record, eye)
    if isinstance(outcome, Refused):
        await run_in_threadpool(record_of, service, record.id)  # deleted meanwhile?
        raise Problem(
            503,
            outcome.code,
            f"nothing was corrected: the photograph {outcome.reason}",
            "try again, or ask who runs the service",
            headers=retry(RETRY_S),
            id=record.id,
        )
    return await run_in_threadpool(_corrected, service, record.id, given, caller, outcome)


@router.delete(
    "",
    status_code=204,
    response_class=Response,
    summary="Delete a photograph that you uploaded",
    responses={**documented(204, None, "It is deleted."), **problems(404, 409)},
)
def delete(id: UUID, service: TheService, caller: Uploader) -> Response:  # noqa: A002
    """Delete what you uploaded yourself and nobody has reviewed, such as a wrong file.

    Reading and photograph are gone for good; the audit log keeps that you deleted them. Anything
    else is deleted by who runs the service (`fundoscope store delete`).
    """
    id_ = str(id)
    if record_of(service, id_).uploaded_by != caller.person:
        raise Problem(
            403,
            "not_yours",
            "somebody else uploaded this photograph",
            "ask that person, or who runs the service, to delete it",
            id=id_,
        )
    if not retention.remove(service.store, [id_], by=caller.person, reviewed=False):
        record_of(service, id_)  # deleted meanwhile?
        raise Problem(
            409,
            "reviewed",
            "the photograph is reviewed already",
            "ask who runs the service to delete it",
            id=id_,
        )
    return Response(status_code=204)


def _corrected(
    service: Service,
    id_: str,
    given: dict[str, str | None],
    caller: Corrector,
    reading: Reading | None,
) -> Response:
    record = corrections.correct(service.store, id_, given, by=caller.person, reading=reading)
    if record is None:
        record_of(service, id_)  # deleted meanwhile?
        raise Problem(
            409,
            "changed",
            "somebody else corrected the photograph at the same time",
            "look at it again",
            id=id_,
        )
    stored, withheld = reviews_of(service, record, caller)
    service.looks.note(caller.person, record.id)
    return answered(reading_answer(record, stored, withheld=withheld))
