"""How well a photograph can be compressed: noise sets a bound."""

from __future__ import annotations

from typing import Final

from fundoscope import limits
from fundoscope.photo.structure.source import Source, refuse

RGB_BYTES: Final = 3
"""Of a pixel, whatever the file stores: it becomes RGB."""


def check_density(source: Source, pixels: int, stored: int, *, is_photograph: bool) -> None:
    """Refuse a large picture that is compressed as no photograph can be.

    Args:
        source: the file.
        pixels: their number.
        stored: bytes of them in the file.
        is_photograph: else it is a mask, which may compress as well as it likes.

    Raises:
        PhotoError: ``too_complex``.
    """
    unpacked = RGB_BYTES * pixels
    dense = unpacked > limits.MAX_DENSITY * max(stored, 1)
    if is_photograph and unpacked > limits.DENSITY_FREE_BYTES and dense:
        refuse(
            source,
            f"holds {unpacked // 2**20} MiB of pixels in {max(stored // 2**10, 1)} KiB, too few for"
            " a photograph",
            remedy="give the original photograph",
        )
