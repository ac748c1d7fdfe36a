"""The pixels of a JPEG file, at a reduced scale where that is enough.

Files that lost pixels are rejected. Files with a fault that costs no pixel are read, with a note:
every viewer shows them whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.photo import scales
from fundoscope.photo.strips import rgb
from fundoscope.photo.structure.jpeg import without_junk

if TYPE_CHECKING:
    from PIL import Image

END: Final = b"\xff\xd9"
"""The last two bytes of a JPEG file."""
CUT: Final = "remature end"
"""A part of libjpeg's words for a file that ends too early."""
JUNK: Final = "extraneous bytes before marker"
"""A part of libjpeg's words for bytes that belong to no part of a file. In the header they cost no
pixel. Behind coded pixels they mean that a code is damaged: a file with one byte changed may show
another grade, and none of 6,599 genuine photographs has them."""
HARMLESS: Final = "Invalid SOS parameters"
"""A part of libjpeg's words for a fault that costs no pixel."""
INCOMPLETE: Final = "the file's end is missing, but no pixel is; copy it again if you can"
FAULTY: Final = "the file has a fault that costs no pixel ({}); every viewer shows it whole"


def pixels(
    data: bytes, image: Image.Image, eighths: int, notes: list[str], *, padded: bool = False
) -> tuple[NDArray[np.uint8], int]:
    """Decode a JPEG file.

    Args:
        data: the file's content.
        image: the same, opened by Pillow.
        eighths: the scale to decode at, 1 to 8.
        notes: sentences about faults are added to them.
        padded: whether pixels may have a fourth byte, which means nothing; see
            :func:`fundoscope.photo.scales.takes_padded`.

    Returns:
        ``uint8 (H, W, 3)`` RGB, or with ``padded`` perhaps ``(H, W, 4)``, and the scale in eighths
        at which it was decoded.

    Raises:
        ValueError: pixels are missing or damaged.
    """
    colours = scales.PADDED if padded else "RGB"
    try:
        return _decoded(data, image.size, eighths, colours), eighths
    except ValueError as error:
        fault = " ".join(str(error).split())
    if not data.endswith(END) and CUT in fault:
        # With the end put back, libjpeg complains only if pixels are missing.
        whole = _decoded(data + END, image.size, eighths, colours)
        notes.append(INCOMPLETE)
        return whole, eighths
    if JUNK in fault:
        # Without the junk in its header, libjpeg complains only if pixels are damaged.
        whole = _decoded(without_junk(data), image.size, eighths, colours)
        notes.append(FAULTY.format(fault))
        return whole, eighths
    if HARMLESS not in fault:
        raise ValueError(fault)
    # simplejpeg stops at any fault. Pillow passes over this one.
    decoded = rgb(image)
    notes.append(FAULTY.format(fault))
    return decoded, scales.BLOCK


def _decoded(data: bytes, size: tuple[int, int], eighths: int, colours: str) -> NDArray[np.uint8]:
    import simplejpeg

    width, height = size
    whole = eighths == scales.BLOCK
    decoded: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        data,
        colorspace=colours,
        min_height=0 if whole else scales.side(height, eighths),
        min_width=0 if whole else scales.side(width, eighths),
        strict=True,
    )
    return decoded
