"""Which of the boxes that a detector takes for the optic disc is the disc, if any.

A detector looks at a tile and gave scores above 0.95 to rings in empty retina, to shadows and to
exudates. The whole field says more: a disc has a plausible size and shape, is brighter than what
surrounds it, and is among the brightest parts of the retina. A logistic regression of ten such
features chooses, and may find no disc at all. ``bench/disc.py --fit`` fitted it on 200 photographs
of the validation splits; see docs/results.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fundoscope.geometry import Affine, Box
from fundoscope.photo import field
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView, Lesion, OpticDisc

SIZES: Final = (0.19, 0.56)
"""Diameters of a disc's box over the field's radius. Discs marked by hand on 200 photographs have
0.22 to 0.45; a detector's box may be somewhat larger."""
SHAPES: Final = (0.55, 1.7)
"""Width over height of the box on the retina; discs at the rim look narrow."""
USUAL_SIZE: Final = 0.33
"""Diameter over the field's radius of most boxes."""
MIN_PROBABILITY: Final = 0.3
"""The least probability of a disc. Fitted on these 200 photographs, with the weights."""
WEIGHTS: Final = (0.79, -0.271, -2.199, 1.467, 1.883, 6.605, 0.169, -4.251, 2.433, 6.337)
INTERCEPT: Final = -10.967
"""The regression, in the order of :data:`FEATURES`. Fitted on these 200 photographs."""
FEATURES: Final = (
    "score_odds", "size", "shape", "distance", "red_local", "red", "green_local", "green",
    "vessels", "rank",
)  # fmt: skip

SIDE: Final = 256
"""Side in pixels of the square on which brightness is measured."""
RIM: Final = 0.97
"""Radii of the field that are measured."""
UNLIT: Final = 3
"""Level (0 to 255) up to which a pixel shows no retina."""
AROUND: Final = 30.0
"""Standard deviation in pixels of the filter that gives the local level and spread."""
INSIDE, RING = 0.85, (1.15, 1.8)
"""The disc, and the ring around it that it is compared with, as multiples of the box's ellipse."""
MIN_PIXELS: Final = 5
"""Pixels of disc and of ring that must be seen, or the box is not measured."""
VERTICAL: Final = 60.0
"""Degrees from the horizontal from which a disc lies above or below the middle. On the 200
photographs it lies at 40 degrees at most."""
OFF_CENTRE: Final = 0.35
"""Radii from the middle from which that angle means something."""
TURNED: Final = (
    "the optic disc lies above or below the middle of the field: the photograph may be turned by 90"
    " degrees; turn it if so"
)

Plane = NDArray[np.float32]
"""``float32 (SIDE, SIDE)``."""


@dataclass(frozen=True, slots=True)
class _Retina:
    """The brightness of a field: local and whole, of red and green."""

    lit: NDArray[np.bool_]
    local: tuple[Plane, Plane]
    whole: tuple[Plane, Plane]
    green: Plane
    to_square: Affine


def diameter(box: Box, fov: FieldOfView) -> float:
    """One disc diameter: the mean of a box's sides, in units of a pixel's height."""
    return ((box[2] - box[0]) * (fov.stretch or 1.0) + (box[3] - box[1])) / 2


def best(candidates: Sequence[Lesion], photo: Photo, fov: FieldOfView) -> Lesion | None:
    """The box that is most likely the optic disc, or ``None`` if none is likely.

    Args:
        candidates: what a detector took for the disc.
        photo: decoded at any scale.
        fov: its field of view, found.
    """
    likely = [box for box in candidates if _has_shape(box.box, fov)]
    if not likely:
        return None
    rows = features(likely, photo, fov)
    odds = rows @ np.array(WEIGHTS) + INTERCEPT
    place = int(odds.argmax())
    return likely[place] if 1 / (1 + math.exp(-odds[place])) >= MIN_PROBABILITY else None


