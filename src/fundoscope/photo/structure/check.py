"""Which check a file gets: by its first bytes, as the decoders choose theirs."""

from __future__ import annotations

from typing import Final

from fundoscope.photo.structure import bitmap, jpeg, png, tiff
from fundoscope.photo.structure.source import Source

LONGEST: Final = max(len(start) for start in (jpeg.START, png.START, bitmap.START, *tiff.STARTS))


def check(source: Source, *, is_photograph: bool = True) -> None:
    """Refuse a picture that asks for more work or memory than a photograph does.

    Args:
        source: the file.
        is_photograph: else it is a mask, which compresses much better.

    Raises:
        PhotoError: ``too_complex``, ``too_large``, ``truncated``, ``unsupported`` or ``animated``.
    """
    start = source.piece(0, LONGEST)
    if start.startswith(jpeg.START):
        jpeg.check(source)
    elif start.startswith(png.START):
        png.check(source, is_photograph=is_photograph)
    elif start.startswith(tiff.STARTS):
        tiff.check(source, is_photograph=is_photograph)
    elif start.startswith(bitmap.START):
        bitmap.check(source)
