"""``/v1/session``: who you are; signing in and out on the page."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from msgspec.json import Decoder
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from fundoscope.reader import SOFTWARE
from fundoscope.serve.answers import (
    GivenToken,
    SessionAnswer,
    answered,
    documented,
    json_body,
    problems,
)
from fundoscope.serve.bodies import decoded
from fundoscope.serve.problems import Problem
from fundoscope.serve.service import COOKIE, Service, TheService, caller
from fundoscope.serve.store import tokens
from fundoscope.serve.store.tokens import Holder

MOST_BYTES: Final = 4096

TOKENS: Final = Decoder(GivenToken)

router = APIRouter(prefix="/v1/session", tags=["session"])


@router.get(
    "",
    response_class=Response,
    summary="Who you are",
    responses={**documented(200, SessionAnswer, "You.", example="session"), **problems()},
)
def session(service: TheService, holder: Annotated[Holder, Depends(caller)]) -> Response:
    """Who you are, what you may do, and how the service runs."""
    return answered(_answer(service, holder))


@router.post(
    "",
    response_class=Response,
    summary="Sign in",
    responses={
        **documented(200, SessionAnswer, "You; with a cookie.", example="session"),
        **problems(413, 415),
    },
    openapi_extra=json_body(GivenToken),
)
async def sign_in(request: Request, service: TheService) -> Response:
    """Keep a token in a cookie that scripts cannot read and other sites cannot send."""
    given = await decoded(request, TOKENS, most=MOST_BYTES)
    return await run_in_threadpool(_signed_in, service, given.token)


@router.delete(
    "",
    status_code=204,
    response_class=Response,
    summary="Sign out",
    responses={**documented(204, None, "The cookie is gone."), **problems()},
)
def sign_out(service: TheService) -> Response:
    """Forget the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_secure(service))
    return response


def _signed_in(service: Service, token: str) -> Response:
    holder = tokens.holder(service.store, token)
    if holder is None:
        raise Problem(401, "token", "the token is not valid", "check it, or ask for another")
    response = answered(_answer(service, holder))
    response.set_cookie(
        COOKIE, token, httponly=True, samesite="strict", secure=_secure(service), path="/"
    )
    return response


def _secure(service: Service) -> bool:
    return service.settings.certificate is not None


def _answer(service: Service, holder: Holder) -> SessionAnswer:
    return SessionAnswer(
        person=holder.person,
        roles=tuple(role for role in tokens.ROLES if role in holder.roles),
        token_needed=tokens.needed(service.store),
        blind=service.settings.blind,
        upload_bytes=service.settings.upload_bytes,
        places=service.settings.queue,
        software=SOFTWARE,
    )
