"""The body of a request while it arrives, and what is left of it after a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Receive

LINGER_BYTES: Final = 32 * 2**20
"""How much of an upload is read and thrown away after its refusal. A connection that is closed
while the caller still sends loses the answer (the "lingering close" of web servers)."""
LINGER_S: Final = 5.0
"""How long that may take."""


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """The body, piece by piece; ``request.state.unread`` says whether there is more of it.

    Raises:
        ClientDisconnect: the caller hung up.
    """
    request.state.unread = True
    while request.state.unread:
        message = await request.receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        request.state.unread = message.get("more_body", False)
        yield message.get("body", b"")


def is_unread(request: Request) -> bool:
    """Whether the caller still sends.

    A caller that waits to be asked (``Expect: 100-continue``) does not.
    """
    return getattr(request.state, "unread", False) and "expect" not in request.headers


async def drain(receive: Receive) -> None:
    """Read what is left, and throw it away; not for long."""
    left, more = LINGER_BYTES, True
    try:
        async with asyncio.timeout(LINGER_S):
            while more and left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                more = message["type"] == "http.request" and message.get("more_body", False)
    except TimeoutError:
        pass
