"""A reading drawn on its photograph: the outlined field of view, lesions, grade and certainty.

The grade stands in a header above the photograph, further notes in a footer below it. Only thin
lines around the field of view and the lesions cover the retina.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw

from fundoscope.geometry import Affine
from fundoscope.kinds import Colour
from fundoscope.report import grid, heat, lesion_boxes
from fundoscope.report.panels import GROUND, font_of, footer, header

if TYPE_CHECKING:
    from fundoscope.photo.decode import Photo
    from fundoscope.reading import FieldOfView, Reading

MIN_WIDTH, MAX_WIDTH = 720, 1200
"""Width of a picture without lesions, in pixels: room for the header, and not wider than a page."""
MIN_WIDTH_OF_LESIONS, MAX_WIDTH_OF_LESIONS = 1440, 2400
"""Width of a picture with lesions, in pixels: a microaneurysm of 17 pixels at 4,288 still has 8 or
more, as for the detector, and the line beside it is thin."""

OUTLINE: Final[Colour] = (86, 180, 233)
"""Okabe and Ito's sky blue, which no eye shows, for every kind of colour vision."""
OUTLINE_PIXELS: Final = 2
SMOOTHING: Final = 2
"""The outline is drawn this many times larger and then reduced: Pillow's lines are jagged."""
OUTLINE_POINTS: Final = 360


def draw(
    photo: Photo, reading: Reading, *, labels: bool = False, quadrants: bool = False
) -> Image.Image:
    """Draw a reading on its photograph.

    Args:
        photo: the decoded photograph; it may have been reduced.
        reading: of that photograph.
        labels: whether kind and score are written beside each lesion.
        quadrants: whether the quadrants and the ETDRS grid are drawn, where they are known.

    Returns:
        An RGB picture: 720 to 1200 pixels wide, or 1440 to 2400 where lesions were looked for.
    """
    narrowest, widest = _widths(reading)
    picture, to_picture = _fitted(photo, narrowest, widest)
    if reading.heat is not None and reading.field.found:
        heat.lay(picture, reading.heat, reading.field, to_picture)
    if reading.field.found:
        _outline(picture, reading.field, to_picture)
    font = font_of(lesion_boxes.type_of(picture.width))
    if quadrants and reading.field.found:
        size = reading.photo.width, reading.photo.height
        grid.draw(picture, reading.anatomy, reading.field, to_picture, font, size)
    lesion_boxes.draw(
        picture, reading.lesions, reading.anatomy.disc, to_picture, font=font, labels=labels
    )
    width = max(picture.width, narrowest)
    scale = max(1.0, width / MAX_WIDTH)
    top = header(reading, width, scale)
    bottom = footer(reading, width, scale, labels=labels, quadrants=quadrants)
    page = Image.new("RGB", (width, top.height + picture.height + bottom.height), GROUND)
    page.paste(top, (0, 0))
    page.paste(picture, ((width - picture.width) // 2, top.height))
    page.paste(bottom, (0, top.height + picture.height))
    return page


def _widths(reading: Reading) -> tuple[int, int]:
    """The least and the greatest width of a reading's picture, in pixels."""
    if reading.lesions or any(lesions.assessed for lesions in reading.lesion_summary):
        return MIN_WIDTH_OF_LESIONS, MAX_WIDTH_OF_LESIONS
    return MIN_WIDTH, MAX_WIDTH


def _fitted(photo: Photo, narrowest: int, widest: int) -> tuple[Image.Image, Affine]:
    """Resize the photograph to the picture; also give the map from its pixels to the picture's."""
    height, width = photo.pixels.shape[:2]
    target = min(max(width, narrowest), widest)
    scale = min(target / width, widest / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = Image.fromarray(photo.pixels)
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return picture, photo.to_pixels.then(Affine.scale(size[0] / width, size[1] / height))


def _outline(picture: Image.Image, field: FieldOfView, to_picture: Affine) -> None:
    """Outline the field of view: an ellipse where the photograph was stretched."""
    angles = np.linspace(0.0, 2.0 * np.pi, OUTLINE_POINTS, endpoint=False)
    circle = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    rim = field.to_unit().inverse().then(to_picture).then(Affine.scale(SMOOTHING)).points(circle)
    points = [(float(x), float(y)) for x, y in np.concatenate((rim, rim[:2]))]
    mask = Image.new("L", (picture.width * SMOOTHING, picture.height * SMOOTHING))
    ImageDraw.Draw(mask).line(points, fill=255, width=OUTLINE_PIXELS * SMOOTHING, joint="curve")
    picture.paste(OUTLINE, mask=mask.reduce(SMOOTHING))
