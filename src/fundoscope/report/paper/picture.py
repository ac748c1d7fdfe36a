"""The photograph of a report: the field of view on white, with its lesions framed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw

from fundoscope.geometry import Affine, Box
from fundoscope.report import lesion_boxes
from fundoscope.report.panels import font_of

if TYPE_CHECKING:
    from fundoscope.photo.decode import Photo
    from fundoscope.reading import FieldOfView, Reading

WIDTH: Final = 1300
"""In pixels: 350 to an inch where two photographs stand beside each other on A4."""
TALLEST: Final = 1.25
"""Height over width of the tallest picture; a taller one is narrower than :data:`WIDTH`."""
QUALITY: Final = 90
"""Of the JPEG."""
MARGIN: Final = 0.02
"""Kept around the field of view, as a share of its radius."""
WHITE: Final = (255, 255, 255)
SMOOTHING: Final = 2
"""The rim is drawn this many times larger and then reduced: Pillow's ellipses are jagged."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a report.

    Attributes:
        jpeg: the bytes of the file.
        width: in pixels.
        height: likewise.
    """

    jpeg: bytes
    width: int
    height: int


def draw(photo: Photo, reading: Reading) -> Picture:
    """Draw the field of view with frames around the lesions; white outside, to be printed.

    Args:
        photo: the decoded photograph; it may have been reduced.
        reading: of that photograph.
    """
    bounds = _bounds(photo, reading.field)
    wide, tall = bounds[2] - bounds[0], bounds[3] - bounds[1]
    scale = min(WIDTH / wide, WIDTH * TALLEST / tall)
    size = (max(1, round(wide * scale)), max(1, round(tall * scale)))
    picture = Image.fromarray(photo.pixels).resize(
        size, Image.Resampling.BICUBIC, box=bounds, reducing_gap=2.0
    )
    to_picture = photo.to_pixels.then(Affine.shift(-bounds[0], -bounds[1])).then(
        Affine.scale(size[0] / wide, size[1] / tall)
    )
    if reading.field.found:
        picture = _on_white(picture, reading.field, to_picture)
    font = font_of(lesion_boxes.type_of(size[0]))
    disc = reading.anatomy.disc
    lesion_boxes.draw(picture, reading.lesions, disc, to_picture, font=font, labels=False)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY)
    return Picture(stream.getvalue(), *size)


def sample(kind: str, side: int) -> bytes:
    """The frame of a kind of lesion for a legend, as a PNG file.

    Args:
        kind: a key of :data:`fundoscope.kinds.KINDS`, or another.
        side: in pixels.
    """
    stream = io.BytesIO()
    lesion_boxes.sample(kind, side).save(stream, "PNG")
    return stream.getvalue()


def _bounds(photo: Photo, field: FieldOfView) -> Box:
    """The part of the decoded pixels that is shown: the field of view, or all."""
    height, width = photo.pixels.shape[:2]
    if not field.found:
        return (0.0, 0.0, float(width), float(height))
    side = 1.0 + MARGIN
    x0, y0, x1, y1 = _to(field, photo.to_pixels).box((-side, -side, side, side))
    return (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))


def _to(field: FieldOfView, to_picture: Affine) -> Affine:
    """The map from the unit disc of the field to a picture."""
    return field.to_unit().inverse().then(to_picture)


def _on_white(picture: Image.Image, field: FieldOfView, to_picture: Affine) -> Image.Image:
    """The picture with white outside of the field."""
    ellipse = _to(field, to_picture).then(Affine.scale(SMOOTHING)).box((-1.0, -1.0, 1.0, 1.0))
    mask = Image.new("L", (picture.width * SMOOTHING, picture.height * SMOOTHING))
    ImageDraw.Draw(mask).ellipse(ellipse, fill=255)
    return Image.composite(picture, Image.new("RGB", picture.size, WHITE), mask.reduce(SMOOTHING))
