"""What is made of a reading: the photograph, a picture, a report, annotations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from fundoscope.report.languages import ENGLISH, codes
from fundoscope.serve import browsers, pictures
from fundoscope.serve.annotations import of_record
from fundoscope.serve.answers import problems
from fundoscope.serve.problems import Problem
from fundoscope.serve.service import (
    Service,
    TheService,
    Viewer,
    record_of,
    reviews_of,
    shown_record,
)
from fundoscope.serve.store import worklist
from fundoscope.serve.store.photographs import path_of
from fundoscope.serve.store.records import Record
from fundoscope.serve.store.tables import REFUSED

XML: Final = "application/xml"
PDF: Final = "application/pdf"
OF_THE_DISK: Final = frozenset({"not_found", "no_permission", "not_a_file", "unreadable"})
"""Codes of what a caller cannot mend: their remedies are for whoever runs the service."""

router = APIRouter(prefix="/v1/readings/{id}", tags=["artefacts"])


def _file(media_type: str, words: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": words, "content": {media_type: {}}}}


@asynccontextmanager
async def _found(service: Service, *records: Record) -> AsyncIterator[None]:
    """Around work on photographs, which may fail because somebody deletes one meanwhile.

    Raises:
        Problem: 404, if so; 500, if a file cannot be read although nobody deleted it.
    """
    try:
        yield
    except (Problem, OSError) as error:
        for record in records:
            await run_in_threadpool(record_of, service, record.id)
        code = error.code if isinstance(error, Problem) else "unreadable"
        if code not in OF_THE_DISK:
            raise
        why = "the photograph cannot be read from the disk of the service"
        raise Problem(500, code, why, "ask who runs the service") from error


@router.get(
    "/photograph",
    response_class=Response,
    summary="The photograph",
    responses={
        200: {
            "description": "The photograph, upright.",
            "content": {browsers.JPEG: {}, browsers.PNG: {}},
        },
        **problems(404, 409),
    },
)
async def photograph(
    id: UUID,  # noqa: A002
    service: TheService,
    caller: Viewer,
    side: Annotated[
        int | None,
        Query(
            ge=pictures.SMALLEST_SIDE,
            le=pictures.LARGEST_SIDE,
            description="Pixels of the shorter side, for a first sight. Default: all of them.",
        ),
    ] = None,
) -> Response:
    """The stored photograph for a browser: JPEG and plain PNG as they are, others as PNG.

    Browsers turn a JPEG upright by its EXIF orientation. What they would show otherwise than it was
    read is converted. Boxes are in pixels of the upright photograph.
    """
    record = await run_in_threadpool(record_of, service, str(id))
    if record.status == REFUSED:
        raise Problem(
            409, "refused", "the file could not be read as a photograph", "send another", id=str(id)
        )
    await run_in_threadpool(service.looks.note, caller.person, record.id)
    path = path_of(service.store.data, record.photograph)
    async with _found(service, record):
        if side is not None:
            content = await service.pictures.make(pictures.reduced, path, side)
            return Response(content, media_type=browsers.JPEG)
        kind = await run_in_threadpool(browsers.media_type, path)
        if kind is not None:
            return FileResponse(path, media_type=kind)
        content = await service.pictures.make(pictures.converted, path)
    return Response(content, media_type=browsers.PNG)


@router.get(
    "/overlay.png",
    response_class=Response,
    summary="The reading drawn on the photograph",
    responses={**_file(browsers.PNG, "The picture."), **problems(404, 409)},
)
async def overlay(
    id: UUID,  # noqa: A002
    service: TheService,
    caller: Viewer,
    labels: Annotated[
        bool, Query(description="Whether kind and score stand beside each lesion.")
    ] = False,
    heat: Annotated[
        bool, Query(description="Whether it is shown where the grader looked.")
    ] = False,
) -> Response:
    """The photograph with its field of view, lesions, grade and certainty."""
    record = await run_in_threadpool(shown_record, service, str(id), caller)
    path = path_of(service.store.data, record.photograph)
    draw = partial(pictures.overlay, labels=labels, heat=heat)
    async with _found(service, record):
        content = await service.pictures.make(draw, path, record.reading)
    return Response(content, media_type=browsers.PNG)


@router.get(
    "/report.pdf",
    response_class=Response,
    summary="The report on paper",
    responses={**_file(PDF, "The report."), **problems(404, 409)},
)
async def report(
    id: UUID,  # noqa: A002
    service: TheService,
    caller: Viewer,
    other: Annotated[
        UUID | None, Query(description="A reading of the other eye, for the same report.")
    ] = None,
    language: Annotated[
        Literal[codes()],  # type: ignore[valid-type]
        Query(description="Of the report."),
    ] = ENGLISH,
) -> Response:
    """A page to print: photographs with lesions, grade and certainty, and what to do next.

    The patient is named if the upload named one. Two readings do not go into one report if they
    name different patients, or if their photographs were received more than two weeks apart.
    """
    if other == id:
        raise Problem(
            422,
            "same_photograph",
            "the report would show this photograph twice",
            "leave other out, or name a photograph of the other eye",
        )
    ids = [str(id)] if other is None else [str(id), str(other)]
    records = [await run_in_threadpool(shown_record, service, each, caller) for each in ids]
    patients = {record.given.patient or "" for record in records}
    if len(patients) > 1:
        raise Problem(
            409, "two_patients", "the readings are of different patients", "make two reports"
        )
    if not worklist.is_same_visit(records[0].created, records[-1].created):
        raise Problem(
            409,
            "two_visits",
            "the photographs were not received at the same visit",
            "make two reports",
        )
    pages = [
        pictures.Page(
            path_of(service.store.data, record.photograph),
            record.reading or "",
            record.given.eye,
            datetime.fromisoformat(record.created).astimezone().date().isoformat(),
        )
        for record in records
    ]
    day = date.today().isoformat()
    async with _found(service, *records):
        content = await service.pictures.make(pictures.report, pages, patients.pop(), day, language)
    return Response(content, media_type=PDF)


@router.get(
    "/annotations.xml",
    response_class=Response,
    summary="The lesions as Pascal VOC",
    responses={**_file(XML, "The annotations."), **problems(404, 409)},
)
def voc(id: UUID, service: TheService, caller: Viewer) -> Response:  # noqa: A002
    """The lesions as Pascal VOC: of the latest review with boxes, else the software's."""
    record = shown_record(service, str(id), caller)
    stored, _ = reviews_of(service, record, caller)
    return Response(of_record(record, stored.final), media_type=XML)
