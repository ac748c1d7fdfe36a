"""Reading a JSON body: bounded, and checked against its type."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from fastapi import Request
from msgspec.json import Decoder

from fundoscope.quoting import shown
from fundoscope.serve.answers import JSON
from fundoscope.serve.problems import Problem
from fundoscope.serve.streams import chunks

Body = TypeVar("Body")
SEE: str = "see /openapi.json for what is accepted"


async def decoded(request: Request, decoder: Decoder[Body], *, most: int) -> Body:
    """The body of a request.

    Args:
        request: with a JSON body.
        decoder: of its type; made once, because msgspec crashes if two threads build it.
        most: bytes of the largest one.

    Raises:
        Problem: 415, 413 or 422; it is not JSON, too large, or not valid.
        ClientDisconnect: the caller hung up.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise Problem(415, "not_json", f"the body is not {JSON}", SEE)
    content = bytearray()
    async for chunk in chunks(request):
        content += chunk
        if len(content) > most:
            raise Problem(413, "too_large", f"the body has more than {most} bytes", "send less")
    try:
        return decoder.decode(content)
    except msgspec.DecodeError as error:  # its message names a field, never its value
        raise Problem(422, "invalid", shown(error, 200), SEE) from None
    except UnicodeDecodeError:
        raise Problem(422, "invalid", "the body is not UTF-8", SEE) from None
