"""Field-of-view crops as small WebP files, which stand in for their photographs in a pack.

:mod:`fundoscope.train.pack` writes them. A crop names itself by its ending, so that
:mod:`fundoscope.train.pictures` takes it as it is in place of looking for a field of view in it.
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
from fundoscope.grading.inputs import CROP, Input

SUFFIX: Final = ".crop.webp"
ORIGIN: Final = ".packed-from"
"""Ends the name of a file that says what the one beside it was made of: of a table the SHA-256 of
the table that was packed, of weights the ``init`` that they stand for."""
METHOD: Final = 4
"""Of WebP's encoder, 0 (quick) to 6: 6 makes files 3 % smaller in three times the time."""
UNREADABLE: Final = (
    OSError,
    UnidentifiedImageError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
)
"""What Pillow raises at files that are damaged."""

Pixels = NDArray[np.uint8]


def encode(pixels: Pixels, quality: int) -> bytes:
    """A crop, uint8 ``(side, side, 3)`` RGB, as a WebP file of a quality of 1 to 100."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "WEBP", quality=quality, method=METHOD)
    return content.getvalue()


def is_crop(path: Path) -> bool:
    """Whether a photograph of a table is a crop out of a pack."""
    return path.name.endswith(SUFFIX)


def read(path: Path, wanted: Input) -> Pixels | str:
    """The picture of a crop, uint8 ``(H, W, 3)``, or why there is none.

    Args:
        path: of the crop.
        wanted: what the grader takes; a smaller crop is made of a larger one, never a larger of a
            smaller.
    """
    try:
        with Image.open(path) as stored:
            side = stored.width
            if side != stored.height:
                return "is damaged (a crop is square)"
            if wanted.kind != CROP or side < wanted.height:
                return (
                    f"is packed as a {CROP} of {side} px,"
                    f" and a {wanted.kind} of {wanted.height}x{wanted.width} is wanted"
                )
            picture = stored.convert("RGB")
    except UNREADABLE as error:
        return f"is damaged ({type(error).__name__})"
    if side != wanted.height:
        # Bilinear resizing in Pillow averages when it makes a picture smaller.
        picture = picture.resize((wanted.width, wanted.height), Image.Resampling.BILINEAR)
    return np.array(picture)


def with_origin(table: Manifest) -> Manifest:
    """A table; with the hash of the one that it was packed from, where it is out of a pack.

    So a run on a pack and its bundle name the table whose photographs they saw, which
    ``fundoscope reproduce`` finds again.
    """
    packed = origin(table.path)
    return dataclasses.replace(table, sha256=packed) if packed else table


def origin(path: Path) -> str:
    """What a file out of a pack was made of, see :data:`ORIGIN`; ``""`` where nothing says so."""
    said = path.with_name(path.name + ORIGIN)
    return said.read_text(encoding="utf-8").strip() if said.is_file() else ""
