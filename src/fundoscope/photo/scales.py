"""The scale at which a photograph is read, in eighths of its size.

A photograph gets the same grade from its path, its bytes and its array of pixels, whatever the
format: all are reduced to the same size by the same filter. A grader notices even a difference of
one grey level in some pixels (its probabilities then move by up to 0.1), so JPEGs are decoded in
full and reduced here. Only the views of the detector, which are larger, are decoded at their scale
by libjpeg-turbo if the JPEG is very large: reducing to 5/8 here takes longer than all of libjpeg's
work. The filter is libjpeg-turbo's, so both ways differ by 0.2 grey levels in the mean:
``bench/one_reading.py``.

For 1, 2 and 4 eighths, libjpeg-turbo averages pixels (``jidctred.c``). For the others it keeps the
lowest frequencies of each block of 8 x 8 pixels (``jidctint.c``).
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BLOCK: Final = 8
"""Side of a JPEG's block in pixels. A JPEG can be decoded at 1/8 to 8/8 of its size."""
MAX_EXACT_PIXELS: Final = 10_500_000
"""A JPEG with more pixels is decoded at 3, 5, 6 or 7 eighths, if one of these is wanted: decoding
in full and reducing would take three times as long."""
BAND: Final = 64
"""Rows of blocks that are reduced at a time, so that their values stay in the cache."""
AVERAGED_BAND: Final = 8
"""The same for averages. Pillow copies what it reduces; a copy that stays in the cache is fast."""
PADDED: Final = "RGBX"
"""Pillow's name for pixels of four bytes, the last of which means nothing. Pillow averages them
where they are; those of three bytes it copies first."""


def wanted(size: tuple[int, int], min_side: int | None) -> int:
    """The smallest scale, in eighths, at which the shorter side keeps enough pixels.

    Args:
        size: width and height in pixels.
        min_side: pixels of the shorter side that are enough; ``None`` for full size.
    """
    if min_side is None:
        return BLOCK
    return min(BLOCK, max(1, -(-BLOCK * min_side // min(size))))


def decoded(size: tuple[int, int], eighths: int) -> int:
    """The scale, in eighths, at which a JPEG is decoded that is wanted at ``eighths``.

    Args:
        size: width and height in pixels.
        eighths: from :func:`wanted`.
    """
    exact = size[0] * size[1] <= MAX_EXACT_PIXELS or _is_average(eighths)
    return BLOCK if exact else eighths


def _is_average(eighths: int) -> bool:
    """Whether the pixels at a scale are averages of squares: halves, quarters or eighths."""
    return BLOCK % eighths == 0


def takes_padded(decoded: int, wanted: int) -> bool:
    """Whether pixels are to be averaged, so that four bytes for each are faster than three.

    Args:
        decoded: the scale at which they are decoded, in eighths.
        wanted: the scale to which they are reduced.
    """
    return decoded == BLOCK != wanted and _is_average(wanted)


def side(pixels: int, eighths: int) -> int:
    """The length of a side at a scale, in pixels; a fraction of a pixel counts as one."""
    return -(-pixels * eighths // BLOCK)


def reduced(pixels: NDArray[np.uint8], eighths: int) -> NDArray[np.uint8]:
    """Reduce a picture.

    Args:
        pixels: ``uint8 (H, W, 3)``, or ``(H, W, 4)`` where :func:`takes_padded` says so.
        eighths: the scale, 1 to 8 eighths.

    Returns:
        ``uint8 (h, w, 3)`` with the sides of :func:`side`.
    """
    if eighths == BLOCK:
        return pixels
    height, width = pixels.shape[:2]
    average = _is_average(eighths)
    rows = BLOCK * (AVERAGED_BAND if average else BAND)
    reduce = _averaged if average else _of_band
    bands = [reduce(pixels[top : top + rows], eighths) for top in range(0, height, rows)]
    small: NDArray[np.uint8] = np.concatenate(bands)[
        : side(height, eighths), : side(width, eighths)
    ]
    return np.ascontiguousarray(small)


def _filled(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill up the last blocks by repeating the edge, as encoders do."""
    missing = [-length % BLOCK for length in pixels.shape[:2]]
    if not any(missing):
        return pixels
    return np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


def _averaged(pixels: NDArray[np.uint8], eighths: int) -> NDArray[np.uint8]:
    """Average some rows of blocks."""
    return np.asarray(_picture(_filled(pixels)).reduce(BLOCK // eighths).convert("RGB"))


def _picture(pixels: NDArray[np.uint8]) -> Image.Image:
    """Pillow's picture of pixels of three bytes (a copy), or of four (the same memory)."""
    height, width, channels = pixels.shape
    if channels == len(PADDED):
        return Image.frombuffer(PADDED, (width, height), pixels, "raw", PADDED, 0, 1)
    return Image.fromarray(pixels)


def _of_band(pixels: NDArray[np.uint8], eighths: int) -> NDArray[np.uint8]:
    """Reduce some rows of blocks to their lowest frequencies."""
    filled = _filled(pixels)
    matrix = _matrix(eighths)
    planes = np.ascontiguousarray(filled.transpose(2, 0, 1), dtype=np.float32)
    down, across = filled.shape[0] // BLOCK, filled.shape[1] // BLOCK
    # First the columns of each block, as they lie one below the other, then its rows.
    planes = matrix @ planes.reshape(3, down, BLOCK, across * BLOCK)
    planes = planes.reshape(-1, BLOCK) @ matrix.T
    values = planes.reshape(3, down * eighths, across * eighths).transpose(1, 2, 0)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@cache
def _matrix(eighths: int) -> NDArray[np.float32]:
    """``float32 (eighths, 8)``: from eight pixels in a row to those at the scale."""
    lowest = _cosines(BLOCK)[:eighths]
    exact = _cosines(eighths).T @ lowest * np.sqrt(eighths / BLOCK)
    matrix: NDArray[np.float32] = exact.astype(np.float32)
    matrix.flags.writeable = False  # the cached array is shared by all callers
    return matrix


def _cosines(count: int) -> NDArray[np.float64]:
    """The orthonormal discrete cosine transform of ``count`` values, ``(count, count)``."""
    place = np.arange(count)
    waves: NDArray[np.float64] = np.cos(np.pi / count * (place + 0.5) * place[:, None])
    waves *= np.sqrt(2.0 / count)
    waves[0] /= np.sqrt(2.0)
    return waves
