"""``/v1/worklist``: what is to be looked at."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from fundoscope.serve.answers import NO_NUL, answered, documented, problems
from fundoscope.serve.service import TheService, Viewer
from fundoscope.serve.store import worklist as lists
from fundoscope.serve.store.tables import PATIENT_CHARACTERS
from fundoscope.serve.store.worklist import Order, Wanted, Worklist

MOST_ITEMS: Final = 200
MOST_OFFSET: Final = 10_000_000

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
        grade,
        needs_reader,
        ungradable,
        reviewed,
        status,
        patient,
        patient_part,
        sort,
        limit,
        offset,
    )
    blind = service.settings.blind
    return answered(lists.worklist(service.store, wanted, caller.person, blind=blind))
