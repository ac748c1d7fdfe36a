"""Where things lie in an eye: fovea and side, quadrants, and distances in disc diameters.

The optic disc is the ruler of the retina: one disc diameter is 1,500 micrometres by the ETDRS
convention. It lies nasal of the fovea, so on the right side of a right eye's photograph.

Distances on the retina are measured in units of a pixel's height: on a squeezed photograph the
width of a pixel is converted first.
"""

from __future__ import annotations

import math
from typing import Final

from fundoscope.geometry import Box
from fundoscope.lesions import laterality
from fundoscope.reading import (
    ESTIMATED,
    FOUND,
    NOT_FOUND,
    RIGHT,
    Anatomy,
    FieldOfView,
    Fovea,
    OpticDisc,
)

TEMPORAL_OF_DISC: Final = 2.57
BELOW_DISC: Final = 0.24
"""The usual place of the fovea, in disc diameters from the centre of the disc: medians of 117
photographs of four sources, marked by hand (``bench/fovea.py``)."""
FOVEA_ERROR: Final = 0.8
"""How far the fovea may lie from there, in disc diameters: on 95 % of them it lies nearer."""
DISC_RADIUS: Final = 0.5
"""In disc diameters."""
SUPERIOR, INFERIOR = "superior", "inferior"
TEMPORAL, NASAL = "temporal", "nasal"
Point = tuple[float, float]
Size = tuple[int, int]
"""Width and height of a photograph, in pixels."""


def of_disc(disc: OpticDisc, fov: FieldOfView, given: str | None = None) -> Anatomy:
    """The landmarks that follow from the optic disc: side and the usual place of the fovea.

    Args:
        disc: found or not.
        fov: of the photograph, found.
        given: the eye that was given, ``"right"`` or ``"left"``; it overrules the photograph.
    """
    side = laterality.of(disc, Fovea(NOT_FOUND), fov, given)
    fovea = Fovea(NOT_FOUND) if side.contradiction else estimated_fovea(disc, fov, side.eye)
    return Anatomy(disc, fovea, side)


def estimated_fovea(disc: OpticDisc, fov: FieldOfView, eye: str | None) -> Fovea:
    """The usual place of the fovea beside a disc, if it lies in the field of view.

    Args:
        disc: found or not.
        fov: of the photograph, found.
        eye: ``"right"``, ``"left"``, or ``None`` where it is not known.
    """
    if disc.centre is None or disc.diameter is None or eye is None:
        return Fovea(NOT_FOUND)
    towards = -1.0 if eye == RIGHT else 1.0
    x = disc.centre[0] + towards * TEMPORAL_OF_DISC * disc.diameter / _stretch(fov)
    y = disc.centre[1] + BELOW_DISC * disc.diameter
    if math.hypot(*fov.to_unit().point(x, y)) > 1.0:
        return Fovea(NOT_FOUND)
    return Fovea(ESTIMATED, (x, y), error=FOVEA_ERROR)


def distance(box: Box, point: Point, disc: OpticDisc, fov: FieldOfView) -> float | None:
    """From a point to the nearest edge of a box, in disc diameters; 0 inside of the box.

    Args:
        box: in the photograph's pixels.
        point: likewise.
        disc: the ruler; ``None`` is returned where it has no diameter.
        fov: of the photograph, for its stretch.
    """
    if not disc.diameter:
        return None
    dx = max(box[0] - point[0], 0.0, point[0] - box[2]) * _stretch(fov)
    dy = max(box[1] - point[1], 0.0, point[1] - box[3])
    return math.hypot(dx, dy) / disc.diameter


def between(first: Point, second: Point, disc: OpticDisc, fov: FieldOfView) -> float | None:
    """The distance of two points in disc diameters; ``None`` where the disc has no diameter."""
    return distance((*second, *second), first, disc, fov)


def quadrant(point: Point, anatomy: Anatomy) -> str | None:
    """The quadrant of the retina that a point lies in, e.g. ``"superior_temporal"``.

    A horizontal and a vertical line through the centre of the disc divide the retina where only
    the disc is found, and through the centre of the fovea where that was found, too: charts use
    either. Temporal is the side of the fovea.

    Args:
        point: in the photograph's pixels.
        anatomy: of the photograph.

    Returns:
        ``None`` where the disc or the eye's side is not known.
    """
    centre, eye = division(anatomy), anatomy.laterality.eye
    if centre is None or eye is None:
        return None
    vertical = SUPERIOR if point[1] < centre[1] else INFERIOR
    temporal = point[0] < centre[0] if eye == RIGHT else point[0] > centre[0]
    return f"{vertical}_{TEMPORAL if temporal else NASAL}"


def division(anatomy: Anatomy) -> Point | None:
    """Where the lines that divide the quadrants cross, in the photograph's pixels."""
    if anatomy.fovea.state == FOUND:
        return anatomy.fovea.centre
    return anatomy.disc.centre


def quadrants_seen(anatomy: Anatomy, fov: FieldOfView, size: Size | None = None) -> frozenset[str]:
    """The quadrants that the photograph shows up to one disc diameter along their diagonal.

    Args:
        anatomy: of the photograph.
        fov: of the photograph, found.
        size: of the photograph; ``None``: the whole field of view is on it.
    """
    centre, diameter = division(anatomy), anatomy.disc.diameter
    if centre is None or diameter is None or anatomy.laterality.eye is None:
        return frozenset()
    unit, reach = fov.to_unit(), diameter / math.sqrt(2)
    corners = [
        (centre[0] + dx * reach / _stretch(fov), centre[1] + dy * reach)
        for dx in (-1, 1)
        for dy in (-1, 1)
    ]
    shown = (
        (x, y)
        for x, y in corners
        if math.hypot(*unit.point(x, y)) <= 1.0
        and (size is None or (0 <= x <= size[0] and 0 <= y <= size[1]))
    )
    named = (quadrant(corner, anatomy) for corner in shown)
    return frozenset(name for name in named if name is not None)


def in_macula(point: Point, anatomy: Anatomy, fov: FieldOfView) -> bool | None:
    """Whether a point lies in the macula: the circle on the fovea that reaches the disc.

    Returns:
        ``None`` where the fovea was not found, or is only estimated and the point lies too near to
        the edge of the circle.
    """
    fovea, disc = anatomy.fovea, anatomy.disc
    if fovea.centre is None or disc.centre is None:
        return None
    to_point = between(fovea.centre, point, disc, fov)
    to_disc = between(fovea.centre, disc.centre, disc, fov)
    if to_point is None or to_disc is None:
        return None
    radius = to_disc - DISC_RADIUS
    if abs(to_point - radius) < (fovea.error or 0.0):
        return None
    return to_point <= radius


def _stretch(fov: FieldOfView) -> float:
    return fov.stretch or 1.0
