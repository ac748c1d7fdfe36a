"""Pictures that are masks: the pixels of their class, or the class of every pixel.

A mask of one class may be a picture of one bit, 0 and 1, 0 and 255, 16 bits, in colour, with a
palette, or on a transparent background (IDRiD's official IDRiD_81_EX.tif is RGBA where the other
masks have a palette). One rule serves all: *a pixel belongs to the class if it is neither black nor
transparent*. Compression noise and soft edges are the exception, see :func:`read_mask`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.annotations.pictures import opened
from fundoscope.errors import PhotoError

if TYPE_CHECKING:
    from PIL import Image

HALF: Final = 128
"""Of the values of a mask in 8 bits."""
BLOCK: Final = 16
"""Pixels on a side of JPEG's largest block of colours."""
FLAT: Final = 3
FAINT: Final = 16
"""Compression leaves areas of one value this far from black, but not brighter ones."""
NUMBERS: Final = ("1", "L", "P", "I", "I;16", "I;16L", "I;16B", "I;16N")
"""Modes of Pillow whose pixels are one number each."""
COLOURS: Final = ("RGB", "RGBA", "LA", "PA", "F")


@dataclass(frozen=True, slots=True)
class MaskPixels:
    """The pixels of a mask of one class.

    Attributes:
        pixels: bool ``(H, W)``, true where the class is.
        soft: whether values in between were compared with half of the brightest.
    """

    pixels: NDArray[np.bool_]
    soft: bool = False


def mask_pixels(path: Path) -> NDArray[np.bool_]:
    """The pixels of the class in a mask of one class, bool ``(H, W)``; see :func:`read_mask`."""
    return read_mask(path).pixels


def read_mask(path: Path) -> MaskPixels:
    """The pixels of the class in a mask of one class.

    On a transparent background with nothing but black, every pixel that is not transparent counts;
    with a palette that is all black, every pixel that is not its first entry. Where compression or
    smoothing left values between black and the class, pixels of at least half its brightness count.

    Raises:
        PhotoError: the file cannot be read, or is not a mask (``unsupported_mode``, ``animated``).
    """
    with opened(path) as image:
        _check(image, path, NUMBERS + COLOURS)
        if image.mode == "P":
            return MaskPixels(_by_palette(image))
        values = np.asarray(image)
        if image.mode in ("RGBA", "LA", "PA"):
            return MaskPixels(_on_background(np.asarray(image.convert("RGBA"))))
        brightest = values.reshape(*values.shape[:2], -1).max(axis=2)
        if image.mode in ("L", "RGB") and _is_soft(brightest):
            return MaskPixels(brightest >= HALF, soft=True)
        in_any: NDArray[np.bool_] = (values != 0).reshape(*values.shape[:2], -1).any(axis=2)
        return MaskPixels(in_any)


def _is_soft(values: NDArray[np.uint8]) -> bool:
    """Whether the values between black and white are those of a blurred or compressed edge.

    A blurred edge lies beside a bright pixel, and compression spoils no more than the block around
    it. Values far from any bright pixel, and areas of one value, are numbers of objects or classes.
    """
    dim = (values > 0) & (values < HALF)
    if not dim.any():
        return False
    height, width = values.shape
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    padded = np.zeros((rows * BLOCK, columns * BLOCK), dtype=bool)
    padded[:height, :width] = values >= HALF
    bright = padded.reshape(rows, BLOCK, columns, BLOCK).any(axis=(1, 3))
    near = np.zeros((rows + 2, columns + 2), dtype=bool)
    for down in range(3):
        for right in range(3):
            near[down : down + rows, right : right + columns] |= bright
    beside = near[1:-1, 1:-1].repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[:height, :width]
    return not bool((dim & ~beside).any()) and not _has_flat_area(np.where(dim, values, 0))


def _has_flat_area(values: NDArray[np.uint8]) -> bool:
    """Whether squares of :data:`FLAT` pixels have one value above :data:`FAINT`."""
    height, width = values.shape
    if min(height, width) < FLAT:
        return False
    first = values[: height - FLAT + 1, : width - FLAT + 1]
    flat = first > FAINT
    for down in range(FLAT):
        for right in range(FLAT):
            flat &= (
                values[down : height - FLAT + 1 + down, right : width - FLAT + 1 + right] == first
            )
    return bool(flat.any())


def class_numbers(path: Path) -> NDArray[np.integer[Any]]:
    """The class of every pixel of an indexed mask, integer ``(H, W)``; of a palette, the entry.

    Raises:
        PhotoError: the file cannot be read, or its pixels are colours rather than numbers.
    """
    with opened(path) as image:
        _check(image, path, NUMBERS)
        values = np.asarray(image)
        return values.astype(np.uint8) if values.dtype == bool else values


def _by_palette(image: Image.Image) -> NDArray[np.bool_]:
    entries = np.asarray(image)
    used = np.flatnonzero(np.bincount(entries.ravel(), minlength=256))
    swatches = image.crop((0, 0, len(used), 1))
    swatches.putdata(used.tolist())
    shown = _on_background(np.asarray(swatches.convert("RGBA")))[0]
    table = np.zeros(256, dtype=bool)
    table[used] = shown if shown.any() else used != 0
    shown_there: NDArray[np.bool_] = table[entries]
    return shown_there


def _on_background(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    seen: NDArray[np.bool_] = pixels[..., 3] != 0
    coloured: NDArray[np.bool_] = pixels[..., :3].any(axis=-1) & seen
    # All is black: only transparency separates the class from the background.
    return coloured if coloured.any() or seen.all() else seen


def _check(image: Image.Image, path: Path, modes: tuple[str, ...]) -> None:
    if getattr(image, "n_frames", 1) > 1:
        raise PhotoError(
            path.name, "holds several pictures", "store one mask a file", code="animated"
        )
    # Pillow keeps the upper 8 bits of a 16-bit colour: a class of the value 1 would vanish.
    deep = image.mode in COLOURS and ";16" in str(getattr(image, "tile", ""))
    if image.mode not in modes or deep:
        raise PhotoError(
            path.name,
            f"has pixels of mode {image.mode}{' in 16 bits' if deep else ''}",
            "store the mask as numbers (grey or with a palette) or in 8-bit RGB",
            code="unsupported_mode",
        )
