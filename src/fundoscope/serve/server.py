"""Running the service: the checks before it starts, the socket, the workers, a graceful stop."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from fundoscope.batch.workers import WorkerPool
from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.grading import grader as graders
from fundoscope.grading import heat
from fundoscope.reader import SOFTWARE, Reader
from fundoscope.report.wording import DISCLAIMER
from fundoscope.serve import app
from fundoscope.serve.pictures import Pictures
from fundoscope.serve.settings import STOP_S, Settings, is_local
from fundoscope.serve.store import store as stores
from fundoscope.serve.store import tokens
from fundoscope.serve.store.store import Store

BACKLOG: Final = 128
"""Connections that wait to be accepted."""
STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


def run(settings: Settings, say: Callable[[str], None]) -> None:
    """Run a service until it is stopped by a signal.

    Args:
        settings: how it runs.
        say: prints a line.

    Raises:
        UsageError: the settings are not valid, or the address needs a token.
        FundoscopeError: the address is in use, the folder has another service, or the models cannot
            be loaded.
    """
    _check(settings)
    with (
        stores.opened(settings.data, settings.database, make=True) as store,
        stores.alone(settings.data),
    ):
        _require_token(settings, store)
        make = partial(reader, **settings.reader)
        with (
            _socket(settings) as listening,
            Pictures(settings.limits) as pictures,
            WorkerPool(settings.workers, make, settings.limits) as pool,
        ):
            pictures.warm()
            for line in banner(settings, store, listening.getsockname()[1]):
                say(line)
            _ignore_signals_after_the_stop()
            web = app.make(settings, store, pool, pictures)
            _run(uvicorn.Server(_configured(web, settings)), listening)


def _run(server: uvicorn.Server, listening: socket.socket) -> None:
    """Serve until a signal stops it.

    Raises:
        FundoscopeError: the service could not start.
    """
    try:
        server.run(sockets=[listening])
    except SystemExit:  # uvicorn ends so where the start fails
        if server.started:
            raise
    if not server.started:
        raise FundoscopeError("the service", "did not start", "see what was logged above")


def _configured(web: ASGIApp, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        web,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=STOP_S,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )


def reader(grader: Path | None, **options: Any) -> Reader:
    """The reader of a worker, with a heat map if the grader gives one.

    Args:
        grader: a grading bundle; ``None`` means the one that ships.
        options: further arguments of :class:`fundoscope.reader.Reader`.

    Raises:
        FundoscopeError: a bundle cannot be loaded.
    """
    loaded = graders.load(grader)
    return Reader(loaded, heat_map=heat.available(loaded), **options)


def banner(settings: Settings, store: Store, port: int) -> Iterator[str]:
    """Lines about what the service will and will not do."""
    scheme = "http" if settings.certificate is None else "https"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    reach = "only this computer can reach it" if settings.is_local else "others can reach it"
    needed = tokens.needed(store)
    yield f"{SOFTWARE} at {scheme}://{host}:{port} ({reach})"
    yield (
        f"keeps photographs, readings and reviews in {settings.data}, until you delete them"
        " (fundoscope store)"
    )
    yield f"asks {'everybody' if needed else 'nobody'} for a token; logs who did what"
    yield "sends nothing anywhere, and logs no name of a patient or a file"
    if settings.blind:
        yield "shows its reading to a reader only after the reader's own grade (--blind)"
    if not settings.is_local and settings.certificate is None:
        yield "is not encrypted: put it behind a proxy with TLS, or give --certificate and --key"
    yield f"{DISCLAIMER}; a person decides. Stop it with Ctrl-C: it finishes what it accepted"


def log_to_standard_error() -> None:
    """Log requests and problems, by route and without identity."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    for noisy in ("alembic", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _check(settings: Settings) -> None:
    if (settings.certificate is None) != (settings.key is None):
        raise UsageError("--certificate and --key", "belong together", "give both, or neither")
    for option, path in (("--certificate", settings.certificate), ("--key", settings.key)):
        if path is not None and not path.is_file():
            raise UsageError(f"{option} {path}", "is not a file", "check its name")
    if settings.certificate is not None:
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(settings.certificate, settings.key)
        except OSError as error:
            if not isinstance(error, ssl.SSLError):
                what = f"--certificate {settings.certificate} or --key {settings.key}"
                why = f"cannot be read ({error.strerror})"
                raise UsageError(what, why, "check their permissions") from None
            raise UsageError(
                f"--certificate {settings.certificate}",
                "does not fit --key, or one of them is damaged",
                "name a certificate in PEM and its key",
            ) from None


def _require_token(settings: Settings, store: Store) -> None:
    """Refuse to let others call without anybody knowing who they are."""
    if is_local(settings.host):
        return
    if not any(holder.revoked is None for holder in tokens.all_tokens(store)):
        raise UsageError(
            f"--host {settings.host}",
            "lets other computers call, and nobody has a token",
            f"add one first: fundoscope store add-token NAME --data {settings.data}",
        )


def _socket(settings: Settings) -> socket.socket:
    """The listening socket.

    Raises:
        FundoscopeError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise FundoscopeError(
            f"the address {settings.host}:{settings.port}",
            f"cannot be used ({error.strerror or error})",
            "stop what uses it, or choose another --port",
        ) from None


def _ignore_signals_after_the_stop() -> None:
    """Uvicorn raises the signal that stopped it once more, when everything has ended."""

    def ignore(_number: int, _frame: FrameType | None) -> None:
        pass

    for number in STOPPING:
        signal.signal(number, ignore)
