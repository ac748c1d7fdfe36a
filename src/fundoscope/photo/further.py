"""Further discs in a picture: two eyes side by side, or one above the other.

A reading is of one eye. If a picture shows two, grading either of them would hide the other. Two
pictures without a border, which meet without a gap, show as a seam.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fundoscope.geometry import Affine
from fundoscope.photo.rim import Ellipse
from fundoscope.reading import FieldOfView

Mask = NDArray[np.bool_]
"""``bool (H, W)``."""

BEYOND: Final = 1.03
"""Radii of the found disc within which nothing counts as another: its rim may be soft."""
LEAST_AREA: Final = 0.06
"""The least area of another disc, as a share of the found one's: a quarter of its radius."""
MOST: Final = 4
"""Most parts that are looked at, the largest first; a picture of eyes shows few."""
FILLED: Final = 0.6
"""The least share of another disc that is lit. A disc that is cut off above and below has more."""
WITHIN: Final = 0.8
"""The least share of a part that lies within the disc fitted to it."""
GROWN: Final = 1.05
"""Radii of the fitted disc that count as within."""

WHOLE: Final = 0.9
"""The least share of lit pixels of a picture in which a seam is looked for. In others, the dark
corners between two discs part them."""
SEAM_SHAPE: Final = 1.3
"""Two pictures that meet are at least this many times as long as broad: two of 3:2, one above the
other, have 4:3. Most pictures of one eye without a border are square."""
SEAM_SIDE: Final = 352
"""Longer side in pixels of the copy in which a seam is looked for: on a smaller one, the vessels
have edges as sharp."""
SEAM_PLACE: Final = 0.2
"""Least distance of a seam from the ends of the picture, as a share of its length."""
SEAM_NEAR, SEAM_FAR = 5, 10
"""The places that a seam is compared with, in pixels of that copy from it."""
SEAM_RATIO: Final = 2.2
"""Least difference at a seam, as a multiple of the largest at those places. Chosen on
photographs of the training and validation splits and a few others: pieces cut out of single eyes
stayed below it, nearly all joined pieces above."""
SEAM_OFFSET: Final = 1.0
"""Grey levels added to both, so that even areas have no seam."""


def may_meet(mask: Mask) -> bool:
    """Whether a picture has the shape of two pictures without a border that meet.

    Args:
        mask: the lit pixels.
    """
    breadth, length = sorted(mask.shape)
    return length >= SEAM_SHAPE * breadth and float(mask.mean()) >= WHOLE


def seam(pixels: NDArray[np.uint8]) -> bool:
    """Whether two pictures meet at a straight line across the whole picture.

    Args:
        pixels: ``uint8 (H, W, 3)``, a copy whose longer side is :data:`SEAM_SIDE`.
    """
    upright = pixels if pixels.shape[1] > pixels.shape[0] else pixels.transpose(1, 0, 2)
    length = upright.shape[1]
    values = upright.astype(np.int16)
    steps = np.abs(np.diff(values, axis=1)).max(axis=2).mean(axis=0) + SEAM_OFFSET
    near = np.abs(np.arange(-SEAM_FAR, SEAM_FAR + 1)) >= SEAM_NEAR
    ratio = steps / ndimage.maximum_filter(steps, footprint=near)
    ends = round(SEAM_PLACE * length)
    return bool(ratio[ends : length - ends].max() > SEAM_RATIO)


def largest(mask: Mask) -> Mask:
    """The largest connected part of a mask."""
    labels, count = ndimage.label(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    part: Mask = labels == sizes.argmax()
    return part


def parts(mask: Mask, field: FieldOfView, to_pixels: Affine) -> Iterator[Mask]:
    """The lit parts of a picture outside of its field of view, the largest first.

    Args:
        mask: the lit pixels.
        field: the field of view, found.
        to_pixels: the map from the photograph's pixels to those of the mask.
    """
    to_unit = to_pixels.inverse().then(field.to_unit())
    square = _square_of_distance(mask.shape, to_unit)
    least = max(LEAST_AREA * np.count_nonzero(square <= 1.0), 1.0)
    outside = mask & (square > BEYOND**2)
    if np.count_nonzero(outside) < least:
        return
    # Bridges of text or glare between two discs go; a disc stays.
    outside = ndimage.binary_opening(outside, iterations=2)
    labels, count = ndimage.label(outside)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    for label in np.argsort(-sizes, kind="stable")[:MOST]:
        if sizes[label] < least:
            return
        yield labels == label


def _square_of_distance(shape: tuple[int, ...], to_unit: Affine) -> NDArray[np.float32]:
    """Square of the distance of a mask's pixels from the centre of a field, in its radii.

    Args:
        shape: the mask's.
        to_unit: its map to the field's disc, which turns nothing.
    """
    down = to_unit.yy * (np.arange(shape[0]) + 0.5) + to_unit.y0
    across = to_unit.xx * (np.arange(shape[1]) + 0.5) + to_unit.x0
    return (down**2).astype(np.float32)[:, None] + (across**2).astype(np.float32)


def covers(ellipse: Ellipse, part: Mask) -> bool:
    """Whether an ellipse fitted to a part is filled by it and holds most of it."""
    height, width = part.shape
    rows, columns = np.mgrid[:height, :width] + 0.5
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    distance = ellipse.distance(points).reshape(part.shape)
    inside = distance <= 1.0
    if not inside.any():
        return False
    within = part & (distance <= GROWN)
    return bool(part[inside].mean() >= FILLED and within.sum() >= WITHIN * part.sum())
