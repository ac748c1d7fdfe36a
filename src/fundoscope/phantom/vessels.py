"""The vessel tree: trunks along the arcades, and branches that grow from them.

Coordinates are field units (the disc of retina is the unit circle, x right, y down) of a right eye.
Calibres follow Murray's law: at a fork the cubes of the widths add up.
"""

from __future__ import annotations

from cmath import phase, rect
from dataclasses import dataclass, replace
from math import pi, radians
from typing import Final

import numpy as np
from numpy.random import Generator
from scipy.interpolate import CubicSpline

from fundoscope.geometry import Points

STEP: Final = 0.012
"""Length of one step of growth."""
VEIN_WIDTH: Final = 0.0275
"""Of a temporal vein at the disc: about a tenth of the disc's diameter, as in IDRiD."""
ARTERY_RATIO: Final = 0.72
"""Artery to vein; 2:3 to 4:5 is normal."""
NASAL_RATIO: Final = 0.72
SMALL_RATIO: Final = (0.26, 0.40)
"""Width of a nasal trunk, and of a small vessel to macula or nose, relative to a temporal vein."""
SIZE: Final = (0.9, 1.12)
ARCADE_HEIGHT: Final = (0.86, 1.12)
SMALL_HEIGHT: Final = (0.6, 1.5)
SMALL_VEINS: Final = 0.4
"""Differences of eyes: all widths, heights of the routes below, and the share of small veins."""
ROOT: Final = (0.004, 0.014)
APART: Final = 0.06
SHAKE: Final = 0.022
"""In disc-fovea distances: where a trunk leaves above or below the centre of the disc, the distance
of artery and vein from the middle of their route, and random variation."""
THINNEST: Final = 0.0030
"""Width at which a vessel ends: about 5 px of a 4288 px photograph."""
AVASCULAR: Final = 0.075
"""Radius around the fovea that no vessel enters; a quarter of a disc diameter."""
REACH: Final = 1.1
"""Growth ends at this distance from the centre of the field."""
CELL: Final = 0.022
"""Cell of the grid on which a branch detects other vessels of its type and ends before them."""
LENGTH: Final = (0.6, 1.3)
SHORTEST: Final = 8.0
STEPS_A_WIDTH: Final = 5500.0
MOST_STEPS: Final = 260
"""Steps of a branch: a random factor, times a minimum plus a number by its width; the maximum."""
BEND: Final = 0.028
BEND_KEPT: Final = 0.85
HOMING: Final = 0.05
"""Heading of a branch in radians per step: random change of its bend, the share of the bend that
is kept, and the share of the turn towards the direction of its territory."""
BRANCH_ANGLE: Final = (22.0, 52.0)
"""Degrees at which a branch leaves."""
TRUNK_GAPS: Final = (0.10, 0.26)
BRANCH_GAPS: Final = (0.09, 0.22)
"""Distance from one fork to the next."""
CHILD: Final = (0.42, 0.78)
ALTERNATE: Final = 0.8
DISC_STEPS: Final = 8
"""Width of a branch relative to its parent, the share of alternating sides, and the steps of a
trunk from its root that have no branches."""
WAVES: Final = (0.10, 0.45)
SWAY: Final = 0.018
"""Wavelengths of the sway of a trunk, and its amplitude relative to them."""
TAPER: Final = 0.8
TIP_STEPS: Final = 8.0
ROOT_SHARE: Final = 0.55
ROOT_STEPS: Final = 18.0
"""Width at the end relative to the start, the steps of the tip, and the narrower root: its width,
and the rate at which it widens."""
ROOT_CELLS: Final = 2.5
"""Cells from its root within which a branch may touch vessels of its type, such as its parent."""
DEEPEST: Final = 4
"""Most forks between a trunk and a twig."""
BUD: Final = 5
"""Branches of fewer steps are left out."""
MACULA: Final = 0.6
MACULA_ALONG: Final = (0.06, 1.5)
"""The territory between the arcades: half height, and start and end on the line from the disc
through the fovea, in disc-fovea distances."""
AHEAD: Final = 14
"""Steps ahead at which the territory of a new branch is determined."""
PAST: Final = radians(62.0)
"""A macular branch ends where the fovea lies this far to its side: it does not circle it."""
MACULAR_SHARE: Final = 0.55
"""Width of a branch into the macula relative to one outwards."""

Cell = tuple[int, int]

