"""The document of CVAT: its names, and its shapes as box, outlines and mask.

The run lengths of a mask alternate, the blank first, row by row inside its frame (``left``,
``top``, ``width``, ``height``).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from fundoscope import limits
from fundoscope.data.annotations import exact
from fundoscope.data.annotations.allowance import MaskAllowance, require_corners
from fundoscope.data.annotations.annotation import Mask
from fundoscope.data.annotations.pictures import is_possible_size
from fundoscope.data.annotations.shapes import (
    CORNERS_OF_POLYGON,
    Shape,
    ellipse,
    extent,
    in_order,
    turned_rectangle,
)
from fundoscope.quoting import quoted

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

FILE: Final = "annotations.xml"
ROOT: Final = "annotations"
SHAPES: Final = ("box", "polygon", "mask", "ellipse")
SCORE, DIFFICULT, AUTHOR = "score", "difficult", "author"
OWN: Final = frozenset({SCORE, DIFFICULT, AUTHOR})
"""Our fields, as attributes of a label."""
FIELDS: Final = {"occluded": "0", "z_order": "0", "source": "manual"}
"""Fields of every shape beside its place, with CVAT's defaults."""


def shape(element: Element, allowance: MaskAllowance | None = None) -> Shape:
    """Box, outlines and mask of a shape.

    Args:
        element: of the document.
        allowance: from which masks are taken.

    Raises:
        ValueError: an attribute is missing or not a finite number, a polygon has fewer than three
            corners or too many, the run lengths of a mask do not fill its frame, or the allowance
            is used up.
    """
    match element.tag:
        case "box":
            return _box(element)
        case "polygon":
            return _polygon(element.get("points", ""))
        case "ellipse":
            outline, box = ellipse(
                _at(element, "cx"),
                _at(element, "cy"),
                abs(_at(element, "rx")),
                abs(_at(element, "ry")),
                _rotation(element),
            )
            return box, (outline,), None
        case _:
            mask = _mask(element, allowance)
            return mask.box, (), mask


def number(text: str, name: str) -> float:
    """A finite number.

    Args:
        text: the number.
        name: of the attribute, for errors.

    Raises:
        ValueError: it is not a finite number.
    """
    try:
        return float(exact.parse(text))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def runs(mask: Mask) -> list[int]:
    """Run lengths of the pixels of a mask, the blank first, row by row."""
    flat = mask.pixels.ravel()
    changes = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0))
    lengths: list[int] = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return lengths


def _box(element: Element) -> Shape:
    x0, y0, x1, y1 = in_order(*(_at(element, name) for name in ("xtl", "ytl", "xbr", "ybr")))
    degrees = _rotation(element)
    if degrees % 360.0 == 0.0:
        return (x0, y0, x1, y1), (), None
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    outline = turned_rectangle(x0, y0, x1 - x0, y1 - y0, degrees, middle)
    return extent([outline]), (outline,), None


def _polygon(points: str) -> Shape:
    require_corners(points.count(";") + 1)
    corners = []
    for pair in points.split(";"):
        x, comma, y = pair.partition(",")
        if not comma:
            raise ValueError(f"{quoted(pair)} is not a corner x,y")
        corners.append((number(x, "x"), number(y, "y")))
    if len(corners) < CORNERS_OF_POLYGON:
        raise ValueError(f"has {len(corners)} corners, fewer than {CORNERS_OF_POLYGON}")
    outline = tuple(corners)
    return extent([outline]), (outline,), None


def _mask(element: Element, allowance: MaskAllowance | None) -> Mask:
    left, top, width, height = (
        _whole(element, name) for name in ("left", "top", "width", "height")
    )
    if not is_possible_size(width, height):
        raise ValueError(f"its frame has {width} x {height} pixels")
    lengths = [_count(text) for text in element.get("rle", "").split(",")]
    if sum(lengths) != width * height:
        raise ValueError(
            f"its run lengths cover {sum(lengths)} pixels, its frame of {width} x {height} has"
            f" {width * height}"
        )
    if allowance is not None:
        allowance.require(sum(lengths[1::2]))
    flat = np.zeros(width * height, dtype=bool)
    ends = np.cumsum(lengths).tolist()
    for start, end in list(pairwise(ends))[::2]:
        flat[start:end] = True
    if not flat.any():
        raise ValueError("has no pixel")
    mask = Mask.of(flat.reshape(height, width), left, top)
    if allowance is not None:
        allowance.take(mask)
    return mask


def _count(text: str) -> int:
    # isdecimal rejects signs and blanks inside, which int would accept.
    if not text.strip().isdecimal():
        raise ValueError(f"{quoted(text.strip())} is not a run length")
    return min(int(text), limits.MAX_PIXELS + 1)


def _at(element: Element, name: str) -> float:
    text = element.get(name)
    if text is None:
        raise ValueError(f"has no {name}")
    return number(text, name)


def _whole(element: Element, name: str) -> int:
    value = _at(element, name)
    if value % 1 != 0:
        raise ValueError(f"{name} is {value:g}, not a whole pixel")
    return int(value)


def _rotation(element: Element) -> float:
    return number(element.get("rotation", "0"), "rotation")
