"""``/v1/worklist``: what is to be looked at."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from msgspec.json import Decoder
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from fundoscope.serve.answers import (
    MOST_ITEMS,
    MOST_OFFSET,
    NO_NUL,
    GivenSearch,
    answered,
    documented,
    json_body,
    problems,
)
from fundoscope.serve.bodies import decoded
from fundoscope.serve.service import Service, TheService, Viewer, record_of
from fundoscope.serve.store import worklist as lists
from fundoscope.serve.store.tables import PATIENT_CHARACTERS
from fundoscope.serve.store.worklist import Order, Wanted, Worklist

MOST_BYTES: Final = 2**12
"""Of a search: a patient of 128 characters, each written as an escape."""

SEARCHES: Final = Decoder(GivenSearch)

router = APIRouter(tags=["worklist"])


@router.get(
    "/v1/worklist",
    response_class=Response,
    summary="The worklist",
    responses={
        **documented(200, Worklist, "The readings that match.", example="worklist"),
        **problems(),
    },
)
def worklist(
    service: TheService,
    caller: Viewer,
    grade: Annotated[int | None, Query(ge=0, le=4, description="The software's grade.")] = None,
    needs_reader: Annotated[bool | None, Query(description="Whether a person should look.")] = None,
    ungradable: Annotated[
        bool | None, Query(description="Whether the software could not grade it.")
    ] = None,
    reviewed: Annotated[bool | None, Query(description="Whether a person reviewed it.")] = None,
    status: Annotated[
        Literal["waiting", "read", "refused"] | None,
        Query(description="Default: all but those that could not be read."),
    ] = None,
    patient: Annotated[
        str | None, Query(min_length=1, max_length=PATIENT_CHARACTERS, pattern=NO_NUL)
    ] = None,
    patient_part: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=PATIENT_CHARACTERS,
            pattern=NO_NUL,
            description="A part of the patient's name, in small or capital letters.",
        ),
    ] = None,
    sort: Annotated[Order, Query(description="A minus sorts downwards.")] = Order.NEWEST,
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = 50,
    offset: Annotated[int, Query(ge=0, le=MOST_OFFSET)] = 0,
) -> Response:
    """Readings, filtered and sorted.

    In a blind programme the software's opinion is left out where you have not given a grade; such
    readings match no filter by it.
    """
    wanted = Wanted(
        grade=grade,
        needs_reader=needs_reader,
        ungradable=ungradable,
        reviewed=reviewed,
        status=status,
        patient=patient,
        patient_part=patient_part,
        sort=sort,
        limit=limit,
        offset=offset,
    )
    return _listed(service, wanted, caller)


@router.post(
    "/v1/worklist",
    response_class=Response,
    summary="Search the worklist",
    responses={
        **documented(200, Worklist, "The readings that match.", example="worklist"),
        **problems(413, 415),
    },
    openapi_extra=json_body(GivenSearch, example="given_search"),
)
async def search(request: Request, service: TheService, caller: Viewer) -> Response:
    """As GET, with the filters in the body: a proxy's log has addresses, and so patients' names.

    Nothing is changed.
    """
    given = await decoded(request, SEARCHES, most=MOST_BYTES)
    wanted = Wanted(**{name: getattr(given, name) for name in given.__struct_fields__})
    return await run_in_threadpool(_listed, service, wanted, caller)


@router.get(
    "/v1/readings/{id}/same-visit",
    response_class=Response,
    summary="The patient's other photographs",
    responses={
        **documented(200, Worklist, "The other photographs, read.", example="worklist"),
        **problems(404),
    },
)
def same_visit(id: UUID, service: TheService, caller: Viewer) -> Response:  # noqa: A002
    """Photographs of the same patient that were received up to two weeks before or after this one.

    Only those that are read, the newest first.
    """
    record = record_of(service, str(id))
    blind = service.settings.blind
    return answered(lists.same_visit(service.store, record, caller.person, blind=blind))


def _listed(service: Service, wanted: Wanted, caller: Viewer) -> Response:
    blind = service.settings.blind
    return answered(lists.worklist(service.store, wanted, caller.person, blind=blind))