TEMPORAL: Final = np.array(
    [(0, 0), (-0.02, 0.13), (0.05, 0.3), (0.22, 0.49), (0.5, 0.63), (0.85, 0.70), (1.2, 0.68),
     (1.55, 0.58), (1.95, 0.40)]
)  # fmt: skip
"""An arcade: temporal and upward, in disc-fovea distances from the disc; from photographs."""
NASAL: Final = np.array([(0, 0), (-0.05, 0.13), (-0.2, 0.3), (-0.45, 0.5), (-0.8, 0.72), (-1.2, 1)])
MACULAR: Final = np.array([(0, 0), (0.12, 0.04), (0.3, 0.13), (0.52, 0.17), (0.72, 0.12)])
MEDIAL: Final = np.array([(0, 0), (-0.13, 0.02), (-0.35, 0.06), (-0.65, 0.05), (-0.95, 0.1)])


@dataclass(frozen=True, slots=True)
class Vessel:
    """One vessel from its root to its end.

    Attributes:
        points: ``(N, 2)`` in field units.
        widths: ``(N,)`` in field units.
        vein: whether it is a vein rather than an artery.
    """

    points: Points
    widths: Points
    vein: bool


@dataclass(frozen=True, slots=True)
class Poles:
    """Disc and fovea, around which the tree grows, as complex numbers x + iy."""

    disc: complex
    fovea: complex

    def macular(self, place: complex) -> bool:
        """Whether a place lies between the arcades."""
        start, end = MACULA_ALONG
        way = (place - self.disc) / (self.fovea - self.disc)
        return start < way.real < end and abs(way.imag) < MACULA

    def barred(self, place: complex) -> bool:
        """Whether no vessel grows there: outside the field, or in the avascular zone."""
        return abs(place) > REACH or abs(place - self.fovea) < AVASCULAR

    def placed(self, route: Points) -> Points:
        """A route, temporal and upward in disc-fovea distances from the disc, in field units."""
        way = self.fovea - self.disc
        upward = way * (1j if way.real < 0 else -1j)
        at = self.disc + route[:, 0] * way + route[:, 1] * upward
        return np.stack([at.real, at.imag], axis=1)


@dataclass(frozen=True, slots=True)
class Sprout:
    """The start of a branch.

    Attributes:
        start: its root, x + iy.
        heading: in radians.
        width: in field units.
        vein: whether it is a vein.
        depth: the number of forks before it.
    """

    start: complex
    heading: float
    width: float
    vein: bool
    depth: int


def grow(poles: Poles, rng: Generator) -> list[Vessel]:
    """A whole tree: trunks first, then branches, the widest first."""
    taken: dict[bool, set[Cell]] = {True: set(), False: set()}
    vessels: list[Vessel] = []
    sprouts: list[Sprout] = []

    def add(grown: Vessel, depth: int) -> None:
        vessel, children = _branch_off(grown, poles, rng, depth=depth)
        vessels.append(vessel)
        taken[vessel.vein] |= _cells(vessel.points)
        sprouts.extend(children)

    for trunk in _trunks(poles, rng):
        add(trunk, 0)
    while sprouts:
        sprouts.sort(key=lambda sprout: -sprout.width)
        sprout = sprouts.pop(0)
        path = _wander(sprout, poles, taken[sprout.vein], rng)
        if path is not None:
            add(Vessel(path, np.full(len(path), sprout.width), sprout.vein), sprout.depth)
    return vessels


def _trunks(poles: Poles, rng: Generator) -> list[Vessel]:
    """Artery and vein of each of the four trunks, and the small vessels to macula and nose."""
    size = rng.uniform(*SIZE) * VEIN_WIDTH
    trunks = []
    for side in (1.0, -1.0):
        upward = side * rng.uniform(*ARCADE_HEIGHT)
        root = np.array([0.0, side * rng.uniform(*ROOT)])
        for route, share, apart in ((TEMPORAL, 1.0, APART), (NASAL, NASAL_RATIO, APART)):
            inner = rng.choice([-1.0, 1.0])
            for vein in (True, False):
                offset = apart * (inner if vein else -inner)
                width = size * share * (1.0 if vein else ARTERY_RATIO)
                shape = root + route * (1.0, upward)
                trunks.append(_trunk(shape, offset, width, vein, poles, rng))
        for route in (MACULAR, MEDIAL):
            for _ in range(rng.integers(1, 3)):
                shape = root + route * (1.0, side * rng.uniform(*SMALL_HEIGHT))
                width = size * rng.uniform(*SMALL_RATIO)
                vein = bool(rng.random() < SMALL_VEINS)
                trunks.append(_trunk(shape, 0.0, width, vein, poles, rng))
    return trunks


