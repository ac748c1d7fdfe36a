"""Receiving a photograph as ``multipart/form-data``, straight into its file.

The body is never held in memory, and its size is checked while it arrives.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from fundoscope import limits
from fundoscope.quoting import bare, printable, quoted
from fundoscope.reading import EYES
from fundoscope.serve.problems import AGAIN, Problem
from fundoscope.serve.store.photographs import Incoming
from fundoscope.serve.store.records import Given, patient_of
from fundoscope.serve.store.tables import PATIENT_CHARACTERS
from fundoscope.serve.streams import chunks

PHOTOGRAPH, EYE, PATIENT, KEEP_NAME = "photograph", "eye", "patient", "keep_name"
FIELDS: Final = (PHOTOGRAPH, EYE, PATIENT, KEEP_NAME)
FORM_BYTES: Final = 64 * 2**10
"""What a form may hold besides the photograph."""
FIELD_BYTES: Final = 1024
"""The longest text field: a patient of 128 characters, and room to say that it is too long."""
YES_NO: Final = {"true": True, "false": False}
MULTIPART: Final = "multipart/form-data"
OPEN_API: Final = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "required": [PHOTOGRAPH],
                    "additionalProperties": False,
                    "properties": {
                        PHOTOGRAPH: {
                            "type": "string",
                            "format": "binary",
                            "description": "A JPEG, PNG or TIFF file.",
                        },
                        EYE: {"type": "string", "enum": list(EYES)},
                        PATIENT: {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": PATIENT_CHARACTERS,
                            "description": "An identifier. It is stored, and never logged.",
                        },
                        KEEP_NAME: {
                            "type": "string",
                            "enum": list(YES_NO),
                            "default": "false",
                            "description": "Whether the file's name is stored.",
                        },
                    },
                }
            }
        },
    }
}
"""What OpenAPI says of the form."""


async def receive(request: Request, upload: Incoming, *, most: int, seconds: float) -> Given:
    """Receive a form with a photograph.

    Args:
        request: whose body is the form.
        upload: takes the photograph.
        most: bytes of the largest photograph.
        seconds: how long it may take.

    Returns:
        What the caller says of the photograph.

    Raises:
        Problem: the form is not valid, too large, or takes too long.
        ClientDisconnect: the caller hung up.
        OSError: the disk cannot be written.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most + FORM_BYTES:
        request.state.unread = True
        raise _too_large(most)
    form = _Form(upload, most)
    parser = _parser(request, form)
    try:
        async with asyncio.timeout(seconds):
            received = 0
            async for chunk in chunks(request):
                received += len(chunk)
                if received > most + FORM_BYTES:
                    raise _too_large(most)
                await run_in_threadpool(parser.write, chunk)
    except TimeoutError:
        raise Problem(
            408, "slow_upload", f"the upload took more than {seconds:.0f} seconds", AGAIN
        ) from None
    except FormParserError:
        raise _invalid("the form is not valid multipart/form-data") from None
    return form.given()


@dataclass(slots=True)
class _Form:
    """A form while it is parsed; the methods ``on_…`` are called by the parser."""

    upload: Incoming
    most: int
    texts: dict[str, bytearray] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    filename: str | None = None
    ended: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""

    def on_part_begin(self) -> None:
        self._disposition = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name not in FIELDS:
            raise _invalid(f"the form has a field {quoted(name)}")
        if name in self.seen:
            raise _invalid(f"the form has the field {name} twice")
        self.seen.append(name)
        if name == PHOTOGRAPH:
            filename = options.get(b"filename")
            self.filename = None if filename is None else filename.decode("utf-8", "replace")
        else:
            self.texts[name] = bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self.seen[-1] == PHOTOGRAPH:
            if self.upload.size + end - start > self.most:
                raise _too_large(self.most)
            self.upload.write(data[start:end])
            return
        text = self.texts[self.seen[-1]]
        text += data[start:end]
        if len(text) > FIELD_BYTES:
            raise _invalid(f"the field {self.seen[-1]} is too long")

    def on_end(self) -> None:
        self.ended = True

    def given(self) -> Given:
        """What the form says, once it is complete."""
        if not self.ended:
            raise Problem(400, "incomplete", "the upload is incomplete: nothing was stored", AGAIN)
        if PHOTOGRAPH not in self.seen:
            raise _invalid("the form has no field photograph")
        if self.upload.size == 0:
            raise Problem(422, "empty", "the photograph is empty (0 bytes)", "choose another file")
        eye, patient = self._text(EYE), self._text(PATIENT)
        keep = YES_NO.get(self._text(KEEP_NAME) or "false")
        if eye is not None and eye not in EYES:
            raise _invalid(f"the field eye is not {' or '.join(EYES)}")
        if keep is None:
            raise _invalid("the field keep_name is not true or false")
        patient = checked_patient(patient)
        return Given(eye, patient, self._name() if keep else None)

    def _text(self, name: str) -> str | None:
        if name not in self.texts:
            return None
        try:
            return self.texts[name].decode()
        except UnicodeDecodeError:
            raise _invalid(f"the field {name} is not UTF-8") from None

    def _name(self) -> str | None:
        """The file's bare name, for people to read; it is never used as a path."""
        if not self.filename:
            return None
        return printable(bare(self.filename))[: limits.MAX_NAME_CHARACTERS]


def checked_patient(patient: str | None) -> str | None:
    """An identifier of a patient as it is stored; ``None`` is none.

    Raises:
        Problem: 422; it is not a printable line.
    """
    if patient is None:
        return None
    patient = patient_of(patient)
    if not 0 < len(patient) <= PATIENT_CHARACTERS:
        raise _invalid(f"the field patient is not a line of 1 to {PATIENT_CHARACTERS} characters")
    hidden = next((each for each in patient if not each.isprintable()), None)
    if hidden is not None:
        why = f"the field patient has the character U+{ord(hidden):04X}, which is not printed"
        raise Problem(422, "invalid", why, "take it out: it may have come along in copying")
    return patient


def _parser(request: Request, form: _Form) -> MultipartParser:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != MULTIPART.encode() or not boundary:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "not_a_form",
            "the request is not multipart/form-data",
            "send the photograph as the field photograph of a form",
        )
    return MultipartParser(
        boundary,
        {
            "on_part_begin": form.on_part_begin,
            "on_header_field": form.on_header_field,
            "on_header_value": form.on_header_value,
            "on_header_end": form.on_header_end,
            "on_headers_finished": form.on_headers_finished,
            "on_part_data": form.on_part_data,
            "on_end": form.on_end,
        },
    )


def _too_large(most: int) -> Problem:
    return Problem(
        413,
        "too_large",
        f"the photograph has more than {most / 2**20:.0f} MiB",
        "store it as JPEG, or smaller",
    )


def _invalid(why: str) -> Problem:
    return Problem(422, "invalid", why, "see /openapi.json for what is accepted")
