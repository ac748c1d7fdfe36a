"""``/v1/readings/{id}/review``: what a person says of a photograph."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from msgspec.json import Decoder
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from fundoscope.reading import PhotoFacts, Reading
from fundoscope.serve.answers import (
    GivenReview,
    ReadingAnswer,
    answered,
    documented,
    json_body,
    problems,
    reading_answer,
)
from fundoscope.serve.bodies import decoded
from fundoscope.serve.problems import Problem, not_found
from fundoscope.serve.service import Reviewer, Service, TheService, record_of, reviews_of
from fundoscope.serve.store import reviews
from fundoscope.serve.store.tables import REFUSED

MOST_BYTES: Final = 2**20
"""Of a review: 2,000 boxes of 200 characters, and a long comment."""

REVIEWS: Final = Decoder(GivenReview)

router = APIRouter(tags=["reviews"])


@router.post(
    "/v1/readings/{id}/review",
    status_code=201,
    response_class=Response,
    summary="Review a reading",
    responses={
        **documented(201, ReadingAnswer, "The review is saved.", example="reviewed"),
        **problems(404, 409, 413, 415, 507),
    },
    openapi_extra=json_body(GivenReview, example="given_review"),
)
async def review(
    request: Request,
    id: UUID,  # noqa: A002
    service: TheService,
    caller: Reviewer,
) -> Response:
    """Save your grade, comment and boxes. A draft replaces your earlier one, and is resumed.

    The answer is the reading with its reviews, in a blind programme now with the software's
    opinion. Your first grade there is kept, whatever you say later.
    """
    given = await decoded(request, REVIEWS, most=MOST_BYTES)
    return await run_in_threadpool(_saved, service, str(id), caller, given)


def _saved(service: Service, id_: str, caller: Reviewer, given: GivenReview) -> Response:
    record = record_of(service, id_)
    if record.status == REFUSED:
        raise Problem(
            409, "refused", "the file could not be read as a photograph", "send another", id=id_
        )
    if record.reading is None:
        raise Problem(409, "not_read", "the photograph is not read yet", "try again", id=id_)
    _check(given, Reading.from_json(record.reading).photo)
    try:
        reviews.save(
            service.store,
            id_,
            caller.person,
            given.opinion(),
            draft=given.draft,
            blind=service.settings.blind,
        )
    except LookupError:
        raise not_found(id_) from None
    service.looks.note(caller.person, id_)
    stored, withheld = reviews_of(service, record, caller)
    return answered(reading_answer(record, stored, withheld=withheld), 201)


def _check(given: GivenReview, photo: PhotoFacts) -> None:
    """Check what the schema cannot say.

    Raises:
        Problem: 422; a final review without a grade, or a box outside of the photograph.
    """
    if given.grade is not None and given.ungradable:
        raise _invalid("the review has a grade although it is marked as not gradable")
    if not given.draft and given.grade is None and not given.ungradable:
        raise _invalid("the review has no grade and is not marked as not gradable")
    for number, box in enumerate(given.boxes or (), start=1):
        if not (box.x0 < box.x1 <= photo.width and box.y0 < box.y1 <= photo.height):
            raise _invalid(f"box {number} is empty, or reaches beyond the photograph")


def _invalid(why: str) -> Problem:
    return Problem(422, "invalid_review", why, "correct it and save again")
