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

OTHERS: Final = frozenset({".bmp", ".gif", ".webp", ".jp2", ".jpe", ".jfif", ".dcm", ".heic"})
"""Suffixes of pictures that are not written."""


def is_picture(path: Path) -> bool:
    """Whether the name is of a picture (``.jpg``, ``.png``, ``.tif``) rather than a folder.

    Raises:
        UsageError: it is of a picture in a format that is not written.
    """
    if path.suffix.lower() in OTHERS and not path.is_dir():
        raise _unwritten(path.suffix)
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
        raise _unwritten(suffix) from None
    buffer = io.BytesIO()
    options = {"quality": JPEG_QUALITY, "optimize": True} if form == "JPEG" else {}
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def _unwritten(suffix: str) -> UsageError:
    known = ", ".join(FORMATS)
    return UsageError(
        f"the suffix {suffix or '(none)'}",
        "is not of a picture that is written",
        f"take one of {known}",
    )
