"""Which detected boxes are lesions: not the optic disc, not the border, and each lesion once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.geometry import Box
from fundoscope.reading import FieldOfView, Lesion, OpticDisc

BRIGHT: Final = ("hard_exudate", "soft_exudate")
DARK: Final = ("microaneurysm", "haemorrhage")
LOOK_ALIKE: Final = (BRIGHT, DARK)
"""Kinds that a detector may both see in one lesion."""
SAME: Final = 0.5
"""Two boxes of kinds that look alike are one lesion from this overlap on (area of the intersection
over that of the union, the usual hit rule)."""
NESTED: Final = 0.8
"""A box of which this share lies in another of its kind is the same lesion …"""
NESTED_AREA: Final = 0.35
"""… unless it is smaller than this share of the other: then it may be one spot of a group."""


def lesions_only(
    lesions: Sequence[Lesion], disc: OpticDisc, fov: FieldOfView
) -> tuple[Lesion, ...]:
    """The detected boxes that are lesions, each lesion once.

    Args:
        lesions: without landmarks, highest score first.
        disc: of the same photograph, found or not.
        fov: of the photograph, found.
    """
    able = [lesion for lesion in lesions if possible(lesion, disc, fov)]
    boxes = np.array([lesion.box for lesion in able], np.float64).reshape(-1, 4)
    kept = np.zeros(len(able), np.bool_)
    for place, lesion in enumerate(able):
        # Few boxes touch: the rest need not be compared one by one.
        touching = np.flatnonzero(kept[:place] & _touch(boxes[:place], boxes[place]))
        kept[place] = not any(_same(lesion, able[other]) for other in touching)
    return tuple(lesion for lesion, is_kept in zip(able, kept, strict=True) if is_kept)


def possible(lesion: Lesion, disc: OpticDisc, fov: FieldOfView) -> bool:
    """Whether a box can be a lesion: it lies on the retina, and no bright one on the disc."""
    on_disc = disc.box is not None and lesion.kind in BRIGHT and within_disc(lesion, disc.box)
    return not on_disc and on_retina(lesion.box, fov)


def on_retina(box: Box, fov: FieldOfView) -> bool:
    """Whether a box's centre lies in the field of view."""
    x, y = fov.to_unit().point((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return math.hypot(x, y) <= 1.0


def within_disc(lesion: Lesion, disc: Box) -> bool:
    """Whether a lesion lies mostly in the ellipse that a disc's box holds: its centre is there."""
    x = (lesion.box[0] + lesion.box[2] - disc[0] - disc[2]) / (disc[2] - disc[0])
    y = (lesion.box[1] + lesion.box[3] - disc[1] - disc[3]) / (disc[3] - disc[1])
    return math.hypot(x, y) <= 1.0


def _touch(boxes: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the boxes ``(N, 4)`` share an area with a box."""
    overlaps = (boxes[:, :2] < box[2:]) & (boxes[:, 2:] > box[:2])  # across, and down
    touch: NDArray[np.bool_] = overlaps[:, 0] & overlaps[:, 1]
    return touch


def _same(lesion: Lesion, better: Lesion) -> bool:
    """Whether a box shows the same lesion as one of a higher score."""
    shared = _shared(lesion.box, better.box)
    if not shared:
        return False
    first, second = _area(lesion.box), _area(better.box)
    if lesion.kind == better.kind:
        small, large = min(first, second), max(first, second)
        return shared >= NESTED * small and small >= NESTED_AREA * large
    alike = any(lesion.kind in kinds and better.kind in kinds for kinds in LOOK_ALIKE)
    return alike and shared >= SAME * (first + second - shared)


def _shared(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0.0) * max(height, 0.0)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
