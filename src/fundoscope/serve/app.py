"""The application: routes, guards, OpenAPI, and what happens at start and stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from fundoscope._version import __version__
from fundoscope.errors import FundoscopeError
from fundoscope.report import languages
from fundoscope.serve import answers, problems
from fundoscope.serve.examples import EXAMPLES
from fundoscope.serve.guards import Guards
from fundoscope.serve.looks import Looks
from fundoscope.serve.metrics import Metrics
from fundoscope.serve.pictures import Pictures
from fundoscope.serve.queue import Pool, Queue
from fundoscope.serve.routes import (
    artefacts,
    corrections,
    health,
    readings,
    reviews,
    session,
    worklist,
)
from fundoscope.serve.service import Service
from fundoscope.serve.settings import STOP_S, Settings
from fundoscope.serve.store import audit, photographs, records
from fundoscope.serve.store.database import writing
from fundoscope.serve.store.store import Store

PAGE: Final = Path(__file__).parent / "page"
"""The page and its files; served as they are."""
LANGUAGES: Final = Path(languages.__file__).parent
"""The texts of the page, which are those of reports, too."""
DESCRIPTION: Final = (
    "Reads photographs of the retina and grades diabetic retinopathy. Research software, not a"
    " medical device: a person decides. Errors are `application/problem+json` (RFC 9457)."
)
SECURITY: Final[dict[str, Any]] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a person. None is needed before the first one was added.",
    }
}

_log = logging.getLogger(__name__)


def make(settings: Settings, store: Store, pool: Pool, pictures: Pictures) -> ASGIApp:
    """Make the application.

    Args:
        settings: how it runs.
        store: where photographs and readings are; no other service uses it.
        pool: the workers.
        pictures: draws.
    """
    metrics = Metrics()
    service = Service(
        settings=settings,
        store=store,
        queue=Queue(store, pool, metrics, places=settings.queue, workers=settings.workers),
        pictures=pictures,
        looks=Looks(store),
        metrics=metrics,
    )
    app = FastAPI(
        title="fundoscope",
        version=__version__,
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,  # Their scripts come from other sites.
        redoc_url=None,
    )
    app.state.service = service
    for module in (readings, corrections, artefacts, reviews, worklist, session, health):
        app.include_router(module.router)
    problems.install(app)
    _serve_page(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return Guards(app, names=settings.names, metrics=metrics, tls=settings.certificate is not None)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Read what an earlier process left; at the end, finish what was accepted."""
    service: Service = app.state.service
    await run_in_threadpool(_begin, service.store)
    sweeping = asyncio.create_task(service.queue.sweep())
    try:
        yield
    finally:
        service.queue.stop_sweeping()
        await sweeping
        left = await service.queue.drain(STOP_S)
        if left:
            _log.warning("%d accepted photographs are read after the next start", left)
        with suppress(FundoscopeError):  # a database that is down must not prevent the stop
            await run_in_threadpool(_note, service.store, audit.STOPPED)


def _begin(store: Store) -> None:
    photographs.tidy(store.data, records.known_photographs(store))
    records.wait_again(store)
    _note(store, audit.STARTED)


def _note(store: Store, what: str) -> None:
    with writing(store.engine) as connection:
        audit.append(connection, audit.SERVICE, what, detail={"version": __version__})


def _serve_page(app: FastAPI) -> None:
    if not (PAGE / "index.html").is_file():
        return

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    app.mount("/page/languages", StaticFiles(directory=LANGUAGES), name="languages")
    app.mount("/page", StaticFiles(directory=PAGE), name="page")


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with our schemas in place of FastAPI's of errors."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
        )
        components = document.setdefault("components", {})
        components["schemas"] = components.get("schemas", {}) | answers.components()
        components["securitySchemes"] = SECURITY
        components["examples"] = {
            name: {"value": msgspec.to_builtins(body)} for name, body in EXAMPLES.items()
        }
        document["security"] = [{}, {"token": []}]
        app.openapi_schema = document
    return app.openapi_schema