def _trunk(
    route: Points, offset: float, width: float, vein: bool, poles: Poles, rng: Generator
) -> Vessel:
    """A smooth curve along a route, moved sideways and varied at random."""
    growing = np.minimum(np.arange(len(route)) / 3.0, 1.0)[:, None]
    tangent = np.gradient(route, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    shaken = route + growing * (offset * normal + rng.normal(0.0, SHAKE, route.shape))
    placed = poles.placed(shaken)
    knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(placed, axis=0), axis=1))])
    along = np.arange(0.0, knots[-1], STEP)
    path = CubicSpline(knots, placed)(along) + _sway(len(along), rng)
    inside = np.linalg.norm(path, axis=1) < REACH
    length = len(path) if inside.all() else max(int(np.argmin(inside)), 2)
    return Vessel(path[:length], np.full(length, width), vein)


def _sway(count: int, rng: Generator) -> Points:
    """The slow sideways sway of a vessel, 0 at its root."""
    waves = rng.uniform(*WAVES, 3)
    phases = rng.uniform(0.0, 2.0 * np.pi, (2, 3))
    along = np.arange(count)[:, None, None] * STEP
    sway = np.sin(2.0 * np.pi * along / waves + phases) * (SWAY * waves)
    return np.asarray((sway - sway[:1]).sum(axis=2))


def _branch_off(
    vessel: Vessel, poles: Poles, rng: Generator, *, depth: int
) -> tuple[Vessel, list[Sprout]]:
    """Choose where branches leave, and reduce the width of the vessel after each."""
    widths = vessel.widths.copy()
    children: list[Sprout] = []
    if depth >= DEEPEST:
        return replace(vessel, widths=_taper(widths)), children
    side = rng.choice([-1.0, 1.0])
    gaps = TRUNK_GAPS if depth == 0 else BRANCH_GAPS
    at = int(rng.uniform(*gaps) / STEP) + (DISC_STEPS if depth == 0 else 0)
    while at < len(widths) - 3:
        here = widths[at]
        child = here * rng.uniform(*CHILD)
        before, here_at, after = (complex(*vessel.points[at + step]) for step in (-1, 0, 1))
        angle = radians(rng.uniform(*BRANCH_ANGLE)) * side
        heading = phase(after - before) + angle
        if poles.macular(here_at + rect(AHEAD * STEP, heading)):
            child *= MACULAR_SHARE
        if child > THINNEST:
            children.append(Sprout(here_at, heading, child, vessel.vein, depth + 1))
            widths[at + 1 :] = (here**3 - child**3) ** (1 / 3)
        side = -side if rng.random() < ALTERNATE else side
        at += int(rng.uniform(*gaps) / STEP)
    return replace(vessel, widths=_taper(widths)), children


def _taper(widths: Points) -> Points:
    """Reduce widths gradually along the vessel, and to a point over the last steps."""
    count = len(widths)
    end = np.minimum((count - np.arange(count)) / TIP_STEPS, 1.0) ** 0.5
    smooth = np.convolve(np.pad(widths, 3, mode="edge"), np.full(7, 1 / 7), mode="valid")
    root = np.minimum(ROOT_SHARE + np.arange(count) / ROOT_STEPS, 1.0)
    return np.asarray(
        np.maximum(smooth * np.linspace(1.0, TAPER, count) * end * root, THINNEST / 2)
    )


def _wander(sprout: Sprout, poles: Poles, taken: set[Cell], rng: Generator) -> Points | None:
    """Grow a branch towards its territory until something ends it; ``None`` if it stays a bud."""
    steps = int(rng.uniform(*LENGTH) * (SHORTEST + sprout.width * STEPS_A_WIDTH))
    place, heading, bend = sprout.start, sprout.heading, 0.0
    path, own = [place], {_cell(place)}
    for chance in rng.normal(0.0, BEND, min(steps, MOST_STEPS)).tolist():
        bend = BEND_KEPT * bend + chance
        macular = poles.macular(place)
        goal = poles.fovea - place if macular else place - poles.disc
        turn = (phase(goal) - heading + pi) % (2.0 * pi) - pi
        if macular and abs(turn) > PAST and len(path) > BUD:
            break
        heading += HOMING * turn + bend
        place += rect(STEP, heading)
        cell = _cell(place)
        met = cell in taken and cell not in own and len(path) * STEP > ROOT_CELLS * CELL
        if met or poles.barred(place):
            break
        own.add(cell)
        path.append(place)
    return np.array([(at.real, at.imag) for at in path]) if len(path) > BUD else None


def _cell(place: complex) -> Cell:
    return int(place.real // CELL), int(place.imag // CELL)


def _cells(points: Points) -> set[Cell]:
    return {_cell(complex(x, y)) for x, y in points.tolist()}
