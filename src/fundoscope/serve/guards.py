"""What stands before every route: host, origin, security headers, a log line without identity.

DNS rebinding: a page of a stranger lets its own name point to this computer, and its scripts then
call the service as if it were theirs. Such a call has the stranger's name in ``Host``: only IP
addresses, localhost and the names of the settings are accepted.

Cross-site requests: a stranger's page can send a form here, though it cannot read the answer.
Browsers name the page in ``Origin`` or ``Sec-Fetch-Site``; what changes something is refused if it
comes from elsewhere. Programs that are not browsers send neither, and need a token anyway.
"""

from __future__ import annotations

import ipaddress
import logging
import time
import uuid
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fundoscope.serve.metrics import Metrics
from fundoscope.serve.problems import Problem, ProblemResponse, of_error
from fundoscope.serve.settings import LOCALHOST

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS: Final = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
OTHER: Final = "other"
"""Any further method: callers can invent them, and figures must stay few."""
OUR_SITES: Final = frozenset({"", "same-origin", "none"})
"""Values of ``Sec-Fetch-Site`` of our own page, and of what a person typed."""
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' blob: data:; connect-src 'self'; font-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
CACHE: Final = "no-store"
"""Photographs of patients must not stay in the cache of a shared computer."""
HSTS: Final = "max-age=31536000"
NO_ROUTE: Final = "(none)"
"""The route of requests that no route answers."""

_log = logging.getLogger("fundoscope.serve")


class Guards:
    """The outermost layer of the application."""

    def __init__(
        self, app: ASGIApp, *, names: Collection[str], metrics: Metrics, tls: bool
    ) -> None:
        """Wrap an application.

        Args:
            app: to wrap.
            names: host names under which it may be called, besides IP addresses and localhost.
            metrics: counts.
            tls: whether it is served over TLS.
        """
        self._app, self._metrics = app, metrics
        self._names = frozenset(name.lower() for name in names)
        self._headers = HEADERS | ({"Strict-Transport-Security": HSTS} if tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, request_id = time.monotonic(), uuid.uuid4().hex
        status = 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers["X-Request-Id"] = request_id
                headers.setdefault("Cache-Control", CACHE)
            await send(message)

        try:
            problem = self._refusal(scope)
            answer = self._app if problem is None else ProblemResponse(problem)
            await answer(scope, receive, guarded)
        except Exception as error:  # noqa: BLE001 (an internal error is an answer, too)
            _log.error("internal error %s request=%s", _where(error), request_id)
            if not status:
                await ProblemResponse(of_error(error))(scope, receive, guarded)
        finally:
            self._note(scope, status, time.monotonic() - started, request_id)

    def _refusal(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return Problem(
                421,
                "host",
                "this host name is not allowed",
                "use the IP address, or start the service with --name NAME",
            )
        if scope["method"] in SAFE_METHODS:
            return None
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site", "")
        if (origin is not None and _netloc(origin) != host.lower()) or site not in OUR_SITES:
            return Problem(
                403, "cross_site", "the request comes from another site", "use the service's page"
            )
        return None

    def _is_ours(self, host: str) -> bool:
        name = _hostname(host)
        if name in self._names or name == LOCALHOST:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        """Count the request and log it, by its route: a path or a query could name a patient."""
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self._metrics.requests.labels(route, method, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        _log.info("%s %s %d %.3fs request=%s", method, route, status, seconds, request_id)


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _where(error: BaseException) -> str:
    """The type of an error and the lines that raised it, without its message: it may name files."""
    lines, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' < '.join(reversed(lines[-5:]))}"
