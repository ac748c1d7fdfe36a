"""Whether a disc can be a retina: by its colours, its texture and its dark vessels.

A support vector machine with a radial kernel classifies fifteen features of the field's square.
``bench/fit_retina.py`` fitted it on the training splits of five data sets against pictures drawn by
a program, and wrote ``retina.npz``. No photograph of anything but a retina was used for the fit.
But the kernel, the bound and the rule for grey pictures were chosen with the test pictures of
``bench/field.py`` in view, so its results on those are not an independent test.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fundoscope.photo.decode import Pixels

SIDE: Final = 96
"""Side, in pixels, of the square that is classified; vessels are 1 to 3 pixels wide."""
INNER: Final = 0.92
"""The part of the radius that is measured; the rim has its own glare and shadow."""
UNLIT: Final = 3
"""Grey level up to which a pixel does not belong to the picture (cut off, or masked)."""
MIN_PIXELS: Final = 200
"""The fewest pixels that can be measured."""
OFFSET: Final = 8.0
"""Added before the logarithm, so that noise in dark parts does not count as contrast."""
SCALES: Final = (0.7, 1.4, 2.8, 5.6)
"""Standard deviations, in pixels, of the Gaussian filters between which texture is measured."""
TRUNCATE: Final = 2.5
"""Standard deviations at which a Gaussian filter is cut off."""
BLOCK: Final = 4
"""Side, in pixels, of the blocks whose mean colours are compared; the mean has little noise."""
COLOURLESS: Final = 8.0
"""Difference of red and green (0 to 255) below which a picture has no colour. The palest of 3,245
real photographs has 17."""
NOISE_SHARE: Final = 0.01
"""The share of pixels that may differ by more."""
COLOURLESS_DARK: Final = 0.25
"""The same for a nearly black photograph, as a share of its brightest red."""
FARTHEST: Final = 8.0
"""Standard deviations at which a feature is clipped, so that no distance overflows."""
NAMES: Final = (
    "brightness", "red_green", "green_blue", "red_green_spread", "green_blue_spread",
    "texture_fine", "texture_middle", "texture_coarse", "shading", "skew", "kurtosis",
    "red_texture", "dark_ridges", "strong_dark_ridges", "sharpest",
)  # fmt: skip
"""The features, in their order."""

Floats = NDArray[np.float32]
"""``float32``, of any shape."""


def plausible(square: Pixels) -> bool:
    """Whether a field's square can show a retina.

    Args:
        square: ``uint8 (SIDE, SIDE, 3)`` RGB, black outside of the disc.
    """
    values = features(square)
    return values is not None and oddity(values) <= float(_machine()["bound"])


def is_lit(pixels: Pixels) -> NDArray[np.bool_]:
    """Which pixels belong to the picture.

    Args:
        pixels: ``uint8 (H, W, 3)`` RGB.

    Returns:
        ``bool (H, W)``.
    """
    # One channel at a time: numpy is slow along an axis of length three.
    red, green, blue = (pixels[..., c] > UNLIT for c in range(3))
    lit: NDArray[np.bool_] = red | green | blue
    return lit


def colourless(square: Pixels) -> bool:
    """Whether red and green are equal everywhere, apart from the noise of a JPEG.

    Args:
        square: as for :func:`plausible`.
    """
    red, green = (square[..., c][_inner()].astype(np.int16) for c in (0, 1))
    difference = np.abs(red - green)
    if np.count_nonzero(difference >= COLOURLESS) > NOISE_SHARE * len(difference) + 1:
        return False  # as nearly always
    bright, differ = (
        np.percentile(values, 100 * (1 - NOISE_SHARE)) for values in (red, difference)
    )
    return bool(differ < min(COLOURLESS, COLOURLESS_DARK * bright))


def oddity(values: NDArray[np.float64]) -> float:
    """How different features are from those of retinas.

    Args:
        values: ``float64 (K,)`` from :func:`features`.

    Returns:
        The decision value: below -1 for clear retinas, above 1 for clearly other pictures.
    """
    machine = _machine()
    scaled = np.clip((values - machine["mean"]) / machine["scale"], -FARTHEST, FARTHEST)
    distance = ((machine["vectors"] - scaled) ** 2).sum(axis=1)
    kernel = np.exp(-float(machine["gamma"]) * distance)
    return float(kernel @ machine["weights"] + machine["intercept"])


def features(square: Pixels) -> NDArray[np.float64] | None:
    """Measure the features.

    Args:
        square: ``uint8 (SIDE, SIDE, 3)`` RGB, black outside of the disc.

    Returns:
        ``float64 (K,)`` in the order of :data:`NAMES`, or ``None`` if too few pixels are lit.
    """
    lit = _inner() & _eroded(is_lit(square))
    inner = _eroded(lit)
    if int(inner.sum()) < MIN_PIXELS:
        return None
    red, green, blue = (np.log(square[..., c].astype(np.float32) + OFFSET) for c in range(3))
    weights = [_blur(lit.astype(np.float32), s) + np.float32(1e-6) for s in SCALES]
    levels = [_blur(green * lit, s) / weight for s, weight in zip(SCALES, weights, strict=True)]
    bands = [(levels[i] - levels[i + 1])[lit] for i in range(3)]
    red_fine, red_coarse = (_blur(red * lit, SCALES[i]) / weights[i] for i in (0, 2))
    vessels = (levels[0] - levels[2])[lit]
    spread = float(vessels.std()) + 1e-6
    standard = (vessels - vessels.mean()) / spread
    dark, bright, slope = _ridges(levels[1], inner)
    return np.array(
        [
            green[lit].mean(),
            (red - green)[lit].mean(),
            (green - blue)[lit].mean(),
            np.log(_block_spread(red - green, lit) + 0.01),
            np.log(_block_spread(green - blue, lit) + 0.01),
            *(np.log(band.std() + 0.002) for band in bands),
            np.log(levels[3][lit].std() + 0.02),
            np.cbrt((standard**3).mean()),
            np.log((standard**4).mean() + 1e-3),
            np.log(((red_fine - red_coarse)[lit].std() + 0.002) / (spread + 0.002)),
            np.log((dark.mean() + 2e-4) / (bright.mean() + 2e-4)),
            np.log((np.percentile(dark, 95) + 1e-3) / (np.percentile(bright, 95) + 1e-3)),
            np.log(np.percentile(slope, 99) + 0.002),
        ],
        dtype=np.float64,
    )


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a mask from which two steps to a neighbour stay in it."""
    for _ in range(2):
        padded = np.pad(mask, 1)
        mask = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def _blur(plane: Floats, scale: float) -> Floats:
    """A Gaussian filter. On so small a square, a product of matrices is the fastest way."""
    matrix = _filter(scale)
    return np.asarray(matrix @ plane @ matrix.T, dtype=np.float32)


