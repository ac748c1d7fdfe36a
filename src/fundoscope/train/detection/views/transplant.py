"""Lesions of an annotated photograph on the tile of a healthy eye.

A detector that sees healthy eyes of many cameras, and lesions of one alone, may learn to tell the
cameras apart. So the lesions of an annotated tile are put onto a healthy one, where they lay: in
natural numbers and groups, with the colour and the sharpness of the healthy photograph.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from fundoscope.photo.decode import Pixels
from fundoscope.train.detection.views.tile_draw import Tile

FULL: Final = 255.0
DARK: Final = 12
"""A pixel whose brightest channel is darker lies outside the retina."""
CELL: Final = 16
"""Pixels: side of the cells in which the retina's own colour is measured."""
SPREAD: Final = 1.5
"""Cells: standard deviation of the Gaussian that carries this colour under lesions."""
MARGIN: Final = 7
"""Pixels around a lesion that are taken along; at its edge the change has faded."""
SOFT: Final = 1.5
"""Pixels: standard deviation of the fading."""
RATIOS: Final = (0.25, 3.0)
"""Lowest and highest change of a pixel's brightness."""
NOISE: Final = 16.0
"""Level added to both sides of a ratio: where a channel is nearly black (blue, mostly) the ratio
of two noisy levels says nothing."""
BRIGHT: Final = 1.5
"""Where the retina is brighter than its median by this, there may be the optic disc: no lesion is
put there."""
KEPT: Final = 0.5
"""A lesion counts where at least this share of it was put onto the tile, ..."""
VISIBLE: Final = 0.04
"""... and where it changes the green channel somewhere by at least this share."""


def transplant(healthy: Tile, diseased: Tile, coverage: NDArray[np.uint8]) -> Tile:
    """The healthy tile with the lesions of the diseased one.

    Args:
        healthy: a tile without boxes.
        diseased: a tile of the same size.
        coverage: ``uint8 (height, width)``: the share of each of its pixels that lesions cover.

    Returns:
        The healthy tile's place; its pixels changed where lesions were put; the boxes and labels of
        those that lie on its retina.
    """
    lesions = coverage.astype(np.float64) / FULL
    grown = ndimage.maximum_filter(lesions, MARGIN)
    retina = _retina(diseased.pixels, grown)
    ratio = np.clip((diseased.pixels + NOISE) / (retina + NOISE), *RATIOS)
    room = _room(healthy.pixels)
    weight = ndimage.gaussian_filter(np.minimum(grown, 1.0), SOFT) * room
    change = (ratio - 1.0) * weight[..., None]
    change = _softened(change, healthy.place.view.enlarge)
    pixels = np.clip(healthy.pixels * (1.0 + change), 0, FULL)
    kept = [
        _share(box, lesions, room) >= KEPT and _contrast(box, change[..., 1]) >= VISIBLE
        for box in diseased.boxes
    ]
    return replace(
        healthy,
        pixels=np.rint(pixels).astype(np.uint8),
        boxes=diseased.boxes[kept],
        labels=diseased.labels[kept],
    )


def _retina(pixels: Pixels, lesions: NDArray[np.float64]) -> NDArray[np.float64]:
    """The retina's own colour at each pixel, as it would be without lesions; at least 1."""
    weight = (pixels.max(axis=2) > DARK) * (1.0 - lesions)
    planes = np.dstack((pixels * weight[..., None], weight))
    height, width = (side // CELL * CELL for side in weight.shape)
    cells = planes[:height, :width].reshape(height // CELL, CELL, width // CELL, CELL, 4)
    coarse = ndimage.gaussian_filter(cells.mean(axis=(1, 3)), (SPREAD, SPREAD, 0))
    colour = coarse[..., :3] / np.maximum(coarse[..., 3:], 1e-3)
    whole = [
        np.asarray(
            Image.fromarray(colour[..., channel].astype(np.float32)).resize(
                weight.shape[::-1], Image.Resampling.BILINEAR
            )
        )
        for channel in range(3)
    ]
    floor: NDArray[np.float64] = np.maximum(np.dstack(whole), 1.0).astype(np.float64)
    return floor


def _room(pixels: Pixels) -> NDArray[np.float64]:
    """1 where a lesion may be put: on the retina, not where it is as bright as an optic disc."""
    inside = pixels.max(axis=2) > DARK
    if not inside.any():
        return np.zeros(inside.shape)
    green = _retina(pixels, np.zeros(inside.shape))[..., 1]
    allowed: NDArray[np.float64] = (inside & (green < BRIGHT * np.median(green[inside]))).astype(
        np.float64
    )
    return allowed


def _softened(change: NDArray[np.float64], enlarge: float) -> NDArray[np.float64]:
    """The change as sharp as a photograph that was enlarged by a factor."""
    if enlarge <= 1:
        return change
    height, width = change.shape[:2]
    small = (max(1, round(width / enlarge)), max(1, round(height / enlarge)))
    planes = [
        np.asarray(
            Image.fromarray(change[..., channel].astype(np.float32))
            .resize(small, Image.Resampling.BOX)
            .resize((width, height), Image.Resampling.BICUBIC)
        )
        for channel in range(3)
    ]
    return np.dstack(planes).astype(np.float64)


def _share(
    box: NDArray[np.float64], lesions: NDArray[np.float64], room: NDArray[np.float64]
) -> float:
    """The share of the lesion in a box for which there is room."""
    inside = lesions[_pixels_of(box)]
    total = float(inside.sum())
    return float((inside * room[_pixels_of(box)]).sum()) / total if total else 0.0


def _contrast(box: NDArray[np.float64], change: NDArray[np.float64]) -> float:
    """The largest relative change of a channel inside a box."""
    return float(np.abs(change[_pixels_of(box)]).max(initial=0.0))


def _pixels_of(box: NDArray[np.float64]) -> tuple[slice, slice]:
    """The rows and columns that a box touches."""
    x0, y0 = np.floor(box[:2]).astype(int)
    x1, y1 = np.ceil(box[2:]).astype(int)
    return slice(y0, y1), slice(x0, x1)
