"""Coordinates as fractions of the photograph, as YOLO writes them, to pixels and back without loss.

A number with six decimals stands for all numbers that round to it: on a side of 4,288 pixels they
cover 0.004 pixels. The one with the fewest decimals in pixels is taken, so that a box drawn on
whole pixels is read as such. A number is written with as many decimals as it takes to be read back
unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Final

from fundoscope.data.annotations import exact

HALF: Final = Decimal("0.5")
FEWEST_DECIMALS: Final = 6
"""What YOLO's tools write (``%.6f``, ``%g``): where a text has fewer, zeros were cut off."""
FLOAT_DECIMALS: Final = 15
"""What a double holds of a number below 1; further ones are rounding errors."""
LONGEST_FLOAT: Final = 19
"""Decimals of a double that is printed in full; a longer text was written here and is exact."""
MOST_DECIMALS: Final = 60
"""Tried when writing. Only coordinates extremely close to a whole pixel would need more."""


def span(centre: Decimal, size: Decimal, pixels: int) -> tuple[float, float]:
    """Both ends, in pixels, of an interval with this centre and size as fractions of ``pixels``."""
    with localcontext(exact.DIGITS):
        middle, half = centre * pixels, size * pixels / 2
        slack = (_uncertainty(centre) + _uncertainty(size) / 2) * pixels
        low, high = middle - half, middle + half
        return (
            exact.simplest(low - slack, low + slack),
            exact.simplest(high - slack, high + slack),
        )


def point(fraction: Decimal, pixels: int) -> float:
    """A coordinate in pixels, given as a fraction of ``pixels``."""
    with localcontext(exact.DIGITS):
        place, slack = fraction * pixels, _uncertainty(fraction) * pixels
        return exact.simplest(place - slack, place + slack)


def span_text(low: float, high: float, pixels: int) -> tuple[str, str]:
    """Centre and size, as text, that :func:`span` reads as ``low`` and ``high``."""
    first, last = exact.decimal(low), exact.decimal(high)
    with localcontext(exact.DIGITS):
        centre, size = (first + last) / (2 * pixels), (last - first) / pixels
        for decimals in _tried():
            written = _rounded(centre, decimals), _rounded(size, decimals)
            if span(*written, pixels) == (low, high):
                break
    return (f"{written[0]:f}", f"{written[1]:f}")


def point_text(value: float, pixels: int) -> str:
    """The text that :func:`point` reads as ``value``."""
    with localcontext(exact.DIGITS):
        fraction = exact.decimal(value) / pixels
        for decimals in _tried():
            written = _rounded(fraction, decimals)
            if point(written, pixels) == value:
                break
    return f"{written:f}"


def _tried() -> Iterator[int]:
    yield from range(FEWEST_DECIMALS, FLOAT_DECIMALS + 1)
    yield from range(LONGEST_FLOAT + 1, MOST_DECIMALS + 1)


def _uncertainty(number: Decimal) -> Decimal:
    """Half a unit of the last decimal of a text."""
    decimals = max(FEWEST_DECIMALS, -int(number.as_tuple().exponent))
    if FLOAT_DECIMALS < decimals <= LONGEST_FLOAT:
        decimals = FLOAT_DECIMALS
    return HALF.scaleb(-decimals)


def _rounded(fraction: Decimal, decimals: int) -> Decimal:
    return fraction.quantize(exact.ONE.scaleb(-decimals))
