"""Coordinates as text without loss: a number written and read again is the same number.

Formats move and scale coordinates: VOC counts from 1, COCO gives widths, YOLO parts of the picture.
Done in binary floating point, 0.1 + 1 − 1 is no longer 0.1; done in decimals, it is.
"""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation, localcontext
from typing import Final

DIGITS: Final = Context(prec=400)
"""Enough for the sum of any two floats below 10¹⁶: the smallest float ends 340 digits after the
point."""
ONE: Final = Decimal(1)
MOST_DECIMALS: Final = 340
LARGEST: Final = Decimal(10**9)
"""Beyond it no pixel lies; a number like 1e999999999 would take all memory when it is computed."""


def decimal(value: float) -> Decimal:
    """The shortest decimal that stands for a float, which is not how floats are stored."""
    return Decimal(int(value)) if value % 1 == 0 else Decimal(repr(float(value)))


def add(one: Decimal, other: Decimal) -> Decimal:
    """The exact sum."""
    return DIGITS.add(one, other)


def subtract(one: Decimal, other: Decimal) -> Decimal:
    """The exact difference."""
    return DIGITS.subtract(one, other)


def plain(value: Decimal) -> str:
    """A number as text without exponent and without zeros at its end: ``12``, ``0.5``."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def parse(text: str) -> Decimal:
    """The number that a text is.

    Raises:
        ValueError: it is no number, or none that can be a coordinate; see :func:`checked`.
    """
    try:
        return checked(Decimal(text.strip()))
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None


def checked(value: Decimal) -> Decimal:
    """The number itself.

    Raises:
        ValueError: it is infinite or NaN, or has a size or more decimals than any coordinate has.
    """
    if not value.is_finite():
        raise ValueError(f"{value} is not a finite number")
    decimals = -int(value.as_tuple().exponent)
    if not -LARGEST <= value <= LARGEST or decimals > MOST_DECIMALS:
        raise ValueError(f"{value} is too large, or has too many decimals, for a coordinate")
    return value


def simplest(low: Decimal, high: Decimal) -> float:
    """The number of fewest decimals from ``low`` to ``high``, near their middle.

    Where a format gives a coordinate in parts of the picture, with so many decimals, every number
    of an interval would have been written so; the shortest is the one that was meant.
    """
    with localcontext(DIGITS):
        middle = (low + high) / 2
        for decimals in range(MOST_DECIMALS):
            rounded = middle.quantize(ONE.scaleb(-decimals))
            if low <= rounded <= high:
                return float(rounded)
        return float(middle)
