"""Coordinates in parts of the photograph, as YOLO writes them, to pixels and back without loss.

A number with six decimals stands for all numbers that would have been written so: on 4,288 pixels
for 0.004 of them. Of these the one with the fewest decimals, in pixels, is taken: a box that was
drawn on whole pixels comes back whole. And a number is written with as many decimals as it takes
until it comes back as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Final

from fundoscope.data.annotations import exact

HALF: Final = Decimal("0.5")
FEWEST_DECIMALS: Final = 6
"""What YOLO's tools write (``%.6f``, ``%g``): fewer in a text are taken for zeros cut off."""
FLOAT_DECIMALS: Final = 15
"""What a double holds of a number below 1; behind them stands the error of computing it."""
LONGEST_FLOAT: Final = 19
"""Decimals of a double printed whole; a longer text is ours, and exact."""
MOST_DECIMALS: Final = 60
"""Tried when writing. Only coordinates that differ from a whole pixel by less than any optics can
tell would need more."""


def span(centre: Decimal, size: Decimal, pixels: int) -> tuple[float, float]:
    """Both ends, in pixels, of what has this centre and size, in parts of ``pixels``."""
    with localcontext(exact.DIGITS):
        middle, half = centre * pixels, size * pixels / 2
        slack = (_uncertainty(centre) + _uncertainty(size) / 2) * pixels
        low, high = middle - half, middle + half
        return (
            exact.simplest(low - slack, low + slack),
            exact.simplest(high - slack, high + slack),
        )


def point(part: Decimal, pixels: int) -> float:
    """A coordinate in pixels, given in parts of ``pixels``."""
    with localcontext(exact.DIGITS):
        place, slack = part * pixels, _uncertainty(part) * pixels
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
        part = exact.decimal(value) / pixels
        for decimals in _tried():
            written = _rounded(part, decimals)
            if point(written, pixels) == value:
                break
    return f"{written:f}"


def _tried() -> Iterator[int]:
    yield from range(FEWEST_DECIMALS, FLOAT_DECIMALS + 1)
    yield from range(LONGEST_FLOAT + 1, MOST_DECIMALS + 1)


def _uncertainty(number: Decimal) -> Decimal:
    """Half a unit of the last decimal that a text tells."""
    decimals = max(FEWEST_DECIMALS, -int(number.as_tuple().exponent))
    if FLOAT_DECIMALS < decimals <= LONGEST_FLOAT:
        decimals = FLOAT_DECIMALS
    return HALF.scaleb(-decimals)


def _rounded(part: Decimal, decimals: int) -> Decimal:
    return part.quantize(exact.ONE.scaleb(-decimals))
