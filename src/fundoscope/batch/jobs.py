"""One photograph as a job, and its answer: what a reader needs and returns, free of any table.

Both also travel between processes. A worker has read bytes from anywhere, so its answers are never
unpickled, but decoded as MessagePack (:mod:`fundoscope.batch.workers`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from fundoscope.batch.sources import remote
from fundoscope.batch.sources.remote import Url
from fundoscope.errors import FundoscopeError, PhotoError
from fundoscope.photo.refusals import OUT_OF_MEMORY, TOO_LARGE
from fundoscope.quoting import encodable
from fundoscope.reading import ModelUsed, Reading

if TYPE_CHECKING:
    from fundoscope.photo.decode import Photo

INTERNAL_ERROR: Final = "internal_error"
CHANGING: Final = "changing"
"""Codes of refusals."""
REPORT: Final = "please report it"
PNG_COMPRESSION: Final = 3
"""zlib level: on pictures of eyes, level 6 took twice as long for files 3 % smaller."""
ATTEMPTS: Final = 3
"""To read a file that changes meanwhile."""
_Result = TypeVar("_Result")


class PhotoReader(Protocol):
    """What a batch needs of a reader; :class:`fundoscope.reader.Reader` is one."""

    @property
    def models(self) -> tuple[ModelUsed, ...]:
        """The bundles that it uses."""

    @property
    def lesion_thresholds(self) -> Mapping[str, float]:
        """For each kind that is looked for, the lowest score of a lesion."""

    def examine(
        self, source: str | Path | bytes, *, eye: str | None = None
    ) -> tuple[Photo, Reading]:
        """Read the photograph of an eye, and return its decoded pixels too.

        Raises:
            PhotoError: the file cannot be read as a photograph.
        """


@dataclass(frozen=True, slots=True)
class Job:
    """What one reading needs.

    Attributes:
        source: the path of a file, its bytes, or its URL in a store.
        name: the file's bare name, where ``source`` is not a path and the name is known.
        eye: ``"right"`` or ``"left"`` if that is known.
        picture: whether to draw the picture of the reading, too.
        labels: whether the picture has kind and score at each lesion.
        quadrants: whether it has the quadrants and the ETDRS grid.
    """

    source: str | bytes | Url
    name: str | None = None
    eye: str | None = None
    picture: bool = False
    labels: bool = False
    quadrants: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a photograph could not be read; the parts of a :class:`fundoscope.errors.PhotoError`.

    Attributes:
        what: the file's name.
        why: what is wrong with it.
        remedy: what to do about it.
        code: a short, stable word for tables and programs.
    """

    what: str
    why: str
    remedy: str
    code: str

    def error(self) -> PhotoError:
        """As an error."""
        return PhotoError(self.what, self.why, self.remedy, code=self.code)


@dataclass(frozen=True, slots=True)
class Answer:
    """A photograph that was read.

    Attributes:
        reading: of the photograph.
        picture: the bytes of a PNG picture of the reading, if the job wanted one.
    """

    reading: Reading
    picture: bytes | None = None


def title(job: Job) -> str:
    """How messages name the photograph of a job."""
    if isinstance(job.source, str):
        return encodable(Path(job.source).name)
    return encodable(job.name or "photograph")


def answer(job: Job, reader: PhotoReader) -> Answer | Refusal:
    """Do a job; an error that concerns its photograph alone becomes its refusal.

    Raises:
        FundoscopeError: reading failed for a reason that concerns all photographs.
    """
    try:
        photo, reading = _examined(job, reader)
        picture = _picture(photo, reading, job) if job.picture else None
        return Answer(reading, picture)
    except PhotoError as error:
        return Refusal(error.what, error.why, error.remedy, error.code)
    except FundoscopeError:
        raise  # It concerns the other photographs too.
    except MemoryError:
        return Refusal(title(job), *TOO_LARGE, OUT_OF_MEMORY)
    except Exception as error:  # noqa: BLE001
        # An internal error on one photograph must not end a run over 100,000.
        why = f"caused an internal error ({type(error).__name__}: {error})"
        return Refusal(title(job), why, REPORT, INTERNAL_ERROR)


def _examined(job: Job, reader: PhotoReader) -> tuple[Photo, Reading]:
    if not isinstance(job.source, str):
        data = job.source if isinstance(job.source, bytes) else remote.read(job.source)
        photo, reading = reader.examine(data, eye=job.eye)
        return photo, replace(reading, photo=replace(reading.photo, name=job.name))
    return unchanged(Path(job.source), partial(reader.examine, eye=job.eye))


def unchanged(path: Path, read: Callable[[Path], _Result]) -> _Result:
    """Read a file; read it again if it changes meanwhile.

    Args:
        path: of the file.
        read: called with the path.

    Raises:
        PhotoError: ``read`` raised it, or the file keeps changing.
    """
    for _ in range(ATTEMPTS):
        before = _state(path)
        try:
            result = read(path)
        except PhotoError:
            if _state(path) == before:
                raise
        else:
            if _state(path) == before:
                return result
    why, remedy = "changes while it is read", "read it again when it is complete"
    raise PhotoError(encodable(path.name), why, remedy, code=CHANGING)


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written or replaced; ``None`` where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _picture(photo: Photo, reading: Reading, job: Job) -> bytes:
    from fundoscope.report.overlay import draw

    buffer = io.BytesIO()
    picture = draw(photo, reading, labels=job.labels, quadrants=job.quadrants)
    picture.save(buffer, "PNG", compress_level=PNG_COMPRESSION)
    return buffer.getvalue()
