"""Pillow's pixels as an array, some rows at a time.

``np.array(image.convert("RGB"))`` holds the picture four times for a moment, of which Pillow takes
four bytes a pixel: 80 megapixels took 1.1 GB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

ROWS: Final = 256
"""Rows at a time: a few megabytes, which stay in the processor's cache."""


def rgb(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a loaded picture, ``uint8 (H, W, 3)``, RGB, 0 to 255."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, ROWS):
        strip = image.crop((0, top, width, min(top + ROWS, height)))
        pixels[top : top + ROWS] = np.asarray(strip.convert("RGB"))
    return pixels
