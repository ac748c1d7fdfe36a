"""Lesions of each kind at known places, with the counts that the grade requires."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import hypot
from typing import Final, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial import KDTree

from fundoscope import kinds
from fundoscope.geometry import Points
from fundoscope.phantom.anatomy import Anatomy
from fundoscope.phantom.canvas import Patch, Stroke

Look = Literal["red", "dark", "waxy", "woolly", "lace"]
Visible = Callable[[Points], bool]
"""Whether all of the ``(N, 2)`` points are well inside the picture."""

MICROANEURYSM_RADIUS: Final = (0.0045, 0.0085)
"""Field units. IDRiD: a median side of 17 px where the field is 3,450 px wide, 0.01 in all."""
DOT_RADIUS: Final = (0.009, 0.017)
BLOT_RADIUS: Final = (0.02, 0.042)
FLAME_LENGTH: Final = (0.05, 0.11)
EXUDATE_RADIUS: Final = (0.0028, 0.0085)
LUMPS: Final = 26
"""Most lumps of one exudate."""
WOOL_RADIUS: Final = (0.03, 0.06)
"""Cotton-wool spots: a quarter to half a disc diameter across."""
BOAT_RADIUS: Final = (0.13, 0.22)
LACE_RADIUS: Final = (0.07, 0.12)
LOOPS: Final = (14, 24)
ON_DISC: Final = 0.4
TRUNKS: Final = 8
"""New vessels: spread, number of loops, share on the disc, and trunks that have the others."""
PER_QUADRANT: Final = 23
"""Haemorrhages in each quadrant in grade 3, which requires more than 20."""
APART: Final = 0.006
CLOSE: Final = 0.0015
"""Smallest gap between two lesions; exudates lie closer."""
BORDER: Final = 0.01
"""Smallest distance of a counted haemorrhage from a border of its quadrant."""
OFF_VESSEL: Final = 0.009
"""Smallest gap between the edge of a microaneurysm and the middle of a vessel."""
TRIES: Final = 400
"""Places tried for one lesion before it is left out."""
CORNERS: Final = 36
"""Points of an outline."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One lesion to draw.

    Attributes:
        kind: see :mod:`fundoscope.kinds`.
        outline: its extent, ``(N, 2)`` in field units.
        look: its appearance.
        level: its strength, 0 to 1.
        lumps: the parts of a clump, where it is more than the outline.
        strokes: the vessels of a neovascularisation.
    """

    kind: str
    outline: Points
    look: Look
    level: float
    lumps: tuple[Patch, ...] = ()
    strokes: tuple[Stroke, ...] = ()

    def patches(self) -> tuple[Patch, ...]:
        """The filled shapes to draw."""
        return self.lumps or ((self.outline, self.level),)


class _Ground:
    """Where a lesion may lie: visible, beside disc and vessels, with a gap to the others."""

    def __init__(self, anatomy: Anatomy, visible: Visible, rng: Generator) -> None:
        self.anatomy, self.visible, self.rng = anatomy, visible, rng
        self.taken: list[tuple[float, float, float]] = []
        thick = [v for v in anatomy.vessels if v.widths.max() > MICROANEURYSM_RADIUS[0]]
        self.vessels = KDTree(np.concatenate([vessel.points for vessel in thick]))

    def free(self, outline: Points, *, off_vessels: bool, gap: float) -> bool:
        """Whether the outline fits; if so, its place is occupied."""
        centre = outline.mean(axis=0)
        radius = float(np.linalg.norm(outline - centre, axis=1).max())
        x, y = centre.tolist()
        disc_x, disc_y = self.anatomy.disc.tolist()
        to_disc = hypot(x - disc_x, y - disc_y)
        if to_disc < 1.12 * self.anatomy.disc_radius + radius or not self.visible(outline):
            return False
        if off_vessels and self.vessels.query(centre)[0] < radius + OFF_VESSEL:
            return False
        if any(hypot(x - tx, y - ty) < radius + other + gap for tx, ty, other in self.taken):
            return False
        self.taken.append((x, y, radius))
        return True


def scatter(anatomy: Anatomy, grade: int, visible: Visible, rng: Generator) -> list[Mark]:
    """The lesions of an eye of a grade, the large ones first.

    Args:
        anatomy: of the eye.
        grade: 0 to 4 of the International scale.
        visible: whether points lie well inside the picture.
        rng: source of everything random.
    """
    if grade == 0:
        return []
    ground = _Ground(anatomy, visible, rng)
    marks: list[Mark] = []
    if grade == 4:
        marks += _proliferative(ground)
    if grade >= 2:
        marks += _many(ground, int(rng.integers(0, 4)), _wool)
        marks += _many(ground, int(rng.integers(1, 4)), _flame)
        marks += _many(ground, int(rng.integers(2, 6)), _blot)
    if grade >= 3:
        marks += _severe(ground, marks) if grade == 3 else _many(ground, 12, _dot)
    if grade >= 2:
        for _ in range(rng.integers(1, 4)):
            marks += _exudates(ground)
        marks += _many(ground, int(rng.integers(3, 12)), _dot)
    marks += _many(ground, int(rng.integers(2, 8) + 6 * (grade > 1)), _microaneurysm)
    return marks


def _quadrants(points: Points, centre: Points) -> NDArray[np.int64]:
    """0 to 3 for each ``(N, 2)`` point: above or below, left or right of the centre."""
    return np.asarray(2 * (points[:, 1] > centre[1]) + (points[:, 0] > centre[0]), dtype=np.int64)


def _many(ground: _Ground, count: int, make: Callable[[_Ground, Points], Mark]) -> list[Mark]:
    """Up to ``count`` lesions of one type anywhere in the field."""
    marks = []
    for _ in range(count):
        mark = _placed(ground, make, lambda: _anywhere(ground.rng))
        marks += [mark] if mark else []
    return marks


def _placed(
    ground: _Ground, make: Callable[[_Ground, Points], Mark], place: Callable[[], Points]
) -> Mark | None:
    """A lesion at a place where it fits; ``None`` after :data:`TRIES` places."""
    for _ in range(TRIES):
        mark = make(ground, place())
        waxy = mark.kind == kinds.HARD_EXUDATE.key
        off_vessels = waxy or mark.kind == kinds.MICROANEURYSM.key
        if ground.free(mark.outline, off_vessels=off_vessels, gap=CLOSE if waxy else APART):
            return mark
    return None


def _anywhere(rng: Generator) -> Points:
    """A point of the field, denser towards the middle, as lesions are."""
    radius, angle = rng.uniform(0.0, 1.0) ** 0.6, rng.uniform(0.0, 2.0 * np.pi)
    return np.array([radius * np.cos(angle), radius * np.sin(angle)])


def _severe(ground: _Ground, existing: list[Mark]) -> list[Mark]:
    """More than 20 haemorrhages in each quadrant, both around the disc and around the fovea."""
    marks: list[Mark] = []
    haemorrhages = [mark for mark in existing if mark.kind == kinds.HAEMORRHAGE.key]
    for centre in (ground.anatomy.disc, ground.anatomy.fovea):
        for number in range(4):
            centres = np.array([mark.outline.mean(axis=0) for mark in haemorrhages + marks])
            missing = PER_QUADRANT - int(np.sum(_quadrants(centres, centre) == number))
            for _ in range(missing):
                make = _dot if ground.rng.random() < 0.8 else _small_blot
                mark = _placed(ground, make, partial(_within, ground.rng, centre, number))
                marks += [mark] if mark else []
    return marks


def _within(rng: Generator, centre: Points, number: int) -> Points:
    """A point of one quadrant away from its borders."""
    while True:
        point = _anywhere(rng)
        clear = np.abs(point - centre).min() > BORDER
        if clear and _quadrants(point[None], centre)[0] == number:
            return point


def _blob(rng: Generator, centre: Points, radius: float, rough: float) -> Points:
    """A roundish outline; ``rough`` is the spread of its radius."""
    angles = np.linspace(0.0, 2.0 * np.pi, CORNERS, endpoint=False)
    waves = np.arange(2, 6)
    phases = rng.uniform(0.0, 2.0 * np.pi, len(waves))
    bumps = (np.cos(angles[:, None] * waves + phases) / waves * 2.0).sum(axis=1)
    radii = radius * np.maximum(1.0 + rough * bumps, 0.4)
    return np.asarray(centre + np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1))


def _microaneurysm(ground: _Ground, centre: Points) -> Mark:
    rng = ground.rng
    outline = _blob(rng, centre, rng.uniform(*MICROANEURYSM_RADIUS), 0.06)
    return Mark(kinds.MICROANEURYSM.key, outline, "red", rng.uniform(0.6, 0.9))


def _dot(ground: _Ground, centre: Points) -> Mark:
    rng = ground.rng
    radius = DOT_RADIUS[0] + (DOT_RADIUS[1] - DOT_RADIUS[0]) * rng.random() ** 1.6
    outline = _blob(rng, centre, radius, 0.1)
    return Mark(kinds.HAEMORRHAGE.key, outline, "red", rng.uniform(0.4, 0.9))


def _small_blot(ground: _Ground, centre: Points) -> Mark:
    rng = ground.rng
    outline = _blob(rng, centre, BLOT_RADIUS[0] * rng.uniform(0.8, 1.1), 0.14)
    return Mark(kinds.HAEMORRHAGE.key, outline, "red", rng.uniform(0.6, 0.95))


def _blot(ground: _Ground, centre: Points) -> Mark:
    rng = ground.rng
    outline = _blob(rng, centre, rng.uniform(*BLOT_RADIUS), 0.17)
    return Mark(kinds.HAEMORRHAGE.key, outline, "red", rng.uniform(0.7, 1.0))


def _flame(ground: _Ground, centre: Points) -> Mark:
    """A haemorrhage in the nerve-fibre layer: long, frayed, pointing at the disc."""
    rng = ground.rng
    away = centre - ground.anatomy.disc
    along = away / max(float(np.linalg.norm(away)), 1e-6)
    across = np.array([-along[1], along[0]])
    length = rng.uniform(*FLAME_LENGTH)
    frayed = _blob(rng, np.zeros(2), 1.0, 0.22) * (length / 2.0, length * rng.uniform(0.11, 0.2))
    frayed[::2] *= rng.uniform(0.7, 1.15, (len(frayed[::2]), 1))
    return Mark(
        kinds.HAEMORRHAGE.key, centre + frayed @ np.stack([along, across]), "red",
        rng.uniform(0.6, 0.9),
    )  # fmt: skip


def _wool(ground: _Ground, centre: Points) -> Mark:
    rng = ground.rng
    turn = rng.uniform(0.0, np.pi)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    flat = _blob(rng, np.zeros(2), rng.uniform(*WOOL_RADIUS), 0.3) * (1.0, rng.uniform(0.55, 0.9))
    outline = centre + flat @ axes
    return Mark(kinds.SOFT_EXUDATE.key, outline, "woolly", rng.uniform(0.35, 0.65))


def _exudates(ground: _Ground) -> list[Mark]:
    """A cluster or a ring of hard exudates, each a separate lesion."""
    rng = ground.rng
    middle = 0.75 * _anywhere(rng)
    ring = rng.random() < 0.4
    spread = rng.uniform(0.09, 0.16) if ring else rng.uniform(0.04, 0.1)

    def place() -> Points:
        angle = rng.uniform(0.0, 2.0 * np.pi)
        reach = spread * (rng.normal(1.0, 0.1) if ring else abs(rng.normal(0.0, 0.7)))
        return middle + reach * np.array([np.cos(angle), np.sin(angle)])

    marks = [_placed(ground, _clump, place) for _ in range(rng.integers(10, 34))]
    return [mark for mark in marks if mark]


def _clump(ground: _Ground, centre: Points) -> Mark:
    """One hard exudate: a speck, or lumps that merge into a ragged plaque."""
    rng = ground.rng
    size = EXUDATE_RADIUS[0] + (EXUDATE_RADIUS[1] - EXUDATE_RADIUS[0]) * rng.random() ** 2
    level = rng.uniform(0.45, 1.0)
    count = 1 + int(LUMPS * rng.random() ** 3.5)
    lumps: list[Patch] = []
    at = centre
    middles = [at]
    for _ in range(count):
        radius = size * rng.uniform(0.6, 1.15)
        lumps.append((_blob(rng, at, radius, 0.28), level * rng.uniform(0.75, 1.0)))
        angle = rng.uniform(0.0, 2.0 * np.pi)
        at = middles[rng.integers(len(middles))] + 1.1 * radius * np.array(
            [np.cos(angle), np.sin(angle)]
        )
        middles.append(at)
    outline = np.concatenate([lump for lump, _ in lumps])
    return Mark(kinds.HARD_EXUDATE.key, outline, "waxy", level, tuple(lumps))


def _proliferative(ground: _Ground) -> list[Mark]:
    """A boat-shaped preretinal haemorrhage, new vessels, or both."""
    rng = ground.rng
    which = rng.integers(0, 3)
    marks: list[Mark] = []
    if which != 1:
        boat = _placed(ground, _boat, lambda: 0.8 * _anywhere(rng))
        marks += [boat] if boat else []
    if which != 0 or not marks:
        marks.append(_lace(ground))
    return marks


def _boat(ground: _Ground, centre: Points) -> Mark:
    """Blood that settled between retina and vitreous: level above, round below."""
    rng = ground.rng
    radius = rng.uniform(*BOAT_RADIUS)
    outline = _blob(rng, np.zeros(2), radius, 0.05)
    outline[:, 1] = np.where(outline[:, 1] < 0, 0.12, rng.uniform(0.75, 1.0)) * outline[:, 1]
    return Mark(kinds.PRERETINAL_HAEMORRHAGE.key, centre + outline, "dark", 1.0)


def _lace(ground: _Ground) -> Mark:
    """New vessels on the disc or at a larger vessel, where all of them are visible."""
    rng, anatomy = ground.rng, ground.anatomy
    at_vessels = np.concatenate([vessel.points for vessel in anatomy.vessels[:TRUNKS]])
    middle = np.zeros(2)
    for _ in range(TRIES):
        on_disc = rng.random() < ON_DISC
        mark = _tangle(rng, anatomy.disc if on_disc else at_vessels[rng.integers(len(at_vessels))])
        if ground.visible(mark.outline):
            break
    else:
        mark = _tangle(rng, middle)
    x, y = mark.outline.mean(axis=0).tolist()
    ground.taken.append((x, y, LACE_RADIUS[1]))
    return mark


def _tangle(rng: Generator, centre: Points) -> Mark:
    """Fine tortuous vessels around a point; the outline is their box."""
    radius = rng.uniform(*LACE_RADIUS)
    strokes = tuple(_loop(rng, centre, radius) for _ in range(rng.integers(*LOOPS)))
    points = np.concatenate([points for points, _, _ in strokes])
    low, high = points.min(axis=0), points.max(axis=0)
    outline = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    return Mark(kinds.NEOVASCULARISATION.key, outline, "lace", 1.0, strokes=strokes)


def _loop(rng: Generator, centre: Points, radius: float) -> Stroke:
    """One tortuous vessel of the tangle."""
    steps = 34
    turns = np.cumsum(rng.normal(0.0, 0.55, steps)) + rng.uniform(0.0, 2.0 * np.pi)
    hops = radius * 0.07 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    points = np.cumsum(hops, axis=0) + rng.normal(0.0, radius * 0.25, 2)
    reach = np.linalg.norm(points, axis=1, keepdims=True)
    points = points * np.minimum(1.0, radius / np.maximum(reach, 1e-9))
    width = rng.uniform(0.0032, 0.006)
    return centre + points, np.full(steps, width), float(rng.uniform(0.5, 0.85))
