"""Turned rectangles and ellipses as outlines, and what a format with one shape an object loses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from fundoscope.data.annotations import exact
from fundoscope.data.annotations.annotation import Annotation, AnnotationSet, Loss, Mask, Outline
from fundoscope.geometry import Box

SAGITTA: Final = 0.1
"""How far, in pixels, an ellipse's outline may lie inside of it between two corners."""
FEWEST_CORNERS, MOST_CORNERS = 12, 720
CORNERS_OF_POLYGON: Final = 3
ROTATION: Final = "rotation"
OTHER_BOXES: Final = "boxes other than around their outline or mask"

Shape = tuple[Box, tuple[Outline, ...], Mask | None]
"""Where an object lies: its box, outlines and mask."""


def turned_rectangle(
    x: float, y: float, width: float, height: float, degrees: float, pivot: tuple[float, float]
) -> Outline:
    """The corners of a rectangle, turned clockwise (y points down) about a pivot.

    Args:
        x: left of the upper left corner before the turn, in pixels.
        y: top of the same corner.
        width: in pixels.
        height: in pixels.
        degrees: the turn, clockwise.
        pivot: x and y of the fixed point.
    """
    cosine, sine = _turn(degrees)
    corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    return tuple(
        (
            pivot[0] + (a - pivot[0]) * cosine - (b - pivot[1]) * sine,
            pivot[1] + (a - pivot[0]) * sine + (b - pivot[1]) * cosine,
        )
        for a, b in corners
    )


def ellipse(x: float, y: float, rx: float, ry: float, degrees: float = 0.0) -> tuple[Outline, Box]:
    """The outline of an ellipse, with more corners the larger it is, and its exact box.

    Args:
        x: of its centre, in pixels.
        y: of its centre.
        rx: horizontal semi-axis before the turn.
        ry: vertical semi-axis before the turn.
        degrees: the turn, clockwise (y points down).
    """
    cosine, sine = _turn(degrees)
    largest = max(rx, ry, SAGITTA)
    count = math.ceil(math.pi / math.acos(1.0 - SAGITTA / largest))
    count = min(max(count, FEWEST_CORNERS), MOST_CORNERS)
    outline = []
    for corner in range(count):
        a = rx * math.cos(math.tau * corner / count)
        b = ry * math.sin(math.tau * corner / count)
        outline.append((x + a * cosine - b * sine, y + a * sine + b * cosine))
    half_width = math.hypot(rx * cosine, ry * sine)
    half_height = math.hypot(rx * sine, ry * cosine)
    return tuple(outline), (x - half_width, y - half_height, x + half_width, y + half_height)


def turned_by_attribute(box: Box, attributes: Mapping[str, str]) -> tuple[Box, tuple[Outline, ...]]:
    """A box that an attribute turns about its centre, as CVAT exports turned boxes to VOC and COCO.

    Args:
        box: before the turn.
        attributes: of the object; ``rotation`` is the turn in degrees, clockwise.

    Returns:
        The box around the turned one, and its outline; without a turn, the box as it is.
    """
    try:
        degrees = float(exact.parse(attributes.get(ROTATION, "0")))
    except ValueError:
        return box, ()
    if degrees % 360.0 == 0.0:
        return box, ()
    x0, y0, x1, y1 = box
    outline = turned_rectangle(x0, y0, x1 - x0, y1 - y0, degrees, ((x0 + x1) / 2, (y0 + y1) / 2))
    return extent([outline]), (outline,)


def extent(outlines: Iterable[Outline]) -> Box:
    """The smallest box around polygons."""
    corners = [corner for outline in outlines for corner in outline]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return (min(xs), min(ys), max(xs), max(ys))


def in_order(x0: float, y0: float, x1: float, y1: float) -> Box:
    """The box between two opposite corners, in any order."""
    return (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def other_boxes(annotations: AnnotationSet) -> tuple[Loss, ...]:
    """What a format with one shape an object loses: boxes that are not around their shape."""
    count = sum(_has_other_box(item) for photo in annotations.photos for item in photo.annotations)
    return (Loss(OTHER_BOXES, count),) if count else ()


def loses_outlines(item: Annotation) -> bool:
    """Whether a format of one polygon or mask an object loses the outlines of this one."""
    return len(item.outlines) > 1 or (bool(item.outlines) and item.mask is not None)


def _has_other_box(item: Annotation) -> bool:
    if item.mask is not None:
        return item.box != item.mask.box
    return bool(item.outlines) and item.box != extent(item.outlines)


def _turn(degrees: float) -> tuple[float, float]:
    """Cosine and sine; exact for quarter turns."""
    quarters, rest = divmod(degrees % 360.0, 90.0)
    if rest == 0.0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarters) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