@cache
def _filter(scale: float) -> Floats:
    """``float32 (SIDE, SIDE)``: the Gaussian filter along one axis."""
    matrix: Floats = ndimage.gaussian_filter1d(
        np.eye(SIDE), scale, axis=0, truncate=TRUNCATE
    ).astype(np.float32)
    matrix.flags.writeable = False  # the cached array is shared by all callers
    return matrix


def _ridges(plane: Floats, inner: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Strength of dark lines, of bright lines, and of edges, at the pixels ``inner``.

    It comes from the eigenvalues of the Hessian matrix: a line curves across its direction, and
    hardly along it.
    """
    down, across = np.gradient(plane)
    down_down, down_across = np.gradient(down)
    across_across = np.gradient(across, axis=1)
    mean = (down_down + across_across) / 2
    half = np.hypot((across_across - down_down) / 2, down_across)
    high, low = mean + half, mean - half
    dark = np.maximum(high - np.abs(low), 0)[inner]
    bright = np.maximum(-low - np.abs(high), 0)[inner]
    return dark, bright, np.hypot(down, across)[inner]


def _block_spread(plane: Floats, lit: NDArray[np.bool_]) -> float:
    """Standard deviation of the means of fully lit blocks of ``BLOCK`` x ``BLOCK`` pixels."""
    side = SIDE // BLOCK
    blocks = plane.reshape(side, BLOCK, side, BLOCK).mean(axis=(1, 3))
    whole = lit.reshape(side, BLOCK, side, BLOCK).all(axis=(1, 3))
    return float(blocks[whole].std()) if whole.any() else 0.0


@cache
def _inner() -> NDArray[np.bool_]:
    """The pixels of the square within the measured part of the radius."""
    axis = (np.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    inside: NDArray[np.bool_] = np.hypot(axis[:, None], axis) < INNER
    return inside


@cache
def _machine() -> dict[str, NDArray[np.float64]]:
    """The fitted support vector machine."""
    with np.load(Path(__file__).with_name("retina.npz"), allow_pickle=False) as stored:
        return {name: stored[name].astype(np.float64) for name in stored.files}
