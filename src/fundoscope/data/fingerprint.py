"""The fingerprint of a photograph for comparison with thousands: hash, shape, a small crop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fundoscope.errors import PhotoError
from fundoscope.photo import border, field, retina
from fundoscope.photo.decode import Photo, decode_file
from fundoscope.photo.refusals import OUT_OF_MEMORY, TOO_LARGE
from fundoscope.reading import FieldOfView

SIDE: Final = 64
"""Side of the crop in pixels: large vessels are one to two pixels wide, and 100,000 crops take
400 MB."""
GREEN: Final = 1
"""The channel that is kept: vessels and lesions have most contrast in it."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A summary of a photograph.

    Attributes:
        sha256: of the file's bytes.
        width: in pixels, after EXIF orientation.
        height: in pixels, after EXIF orientation.
        field: the disc of retina; ``found`` with a ``reason`` where a disc shows no retina.
        border: colour around the disc, RGB, 0 to 255.
        crop: ``SIDE`` x ``SIDE`` bytes, row by row: the green channel of the field's square, black
            outside the disc; empty where no disc was found.
    """

    sha256: str
    width: int
    height: int
    field: FieldOfView
    border: tuple[float, float, float]
    crop: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file has no fingerprint: a stable word, and two halves of a sentence."""

    code: str
    reason: str
    remedy: str


def fingerprint(path: Path) -> Fingerprint | Refusal:
    """The fingerprint of a photograph, decoded at a small scale, or why there is none."""
    try:
        photo = decode_file(path, min_side=field.decode_side(retina.SIDE))
        return _of_photo(photo)
    except PhotoError as error:
        return Refusal(error.code, error.why, error.remedy)
    except MemoryError:
        return Refusal(OUT_OF_MEMORY, *TOO_LARGE)


def _of_photo(photo: Photo) -> Fingerprint:
    disc = field.locate(photo)
    facts = photo.facts
    r, g, b = border.colour(photo.pixels).tolist()
    crop = field.crop(photo, disc, SIDE)[..., GREEN].tobytes() if disc.found else b""
    return Fingerprint(
        facts.sha256, facts.width, facts.height, _with_reason(photo, disc), (r, g, b), crop
    )


def _with_reason(photo: Photo, disc: FieldOfView) -> FieldOfView:
    """The disc, with the reason where it shows no retina; see :func:`photo.field.find`."""
    if not disc.found:
        return disc
    square = field.crop(photo, disc, retina.SIDE)
    reason = None
    if retina.colourless(square):
        reason = "no_colour"
    elif not retina.plausible(square):
        reason = "not_a_retina"
    return FieldOfView(True, disc.centre, disc.radius, disc.stretch, reason)