def features(candidates: Sequence[Lesion], photo: Photo, fov: FieldOfView) -> NDArray[np.float64]:
    """Measure candidates.

    Args:
        candidates: as for :func:`best`.
        photo: likewise.
        fov: likewise.

    Returns:
        ``float64 (N, 10)`` in the order of :data:`FEATURES`.
    """
    retina = _retina(photo, fov)
    rows = [_features(candidate, retina) for candidate in candidates]
    return np.array(rows, np.float64).reshape(len(candidates), len(FEATURES))


def has_shape_of_disc(candidate: Lesion, fov: FieldOfView) -> bool:
    """Whether size, shape and place of a box can be those of a disc."""
    return _has_shape(candidate.box, fov)


def warnings(disc: OpticDisc, fov: FieldOfView) -> tuple[str, ...]:
    """Sentences about a disc in an unusual place."""
    if disc.centre is None:
        return ()
    x, y = fov.to_unit().point(*disc.centre)
    steep = math.degrees(math.atan2(abs(y), abs(x))) > VERTICAL
    return (TURNED,) if steep and math.hypot(x, y) > OFF_CENTRE else ()


def _has_shape(box: Box, fov: FieldOfView) -> bool:
    if fov.radius is None or fov.stretch is None:
        return False
    x, y = fov.to_unit().point((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    height = box[3] - box[1]
    shape = (box[2] - box[0]) * fov.stretch / height if height > 0 else 0.0
    fits = SIZES[0] < diameter(box, fov) / fov.radius < SIZES[1]
    return fits and SHAPES[0] < shape < SHAPES[1] and math.hypot(x, y) <= 1.0


def _retina(photo: Photo, fov: FieldOfView) -> _Retina:
    square = field.crop(photo, fov, SIDE).astype(np.float32)
    axis = (np.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    lit = (np.hypot(axis[:, None], axis) < RIM) & (square.max(axis=2) > UNLIT)
    shown = lit.astype(np.float32)
    weight = _blurred(shown) + np.float32(1e-4)
    local, whole = [], []
    for channel in (0, 1):
        plane = square[..., channel]
        mean = _blurred(plane * shown) / weight
        spread = np.sqrt(_blurred((plane - mean) ** 2 * shown) / weight) + 2
        local.append((plane - mean) / spread)
        whole.append(plane / (float(plane[lit].mean()) + 1 if lit.any() else 1))
    to_square = field.crop_map(fov, SIDE)
    return _Retina(lit, (local[0], local[1]), (whole[0], whole[1]), square[..., 1], to_square)


def _blurred(plane: Plane) -> Plane:
    blurred: Plane = ndimage.gaussian_filter(plane, AROUND)
    return blurred


def _features(candidate: Lesion, retina: _Retina) -> list[float]:
    x0, y0, x1, y1 = retina.to_square.box(candidate.box)
    width, height = x1 - x0, y1 - y0
    axis = np.arange(SIDE) + 0.5
    across = (axis - (x0 + x1) / 2) / (width / 2)
    down = (axis - (y0 + y1) / 2) / (height / 2)
    distance = np.hypot(across, down[:, None])
    inside = retina.lit & (distance < INSIDE)
    ring = retina.lit & (distance > RING[0]) & (distance < RING[1])
    centre = math.hypot((x0 + x1) / SIDE - 1, (y0 + y1) / SIDE - 1)
    score = candidate.score
    first = [
        math.log(max(score, 0.02) / (1.02 - min(score, 0.99))),
        abs(math.log((width + height) / SIDE / USUAL_SIZE)),
        abs(math.log(width / height)),
        centre,
    ]
    if inside.sum() <= MIN_PIXELS or ring.sum() <= MIN_PIXELS:
        return [*first, *(0.0 for _ in FEATURES[len(first) :])]
    brighter = [
        float(plane[inside].mean() - np.median(plane[ring]))
        for channel in (0, 1)
        for plane in (retina.local[channel], retina.whole[channel])
    ]
    green, all_green = retina.green[inside], retina.green[retina.lit]
    low, high = np.percentile(green, (10, 80))
    vessels = float(high - low) / (float(all_green.mean()) + 1)
    return [*first, *brighter, vessels, float((all_green < np.median(green)).mean())]
