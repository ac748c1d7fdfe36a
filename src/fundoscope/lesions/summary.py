"""What lesions come to: counts and areas by kind, and the optic disc."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from fundoscope.geometry import Box
from fundoscope.kinds import LESIONS, OPTIC_DISC
from fundoscope.lesions.detector import Detector
from fundoscope.reading import Anatomy, FieldOfView, Lesion, LesionSummary, OpticDisc

NO_DETECTOR: Final = tuple(LesionSummary(kind, False, "no_detector") for kind in LESIONS)
"""Of a photograph on which no lesion was looked for."""
NO_FIELD: Final = tuple(LesionSummary(kind, False, "no_field") for kind in LESIONS)


def summarise(
    found: Sequence[Lesion], anatomy: Anatomy, detector: Detector, fov: FieldOfView
) -> tuple[LesionSummary, ...]:
    """An entry for every kind of lesion, in the order of :data:`fundoscope.kinds.LESIONS`.

    Args:
        found: what the detector found.
        anatomy: for the area of the disc.
        detector: which kinds were looked for.
        fov: of the photograph, found.
    """
    disc = _disc_area(anatomy.disc, fov)
    return tuple(_of_kind(kind, found, disc, detector, fov) for kind in LESIONS)


def _of_kind(
    kind: str,
    found: Sequence[Lesion],
    disc: float | None,
    detector: Detector,
    fov: FieldOfView,
) -> LesionSummary:
    if kind not in detector.manifest.minimum_radius:
        return LesionSummary(kind, False, "unknown_to_detector")
    if not detector.assesses(kind, fov):
        return LesionSummary(kind, False, "photograph_too_small")
    boxes = [lesion.box for lesion in found if lesion.kind == kind]
    area = union_area(boxes)
    return LesionSummary(kind, True, None, len(boxes), area, None if disc is None else area / disc)


def anatomy_of(
    found: Sequence[Lesion], detector: Detector, fov: FieldOfView
) -> tuple[Anatomy, tuple[Lesion, ...]]:
    """The landmarks among what was found, and the lesions without them."""
    lesions = tuple(one for one in found if one.kind in LESIONS)
    if not detector.assesses(OPTIC_DISC.key, fov):
        return Anatomy(), lesions
    discs = [one for one in found if one.kind == OPTIC_DISC.key]
    if not discs:
        return Anatomy(OpticDisc(found=False)), lesions
    best = max(discs, key=lambda one: one.score)
    x0, y0, x1, y1 = best.box
    diameter = ((x1 - x0) * (fov.stretch or 1.0) + (y1 - y0)) / 2
    disc = OpticDisc(True, best.box, ((x0 + x1) / 2, (y0 + y1) / 2), diameter, best.score)
    return Anatomy(disc), lesions


def _disc_area(disc: OpticDisc, fov: FieldOfView) -> float | None:
    """Of a circle of one disc diameter, in square pixels of the photograph."""
    if disc.diameter is None:
        return None
    return math.pi / 4 * disc.diameter**2 / (fov.stretch or 1.0)


def union_area(boxes: Sequence[Box]) -> float:
    """The area that boxes cover together, counted once where they overlap."""
    if not boxes:
        return 0.0
    corners = np.array(boxes, np.float64)
    xs, ys = np.unique(corners[:, [0, 2]]), np.unique(corners[:, [1, 3]])
    covered = np.zeros((len(ys), len(xs)), np.int32)
    # How many boxes begin and end at each corner of the grid that all edges make; summed up along
    # both axes it says how many lie over each of its cells.
    left, right = np.searchsorted(xs, corners[:, 0]), np.searchsorted(xs, corners[:, 2])
    top, bottom = np.searchsorted(ys, corners[:, 1]), np.searchsorted(ys, corners[:, 3])
    for rows, columns, value in (
        (top, left, 1),
        (bottom, right, 1),
        (top, right, -1),
        (bottom, left, -1),
    ):
        np.add.at(covered, (rows, columns), value)
    over = covered.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0
    return float((np.diff(ys)[:, None] * np.diff(xs)[None] * over).sum())
