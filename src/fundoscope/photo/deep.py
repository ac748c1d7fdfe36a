"""Colours of 16 bits, as 8.

Cameras whose sensor has 10, 12 or 14 bits often store them in 16 without scaling. The upper byte
alone would then be nearly black, and a severe retinopathy was graded as mild. So the bits in use
are found from the brightest value, and the upper 8 of *those* are kept.

Pillow keeps one byte of each channel, the upper one. It keeps the lower one instead if the order of
bytes is reversed, so both come from the same well-tested decoder, read twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.photo import formats
from fundoscope.photo.strips import ROWS, rgb

if TYPE_CHECKING:
    from PIL import Image, ImageFile

BYTE_BITS: Final = 8
DEPTHS: Final = (8, 10, 12, 14, 16)
"""Bits that sensors have. Exact bits in use (13, 15) would brighten a photograph that is merely
dark by up to 2."""
REVERSED: Final = {"B": "L", "L": "B", "N": "B", "S": "L"}
"""The other order of bytes: big, little, native (little, on all machines that we support)."""
COLOURS: Final = ("RGB", "RGBA", "RGBX")
MARK: Final = ";16"
"""In Pillow's name of the layout of pixels of 16 bits a channel, e.g. ``RGB;16B``."""
STRETCH_LOW, STRETCH_HIGH = 0.1, 99.9
"""The percentiles of a grey 16-bit picture that become 0 and 255; single hot pixels have no
effect."""


def layouts(image: Image.Image) -> list[str]:
    """Pillow's names of the layouts of an opened picture's pixels, e.g. ``RGB;16B``."""
    return [_layout(tile) for tile in getattr(image, "tile", [])]


def is_deep(image: Image.Image) -> bool:
    """Whether an opened picture that is not loaded yet has 16 bits a channel."""
    return any(MARK in layout for layout in layouts(image))


def upper_bits(
    upper: NDArray[np.uint8], again: Callable[[], Image.Image]
) -> tuple[NDArray[np.uint8], int]:
    """Reduce 16-bit colours to the upper 8 of the bits in use.

    Args:
        upper: ``uint8 (H, W, 3)``, the upper bytes.
        again: opens the same file again.

    Returns:
        ``uint8 (H, W, 3)``, and the bits in use, one of :data:`DEPTHS`.
    """
    brightest = int(upper.max())
    if brightest >> (DEPTHS[-2] - BYTE_BITS):
        return upper, DEPTHS[-1]
    lower = _lower(again())
    if lower is None or lower.shape != upper.shape:
        return upper, DEPTHS[-1]
    bits = next(bits for bits in DEPTHS if not brightest >> (bits - BYTE_BITS))
    if bits == BYTE_BITS:
        return lower, bits
    shift = bits - BYTE_BITS
    # Within a byte: the upper byte has `shift` bits in use, and the lower one gives the others.
    joined = np.bitwise_or(upper << (BYTE_BITS - shift), lower >> shift, dtype=np.uint8)
    return joined, bits


def grey(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Stretch a grey picture of any depth between its percentiles.

    Args:
        values: integers ``(H, W)``.

    Returns:
        ``uint8 (H, W, 3)``.
    """
    low, high = np.percentile(values, (STRETCH_LOW, STRETCH_HIGH))
    pixels = np.empty((*values.shape, 3), np.uint8)
    for top in range(0, len(values), ROWS):
        scaled = (values[top : top + ROWS].astype(np.float32) - low) * (
            255.0 / max(high - low, 1.0)
        )
        pixels[top : top + ROWS] = np.clip(scaled, 0, 255).astype(np.uint8)[..., None]
    return pixels


def _lower(image: Image.Image) -> NDArray[np.uint8] | None:
    """The lower bytes of a deep colour picture; ``None`` if Pillow cannot give them."""
    if image.mode not in COLOURS or image.format not in (formats.PNG, formats.TIFF):
        return None
    tiles = [_reversed(tile) for tile in getattr(image, "tile", [])]
    if not tiles or any(tile is None for tile in tiles):
        return None
    image.tile = tiles  # type: ignore[attr-defined]
    image.load()
    return rgb(image)


def _layout(tile: ImageFile._Tile) -> str:
    """A tile's layout of pixels: its arguments, or the first of them."""
    arguments = tile.args
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return str(first)


def _reversed(tile: ImageFile._Tile) -> ImageFile._Tile | None:
    """The tile with the other order of bytes."""
    layout = _layout(tile)
    order = REVERSED.get(layout[-1:])
    if not layout.startswith("RGB") or MARK not in layout or order is None:
        return None
    other = layout[:-1] + order
    arguments = tile.args
    return tile._replace(args=(other, *arguments[1:]) if isinstance(arguments, tuple) else other)
