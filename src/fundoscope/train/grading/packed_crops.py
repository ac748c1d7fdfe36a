"""Field-of-view crops as small WebP files, which replace their photographs in a pack.

:mod:`fundoscope.train.pack.pack` writes them. The ending of its name marks a crop, so that
:mod:`fundoscope.train.grading.pictures` takes it as it is and does not look for a field of view.
"""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fundoscope.data.manifest import Manifest
from fundoscope.errors import PhotoError
from fundoscope.grading.inputs import CROP, Input
from fundoscope.photo.formats import PHOTOGRAPHS
from fundoscope.train.run import provenance

SUFFIX: Final = ".crop.webp"
METHOD: Final = 4
"""Effort of WebP's encoder, 0 to 6: 6 makes files 3 % smaller in three times the time."""
UNREADABLE: Final = (
    OSError,
    UnidentifiedImageError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
)
"""What Pillow raises at damaged files."""

SPARE: Final = 1.125
"""Largest side of a stored crop, as a multiple of the photograph's: with this reserve, the loss of
resizing twice is invisible."""

Pixels = NDArray[np.uint8]


def encode(pixels: Pixels, quality: int) -> bytes:
    """A crop, uint8 ``(side, side, 3)`` RGB, as a WebP file of a quality of 1 to 100."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "WEBP", quality=quality, method=METHOD)
    return content.getvalue()


def no_larger(pixels: Pixels, photograph: Path) -> Pixels:
    """A crop, made smaller where it is much larger than its photograph.

    APTOS's photographs are 224 pixels wide: a crop of 448 made of them would have four times the
    bytes and no more detail.

    Args:
        pixels: uint8 ``(side, side, 3)`` RGB.
        photograph: the file that it was made of.
    """
    with Image.open(photograph, formats=PHOTOGRAPHS) as stored:  # reads the head of the file
        side = round(SPARE * max(stored.size))
    if side >= len(pixels):
        return pixels
    return _resized(pixels, side)


def _resized(pixels: Pixels, side: int) -> Pixels:
    # Bilinear resizing in Pillow averages when it makes a picture smaller.
    picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
    return np.array(picture)


def is_crop(path: Path) -> bool:
    """Whether a photograph of a table is a crop from a pack."""
    return path.name.endswith(SUFFIX)


def read(path: Path, wanted: Input) -> Pixels | str:
    """The picture of a crop, uint8 ``(H, W, 3)`` RGB, or why there is none.

    Args:
        path: of the crop.
        wanted: what the grader takes, no larger than what was packed
            (:mod:`fundoscope.train.pack.unpack` checks it). A crop of a small photograph has fewer
            pixels, see :func:`no_larger`, and is enlarged as the photograph would be.

    Raises:
        PhotoError: ``unreadable``: the disk fails.
    """
    try:
        with Image.open(path, formats=("PNG", "WEBP")) as stored:
            if stored.width != stored.height:
                return "is damaged (a crop is square)"
            if wanted.kind != CROP:
                return (
                    f"is packed as a {CROP},"
                    f" and a {wanted.kind} of {wanted.height}x{wanted.width} is wanted"
                )
            pixels = np.array(stored.convert("RGB"))
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of Pillow
            why = f"cannot be read ({error.strerror})"
            raise PhotoError(path.name, why, "check the disk", code="unreadable") from None
        return f"is damaged ({type(error).__name__})"
    return pixels if len(pixels) == wanted.height else _resized(pixels, wanted.height)


def with_origin(table: Manifest) -> Manifest:
    """The table; where it is from a pack, with the hash of the table that was packed.

    So a run on a pack and its bundle name the table whose photographs were trained on, as
    ``fundoscope reproduce`` needs it.
    """
    packed = provenance.origin(table.path)
    return dataclasses.replace(table, sha256=packed) if packed else table
