"""Pictures of a stored photograph, made in a process of their own with bounded memory and time."""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from fundoscope.batch.worker_process import (
    WorkerLimits,
    bound_address_space,
    end_with_parent,
    leave_signals_to_parent,
)
from fundoscope.errors import PhotoError
from fundoscope.serve.problems import LATER, RETRY_S, Problem, retry
from fundoscope.serve.store.records import PASSING, Refused

SMALLEST_SIDE, LARGEST_SIDE = 64, 4096
QUALITY: Final = 90
"""Of JPEG, for a first sight of the photograph."""
PNG_COMPRESSION: Final = 1
"""zlib's level: the picture travels within a building, and the reader waits for it."""


class Pictures:
    """Draws pictures one after another on another process, which is replaced if it dies."""

    def __init__(self, limits: WorkerLimits) -> None:
        """Start nothing yet.

        Args:
            limits: of one picture.
        """
        self._limits = limits
        self._pool: ProcessPoolExecutor | None = None
        self._turn = asyncio.Semaphore(1)

    def __enter__(self) -> Self:
        """The pictures."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.close()

    def warm(self) -> None:
        """Start the process, so that the first picture need not wait for it."""
        self._submit(_ready)

    async def make(self, draw: Callable[..., bytes], *arguments: Any) -> bytes:
        """Draw a picture.

        Args:
            draw: a function of a module, which the process imports.
            arguments: of it.

        Raises:
            Problem: it could not be drawn.
        """
        async with self._turn:  # its time begins when it is drawn, not while others are
            return await self._make(draw, *arguments)

    async def _make(self, draw: Callable[..., bytes], *arguments: Any) -> bytes:
        pool, future = None, None
        try:
            future = self._submit(_drawn, draw, *arguments)
            pool = self._pool
            async with asyncio.timeout(self._limits.deadline_s):
                result = await asyncio.wrap_future(future)
        except (BrokenProcessPool, MemoryError, TimeoutError, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (
                not (future and future.cancelled()) or (task and task.cancelling())
            ):
                raise  # the request was cancelled, not the picture
            if pool is None or pool is self._pool:  # else another one has replaced it already
                self.close()
            raise _later("no_picture", "the picture could not be drawn") from None
        if isinstance(result, Refused):
            what = f"the photograph {result.reason}"
            if result.code in PASSING:
                raise _later(result.code, what)
            raise Problem(500, result.code, what, result.remedy)
        return result

    def close(self) -> None:
        """End the process, also in the middle of a picture."""
        pool, self._pool = self._pool, None
        if pool is not None:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()

    def _submit(self, draw: Callable[..., Any], *arguments: Any) -> Future[bytes | Refused]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                max_workers=1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._limits.memory_bytes,),
            )
        return self._pool.submit(draw, *arguments)


def reduced(path: Path, side: int) -> bytes:
    """A photograph as an upright JPEG, whose shorter side has about this many pixels.

    Raises:
        PhotoError: it cannot be read.
    """
    from PIL import Image

    from fundoscope.photo.decode import decode_file

    photo = decode_file(path, min_side=side)
    picture = Image.fromarray(photo.pixels)
    scale = side / min(picture.size)
    if scale < 1.0:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def converted(path: Path) -> bytes:
    """A photograph as an upright PNG of full size.

    Raises:
        PhotoError: it cannot be read.
    """
    from PIL import Image

    from fundoscope.photo.decode import decode_file

    return _png(Image.fromarray(decode_file(path).pixels))


def overlay(path: Path, reading: str, *, labels: bool, heat: bool) -> bytes:
    """A reading drawn on its photograph, as PNG.

    Args:
        path: of the photograph.
        reading: of it, as JSON.
        labels: whether kind and score are written beside each lesion.
        heat: whether it is shown where the grader looked.

    Raises:
        PhotoError: it cannot be read.
    """
    from fundoscope.photo.decode import decode_file
    from fundoscope.reading import Reading
    from fundoscope.report.overlay import MIN_WIDTH_OF_LESIONS, draw

    photo = decode_file(path, min_side=MIN_WIDTH_OF_LESIONS)
    read = Reading.from_json(reading)
    return _png(draw(photo, read if heat else replace(read, heat=None), labels=labels))


@dataclass(frozen=True, slots=True)
class Page:
    """A photograph in a report.

    Attributes:
        path: of the photograph.
        reading: of it, as JSON.
        eye: ``"right"`` or ``"left"`` where the caller said so.
        received: the day on which it was received, in ISO 8601.
    """

    path: Path
    reading: str
    eye: str | None
    received: str


def report(pages: Sequence[Page], patient: str, day: str, spoken: str) -> bytes:
    """The report of a patient on paper, as PDF.

    Args:
        pages: the patient's photographs.
        patient: as the caller named the patient; ``""`` prints no identity.
        day: that is printed.
        spoken: the code of a language, see :func:`fundoscope.report.languages.codes`.

    Raises:
        PhotoError: a photograph cannot be read.
    """
    from fundoscope.photo.decode import decode_file
    from fundoscope.reading import Reading
    from fundoscope.report.paper import content, pdf
    from fundoscope.report.paper.picture import WIDTH

    examined = [
        content.Examined(
            Reading.from_json(page.reading),
            decode_file(page.path, min_side=WIDTH),
            eye=page.eye,
            received=page.received,
        )
        for page in pages
    ]
    identity = content.Identity(patient=patient)
    return pdf.render(content.report(examined, identity=identity, date=day, spoken=spoken))


def _later(code: str, what: str) -> Problem:
    return Problem(503, code, what, LATER, headers=retry(RETRY_S))


def _png(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=PNG_COMPRESSION)
    return buffer.getvalue()


def _drawn(draw: Callable[..., bytes], *arguments: Any) -> bytes | Refused:
    """Draw a picture in the process; a refusal comes back as a value."""
    try:
        return draw(*arguments)
    except PhotoError as error:
        return Refused(error.code, error.why, error.remedy)


def _ready() -> bytes:
    """Import what drawing needs."""
    import fundoscope.photo.decode
    import fundoscope.report.overlay  # noqa: F401

    return b""


def _begin(memory_bytes: int) -> None:
    """In the new process: bound its memory, and end it with the service, however that ends."""
    leave_signals_to_parent()
    threading.Thread(target=end_with_parent, daemon=True).start()
    bound_address_space(memory_bytes)
