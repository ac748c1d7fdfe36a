"""``/livez``, ``/readyz`` and ``/metrics``, for whoever watches the service."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text
from starlette.responses import Response

from fundoscope.serve.answers import HealthAnswer, answered, documented, problems
from fundoscope.serve.problems import disk_full
from fundoscope.serve.service import Monitor, TheService
from fundoscope.serve.store import photographs
from fundoscope.serve.store.database import looking

OK: Final = HealthAnswer("ok")

router = APIRouter(tags=["health"])


@router.get(
    "/livez",
    response_class=Response,
    summary="Whether the process works",
    responses=documented(200, HealthAnswer, "It does.", example="ok"),
)
async def livez() -> Response:
    """Answers as long as the process works; start it again if there is no answer."""
    return answered(OK)


@router.get(
    "/readyz",
    response_class=Response,
    summary="Whether photographs are accepted",
    responses={
        **documented(200, HealthAnswer, "They are.", example="ok"),
        **problems(507),
    },
)
def readyz(service: TheService) -> Response:
    """Whether the database answers and the disk has room."""
    with looking(service.store.engine) as connection:
        connection.execute(text("select 1"))
    if photographs.free_bytes(service.store.data) < service.settings.reserve_bytes:
        raise disk_full()
    return answered(OK)


@router.get(
    "/metrics",
    response_class=Response,
    summary="Figures for Prometheus",
    responses={
        200: {"description": "Prometheus' text format.", "content": {"text/plain": {}}},
        **problems(),
    },
)
def metrics(service: TheService, caller: Monitor) -> Response:  # noqa: ARG001 (checks the role)
    """Requests, photographs, times and the queue. No figure names anybody."""
    return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
