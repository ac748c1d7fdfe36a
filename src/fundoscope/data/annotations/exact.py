"""Coordinates as text without loss: a number that is written and read again is the same.

Formats shift and scale coordinates: VOC counts from 1, COCO has widths, YOLO fractions of the
picture. In binary floating point 0.1 + 1 − 1 is not 0.1 any more; in decimals it is.
"""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation, localcontext
from typing import Final

from fundoscope.quoting import quoted, shown

DIGITS: Final = Context(prec=400)
"""Enough for the sum of any two floats below 10¹⁶: the smallest float ends 340 digits after the
point."""
ONE: Final = Decimal(1)
MOST_DECIMALS: Final = 340
LARGEST: Final = Decimal(10**9)
"""No pixel lies beyond it; computing with a number such as 1e999999999 would take all memory."""


def decimal(value: float) -> Decimal:
    """The shortest decimal that rounds to a float, rather than the exact value of the float."""
    return Decimal(int(value)) if value % 1 == 0 else Decimal(repr(float(value)))


def add(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum."""
    return DIGITS.add(left, right)


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """The exact difference."""
    return DIGITS.subtract(left, right)


def plain(value: Decimal) -> str:
    """A number as text without exponent and trailing zeros: ``12``, ``0.5``."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def parse(text: str) -> Decimal:
    """The number that a text stands for.

    Raises:
        ValueError: it is not a number, or cannot be a coordinate; see :func:`checked`.
    """
    try:
        return checked(Decimal(text.strip()))
    except InvalidOperation:
        raise ValueError(f"{quoted(text)} is not a number") from None


def checked(value: Decimal) -> Decimal:
    """The number itself, if it can be a coordinate.

    Raises:
        ValueError: it is infinite or NaN, too large, or has too many decimals.
    """
    if not value.is_finite():
        raise ValueError(f"{shown(value)} is not a finite number")
    decimals = -int(value.as_tuple().exponent)
    if not -LARGEST <= value <= LARGEST or decimals > MOST_DECIMALS:
        raise ValueError(f"{shown(value)} is too large, or has too many decimals, for a coordinate")
    return value


def simplest(low: Decimal, high: Decimal) -> float:
    """The number with the fewest decimals from ``low`` to ``high``, near their middle.

    Where a format gives a coordinate as a rounded fraction of the picture, every number of an
    interval is written alike; the shortest of them is most likely the original.
    """
    with localcontext(DIGITS):
        middle = (low + high) / 2
        for decimals in range(MOST_DECIMALS):
            rounded = middle.quantize(ONE.scaleb(-decimals))
            if low <= rounded <= high:
                return float(rounded)
        return float(middle)
