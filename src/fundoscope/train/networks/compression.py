"""Pictures as they come back from a file with lossy compression."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import simplejpeg
from PIL import Image

from fundoscope.photo.decode import Pixels

FASTEST: Final = 0
"""WebP's effort. A higher one takes three times as long and makes the file smaller, not better."""


def jpeg(picture: Pixels, quality: int) -> Pixels:
    """A picture, ``uint8 (H, W, 3)`` RGB, after it was stored as JPEG of a quality of 1 to 100."""
    pixels: Pixels = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(picture, quality=quality))
    return pixels


def webp(picture: Pixels, quality: int) -> Pixels:
    """A picture, ``uint8 (H, W, 3)`` RGB, after it was stored as WebP of a quality of 1 to 100."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=quality, method=FASTEST)
    return np.array(Image.open(file))
