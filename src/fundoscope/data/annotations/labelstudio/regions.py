"""Label Studio's regions, in percent of the photograph, to objects in pixels and back without loss.

A percentage that Label Studio computed is a double and stands for all numbers that round to it. The
pixel coordinate with the fewest decimals among them is taken, so that a box drawn on whole pixels
is read as such. Up to 40 digits are written, so that every coordinate is read back unchanged.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal, localcontext
from typing import Any, Final

from fundoscope.data.annotations import exact
from fundoscope.data.annotations.allowance import MaskAllowance, require_corners
from fundoscope.data.annotations.annotation import Annotation
from fundoscope.data.annotations.labelstudio import brush
from fundoscope.data.annotations.labelstudio.document import Value
from fundoscope.data.annotations.pictures import PictureSize, is_possible_size
from fundoscope.data.annotations.raster import pixels_of
from fundoscope.data.annotations.shapes import (
    CORNERS_OF_POLYGON,
    Shape,
    ellipse,
    extent,
    in_order,
    turned_rectangle,
)

HUNDRED: Final = Decimal(100)
HALF: Final = Decimal("0.5")
WRITTEN: Final = Context(prec=40)


def size_of(width: float | None, height: float | None) -> PictureSize | None:
    """The size of a photograph as Label Studio states it; ``None`` where it does not.

    Raises:
        ValueError: a photograph cannot have this size.
    """
    if not width or not height:
        return None
    if not is_possible_size(width, height) or width % 1 or height % 1:
        raise ValueError(f"{width:g} x {height:g} is not a possible size in pixels")
    return int(width), int(height)


def shape(value: Value, size: PictureSize, allowance: MaskAllowance | None = None) -> Shape | None:
    """Box, outlines and mask of a region; ``None`` where the region is empty.

    Turned rectangles and ellipses become outlines.

    Args:
        value: the region.
        size: of the photograph.
        allowance: from which masks are taken.

    Raises:
        ValueError: a number is not a coordinate, or a run-length code is invalid.
    """
    if value.rle is not None:
        return _brushed(value.rle, size, allowance)
    if value.points is not None:
        return _polygon(value.points, size)
    if value.x is None or value.y is None:
        return None
    x, y = pixel(size[0], value.x), pixel(size[1], value.y)
    degrees = value.rotation or 0.0
    if value.radius_x is not None and value.radius_y is not None:
        rx, ry = pixel(size[0], value.radius_x), pixel(size[1], value.radius_y)
        outline, box = ellipse(x, y, abs(rx), abs(ry), degrees)
        return box, (outline,), None
    if value.width is None or value.height is None:
        return None
    if degrees % 360.0 == 0.0:
        right = pixel(size[0], value.x, value.width)
        return in_order(x, y, right, pixel(size[1], value.y, value.height)), (), None
    width, height = pixel(size[0], value.width), pixel(size[1], value.height)
    outline = turned_rectangle(x, y, width, height, degrees, (x, y))
    return extent([outline]), (outline,), None


def pixel(side: int, *percents: Decimal) -> float:
    """The coordinate, in pixels, of a sum of percentages of ``side``.

    Raises:
        ValueError: one is not a finite number, or out of bounds.
    """
    with localcontext(exact.DIGITS):
        total = sum(map(exact.checked, percents), Decimal(0)) * side / HUNDRED
        slack = sum(map(_uncertainty, percents), Decimal(0)) * side / HUNDRED
        return exact.simplest(total - slack, total + slack)


def percent(value: float, side: int) -> Decimal:
    """A coordinate in pixels as percentage of ``side``, which :func:`pixel` inverts."""
    short = _share(value, side)
    return short if pixel(side, short) == value else _padded(short)


def value_of(item: Annotation, size: PictureSize) -> tuple[str, dict[str, Any]]:
    """The kind of labels (``rectanglelabels`` …) and the value of an object's region.

    Its mask becomes a brush region, and so do several outlines; one outline becomes a polygon, and
    an object without either a rectangle.
    """
    needs_mask = item.mask is not None or len(item.outlines) > 1
    mask = pixels_of(item, *size) if needs_mask else None
    if mask is not None:
        return "brushlabels", {"format": "rle", "rle": brush.encode(mask, *size)}
    if len(item.outlines) == 1:
        points = [[percent(x, size[0]), percent(y, size[1])] for x, y in item.outlines[0]]
        return "polygonlabels", {"points": points, "closed": True}
    (x, width), (y, height) = (
        _start_and_length(item.box[axis], item.box[axis + 2], size[axis]) for axis in (0, 1)
    )
    rectangle = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
    return "rectanglelabels", rectangle


def _start_and_length(low: float, high: float, side: int) -> tuple[Decimal, Decimal]:
    start = percent(low, side)
    with localcontext(exact.DIGITS):
        length = WRITTEN.create_decimal(_share(high, side) - start).normalize()
    if pixel(side, start, length) == high:
        return start, length
    return _padded(start), _padded(length)


def _share(value: float, side: int) -> Decimal:
    with localcontext(exact.DIGITS):
        return WRITTEN.create_decimal(exact.decimal(value) * HUNDRED / side).normalize()


def _padded(percentage: Decimal) -> Decimal:
    """A percentage with trailing zeros, so that it is not taken for a double."""
    with localcontext(exact.DIGITS):
        return percentage.quantize(exact.ONE.scaleb(percentage.adjusted() + 1 - WRITTEN.prec))


def _uncertainty(percentage: Decimal) -> Decimal:
    """Half a unit in the last place of the double, or of the text where that is more precise."""
    of_text = HALF.scaleb(int(percentage.as_tuple().exponent))
    return min(of_text, Decimal(math.ulp(float(percentage))) / 2)


def _brushed(code: list[int], size: PictureSize, allowance: MaskAllowance | None) -> Shape | None:
    try:
        data = bytes(code)
    except ValueError:
        raise ValueError("its run-length code has numbers that are not bytes") from None
    mask = brush.decode(data, *size, allowance)
    return None if mask is None else (mask.box, (), mask)


def _polygon(points: list[tuple[Decimal, Decimal]], size: PictureSize) -> Shape | None:
    require_corners(len(points))
    outline = tuple((pixel(size[0], x), pixel(size[1], y)) for x, y in points)
    if not outline:
        return None
    return extent([outline]), (outline,) if len(outline) >= CORNERS_OF_POLYGON else (), None
