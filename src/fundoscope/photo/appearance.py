"""Simple quantities of a field's square: light, colour, texture, and what is covered.

They are measured at a fixed scale, so that they depend little on the photograph's size and storage.
The judge reads them beside the features of the network, which is trained to overlook much of this.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from fundoscope.photo import retina
from fundoscope.photo.decode import Pixels

SIDE: Final = 128
"""Side in pixels at which sharpness is measured; a blur of 2 % of the radius is 1.3 pixels."""
SCALES: Final = (0.7, 1.4, 2.8)
"""Standard deviations in pixels of the filters between which sharpness is measured."""
TRUNCATE: Final = 2.5
INNER: Final = 0.9
"""The part of the radius that is measured."""
UNLIT, DIM = 3, 20
"""Levels up to which a pixel is not lit, or hardly."""
BURNT: Final = 250
"""The level from which a channel is burnt out."""
GLARING: Final = 150
"""The level of blue from which a pixel is part of a reflection; a retina reflects little blue."""
BLOCKS: Final = 4
"""Blocks along a side whose brightness is compared."""
LIT_BLOCK: Final = 0.5
"""Share of a block that must lie in the disc."""
FLOOR: Final = 4.0
"""Added before a logarithm, in levels of 0 to 255."""
SMALL: Final = 1e-3
NAMES: Final = (
    *(f"retina_{name}" for name in retina.NAMES),
    "unlit", "dim", "burnt_red", "burnt_green", "glaring",
    *(f"{colour}_{percent}" for colour in ("red", "green", "blue") for percent in (5, 50, 95)),
    "block_spread", "block_darkest", "block_brightest",
    "sharp_fine", "sharp_coarse", "fine_to_coarse",
)  # fmt: skip
"""The quantities, in their order."""

Floats = NDArray[np.float32]
"""``float32``, of any shape."""


def measure(square: Pixels) -> Floats:
    """Measure a square.

    Args:
        square: ``uint8 (S, S, 3)`` RGB, black outside of the disc.

    Returns:
        ``float32 (M,)`` in the order of :data:`NAMES`.
    """
    picture = Image.fromarray(square)
    coarse = np.asarray(picture.resize((retina.SIDE, retina.SIDE), Image.Resampling.BOX))
    texture = retina.features(coarse)
    if texture is None:
        texture = np.zeros(len(retina.NAMES))
    pixels = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX)).astype(np.float32)
    inside = _inside()
    values = [*_light(pixels, inside), *_blocks(pixels[..., 1], inside), *_sharpness(pixels)]
    return np.concatenate([texture, values]).astype(np.float32)


def _light(pixels: Floats, inside: NDArray[np.bool_]) -> list[float]:
    """Shares of dark and burnt pixels, and the levels of the colours."""
    red, green, blue = (pixels[..., channel][inside] for channel in range(3))
    brightest = np.maximum(np.maximum(red, green), blue)
    shares = [
        float(flags.mean())
        for flags in (
            brightest <= UNLIT,
            brightest <= DIM,
            red >= BURNT,
            green >= BURNT,
            blue >= GLARING,
        )
    ]
    levels = [np.percentile(colour, (5, 50, 95)) for colour in (red, green, blue)]
    return [*shares, *(float(level) for level in np.log(np.concatenate(levels) + FLOOR))]


def _blocks(green: Floats, inside: NDArray[np.bool_]) -> list[float]:
    """How much the brightness of blocks differs: the spread, the darkest and the brightest."""
    edge = SIDE // BLOCKS
    shape = (BLOCKS, edge, BLOCKS, edge)
    share = inside.reshape(shape).mean(axis=(1, 3))
    level = (green * inside).reshape(shape).mean(axis=(1, 3)) / np.maximum(share, SMALL)
    lights = np.log(level[share > LIT_BLOCK] + FLOOR)
    middle = float(np.median(lights))
    return [float(lights.std()), float(lights.min()) - middle, float(lights.max()) - middle]


def _sharpness(pixels: Floats) -> list[float]:
    """Contrast of the lit part of green in two bands, and one against the other."""
    green = pixels[..., 1]
    lit = ndimage.binary_erosion(_inside() & (pixels.max(axis=2) > UNLIT), iterations=3)
    if int(lit.sum()) < retina.LEAST:
        return [float(np.log(SMALL))] * 2 + [0.0]
    light = np.log(green + FLOOR) * lit
    weight = lit.astype(np.float32)
    levels = [
        ndimage.gaussian_filter(light, scale, truncate=TRUNCATE)
        / (ndimage.gaussian_filter(weight, scale, truncate=TRUNCATE) + SMALL)
        for scale in SCALES
    ]
    bands = [float(np.log((fine - coarse)[lit].std() + SMALL)) for fine, coarse in pairwise(levels)]
    return [*bands, bands[0] - bands[1]]


def _inside() -> NDArray[np.bool_]:
    """The pixels of the square within the measured part of the radius."""
    axis = (np.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    inside: NDArray[np.bool_] = np.hypot(axis[:, None], axis) < INNER
    return inside
