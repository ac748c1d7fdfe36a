"""The quadrants of the retina and the ETDRS grid, drawn on a photograph."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw

from fundoscope.geometry import Affine
from fundoscope.grading.rules import places
from fundoscope.kinds import FOVEA, OPTIC_DISC, Colour
from fundoscope.lesions import anatomy as geometry
from fundoscope.lesions import etdrs
from fundoscope.lesions.anatomy import Size
from fundoscope.reading import ESTIMATED

if TYPE_CHECKING:
    from PIL import ImageFont

    from fundoscope.reading import Anatomy, FieldOfView

    Font = ImageFont.FreeTypeFont

GRID: Final[Colour] = (235, 235, 235)
DASH: Final = 0.02
"""Length of a dash and of the gap after it, as a share of the field's radius."""
CIRCLE_POINTS: Final = 180
NAME_AT: Final = 0.4
"""Where a quadrant's name stands: this share of the radius from the crossing, each way."""
RIM: Final = 0.9
"""Names stand no further from the field's centre than this share of its radius."""
NAMES: Final = {
    "superior_temporal": "ST", "superior_nasal": "SN",
    "inferior_temporal": "IT", "inferior_nasal": "IN",
}  # fmt: skip

Point = tuple[float, float]


def draw(
    picture: Image.Image,
    anatomy: Anatomy,
    field: FieldOfView,
    to_picture: Affine,
    font: Font,
    size: Size,
) -> None:
    """Draw the quadrants and the grid on a picture, in place; nothing where they are not known.

    Circles are dashed where fovea or disc is only estimated (:func:`doubt`).

    Args:
        picture: RGB.
        anatomy: of the photograph.
        field: its field of view, found.
        to_picture: from the photograph's pixels to the picture's.
        font: of the quadrants' names.
        size: width and height of the photograph, in pixels.
    """
    pen = ImageDraw.Draw(picture)
    for start, end in _lines(anatomy, field):
        pen.line([to_picture.point(*start), to_picture.point(*end)], fill=GRID)
    to_retina = etdrs.retinal_map(anatomy, field)
    if to_retina is not None:
        outwards = to_retina.inverse().then(to_picture)
        for radius in etdrs.RADII.values():
            points = [outwards.point(*point) for point in _circle(radius)]
            for line in zip(*[iter(points)] * 2, strict=True) if doubt(anatomy) else (points,):
                pen.line(line, fill=GRID)
    for name, place in _names(anatomy, field, size):
        pen.text(to_picture.point(*place), name, GRID, font, anchor="mm")


def doubt(anatomy: Anatomy) -> str:
    """A sentence about landmarks of the grid that are only estimated; ``""`` if all were found."""
    landmarks = (OPTIC_DISC.name, anatomy.disc), (FOVEA.name, anatomy.fovea)
    names = [f"the {name}" for name, landmark in landmarks if landmark.state == ESTIMATED]
    if not names:
        return ""
    places, are = ("place", "is") if len(names) == 1 else ("places", "are")
    return f"Quadrants and grid: the {places} of {' and '.join(names)} {are} only estimated."


def _lines(anatomy: Anatomy, field: FieldOfView) -> Iterator[tuple[Point, Point]]:
    """The dashes of the lines that divide the quadrants, in the photograph's pixels."""
    centre = geometry.division(anatomy)
    if centre is None:
        return
    to_unit = field.to_unit()
    back = to_unit.inverse()
    x, y = to_unit.point(*centre)
    for at, along in ((y, lambda t: (t, y)), (x, lambda t: (x, t))):
        reach = float(np.sqrt(max(0.0, 1.0 - at**2)))
        for start in np.arange(-reach, reach, 2 * DASH):
            end = min(float(start) + DASH, reach)
            yield back.point(*along(float(start))), back.point(*along(end))


def _names(anatomy: Anatomy, field: FieldOfView, size: Size) -> Iterator[tuple[str, Point]]:
    """The name of each quadrant that the photograph shows, and its place.

    There is none if the photograph shows another eye than the given one: nobody knows then which
    side is temporal.
    """
    anatomy = places.uncontradicted(anatomy)
    centre = geometry.division(anatomy)
    if centre is None:
        return
    to_unit = field.to_unit()
    back = to_unit.inverse()
    seen = geometry.quadrants_seen(anatomy, field, size)
    x, y = to_unit.point(*centre)
    for across in (-NAME_AT, NAME_AT):
        for down in (-NAME_AT, NAME_AT):
            share = _within(x, y, across, down)
            if share <= 0.0:  # The crossing lies at the rim, and this quadrant beyond it.
                continue
            place = back.point(x + share * across, y + share * down)
            quadrant = geometry.quadrant(place, anatomy)
            if quadrant in seen and quadrant is not None:
                yield NAMES[quadrant], place


def _within(x: float, y: float, across: float, down: float) -> float:
    """The largest share of a step from a point, at most 1, that ends within :data:`RIM`."""
    # The positive root of |(x, y) + share * (across, down)| = RIM.
    length, along = across**2 + down**2, x * across + y * down
    short = RIM**2 - x**2 - y**2
    return min(1.0, (math.sqrt(max(along**2 + length * short, 0.0)) - along) / length)


def _circle(radius: float) -> list[Point]:
    angles = np.linspace(0.0, 2.0 * np.pi, CIRCLE_POINTS)
    return [(radius * float(np.cos(angle)), radius * float(np.sin(angle))) for angle in angles]
