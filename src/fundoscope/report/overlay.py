"""One picture a photograph: the field of view outlined, the grade and its certainty in clear text.

A header with the grade stands above the photograph and a footer with what to know below it, so that
nothing of the retina is covered but by the thin outline and the boxes of lesions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw

from fundoscope.geometry import Affine
from fundoscope.kinds import KINDS, Colour
from fundoscope.report.panels import GROUND, OTHER_LESION, footer, header

if TYPE_CHECKING:
    from fundoscope.photo.decode import Photo
    from fundoscope.reading import FieldOfView, Lesion, Reading

MIN_WIDTH, MAX_WIDTH = 720, 1200
"""Of the picture, in pixels: room for the header, and no more than a page or a screen shows."""
MAX_PHOTOGRAPH_HEIGHT: Final = 1200

OUTLINE: Final[Colour] = (86, 180, 233)
"""Okabe and Ito's sky blue: unlike anything in an eye, for every kind of colour vision."""
OUTLINE_PIXELS: Final = 2
SMOOTHING: Final = 2
"""The outline is drawn this many times larger and reduced, Pillow's own lines being jagged."""
OUTLINE_POINTS: Final = 360
LESION_PIXELS: Final = 2


def draw(photo: Photo, reading: Reading) -> Image.Image:
    """Draw a reading on its photograph.

    Args:
        photo: the decoded photograph; its pixels may be smaller than the photograph.
        reading: what was read from it.

    Returns:
        An RGB picture, 720 to 1200 pixels wide.
    """
    picture, to_picture = _fitted(photo)
    if reading.field.found:
        _outline(picture, reading.field, to_picture)
    _lesions(picture, reading.lesions, to_picture)
    width = max(picture.width, MIN_WIDTH)
    top, bottom = header(reading, width), footer(reading, width)
    page = Image.new("RGB", (width, top.height + picture.height + bottom.height), GROUND)
    page.paste(top, (0, 0))
    page.paste(picture, ((width - picture.width) // 2, top.height))
    page.paste(bottom, (0, top.height + picture.height))
    return page


def _fitted(photo: Photo) -> tuple[Image.Image, Affine]:
    """The photograph in the size of the picture, and the map from its own pixels to there."""
    height, width = photo.pixels.shape[:2]
    wanted = min(max(width, MIN_WIDTH), MAX_WIDTH)
    scale = min(wanted / width, MAX_PHOTOGRAPH_HEIGHT / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = Image.fromarray(photo.pixels)
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return picture, photo.to_pixels.then(Affine.scale(size[0] / width, size[1] / height))


def _outline(picture: Image.Image, field: FieldOfView, to_picture: Affine) -> None:
    """Outline the disc of retina: an ellipse where the photograph was stretched."""
    angles = np.linspace(0.0, 2.0 * np.pi, OUTLINE_POINTS, endpoint=False)
    circle = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    rim = field.to_unit().inverse().then(to_picture).then(Affine.scale(SMOOTHING)).points(circle)
    points = [(float(x), float(y)) for x, y in np.concatenate((rim, rim[:2]))]
    mask = Image.new("L", (picture.width * SMOOTHING, picture.height * SMOOTHING))
    ImageDraw.Draw(mask).line(points, fill=255, width=OUTLINE_PIXELS * SMOOTHING, joint="curve")
    picture.paste(OUTLINE, mask=mask.reduce(SMOOTHING))


def _lesions(picture: Image.Image, lesions: tuple[Lesion, ...], to_picture: Affine) -> None:
    pen = ImageDraw.Draw(picture)
    for lesion in lesions:
        kind = KINDS.get(lesion.kind)
        x0, y0, x1, y1 = to_picture.box(lesion.box)
        margin = LESION_PIXELS  # The line lies around the lesion, not on it.
        pen.rectangle(
            (x0 - margin, y0 - margin, x1 + margin, y1 + margin),
            outline=kind.colour if kind is not None else OTHER_LESION,
            width=LESION_PIXELS,
        )
