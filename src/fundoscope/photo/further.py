"""Further discs in a picture: two eyes side by side, or one above the other.

A reading is of one eye. If a picture shows two, grading either of them would hide the other.
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
    height, width = mask.shape
    rows, columns = np.mgrid[:height, :width] + 0.5
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    distance = np.hypot(*to_unit.points(points).T).reshape(mask.shape)
    # Bridges of text or glare between two discs go; a disc stays.
    outside = ndimage.binary_opening(mask & (distance > BEYOND), iterations=2)
    labels, count = ndimage.label(outside)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    least = LEAST_AREA * float((distance <= 1.0).sum())
    for label in np.argsort(-sizes, kind="stable")[:MOST]:
        if sizes[label] < max(least, 1.0):
            return
        yield labels == label


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
