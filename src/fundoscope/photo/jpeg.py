"""The pixels of a JPEG file, and what libjpeg's complaints mean."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.photo import scales

END: Final = b"\xff\xd9"
"""The last two bytes of a JPEG file."""
HARMLESS: Final = ("extraneous bytes before marker", "Invalid SOS parameters")
"""Faults of JPEG files, in libjpeg's words, that cost no pixel; every viewer shows such files
whole."""


def is_cut(fault: str) -> bool:
    """Whether libjpeg's words say that the file ends too early."""
    return "remature end" in fault


def pixels(data: bytes, size: tuple[int, int], eighths: int) -> NDArray[np.uint8]:
    """Decode the pixels of a JPEG file strictly.

    Args:
        data: of the file.
        size: width and height, in pixels.
        eighths: the scale to decode at; 8 is the whole size.

    Returns:
        ``uint8 (H, W, 3)``, RGB.

    Raises:
        ValueError: the file has a fault; the text is libjpeg's.
    """
    import simplejpeg

    width, height = size
    whole = eighths == scales.BLOCK
    decoded: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        data,
        colorspace="RGB",
        min_height=0 if whole else scales.side(height, eighths),
        min_width=0 if whole else scales.side(width, eighths),
        strict=True,
    )
    return decoded
