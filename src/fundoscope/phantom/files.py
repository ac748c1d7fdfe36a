"""A phantom as a picture file, with its truth beside it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from PIL import Image

from fundoscope.errors import UsageError
from fundoscope.phantom.camera import Pixels

JPEG_QUALITY: Final = 88
"""Cameras and their archives use 85 to 95."""
FORMATS: Final = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"}


def is_picture(path: Path) -> bool:
    """Whether the name is of a picture (``.jpg``, ``.png``, ``.tif``) rather than a folder."""
    return path.suffix.lower() in FORMATS


def truth_path(picture: Path) -> Path:
    """The path of the truth of a picture: ``eye.truth.json`` beside ``eye.jpg``."""
    return picture.with_name(f"{picture.stem}.truth.json")


def encoded(pixels: Pixels, suffix: str) -> bytes:
    """The bytes of a picture file.

    Args:
        pixels: ``uint8 (H, W, 3)``, RGB.
        suffix: of the name of the file; JPEG is written at quality 88.

    Raises:
        UsageError: no format has this suffix.
    """
    try:
        form = FORMATS[suffix.lower()]
    except KeyError:
        known = ", ".join(FORMATS)
        raise UsageError(
            f"the suffix {suffix or '(none)'}", "is not of a picture", f"take one of {known}"
        ) from None
    buffer = io.BytesIO()
    options = {"quality": JPEG_QUALITY, "optimize": True} if form == "JPEG" else {}
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()
