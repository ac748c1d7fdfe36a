"""The vessel tree: trunks along the arcades, branches that grow from them.

Everything is in field units (the disc of retina is the unit circle, x right, y down) of a right
eye. Calibres follow Murray's law: at a fork the cubes of the widths add up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
"""A nasal trunk, and a small vessel to macula or nose, to a temporal vein."""
SIZE: Final = (0.9, 1.12)
ARCADE_HEIGHT: Final = (0.86, 1.12)
SMALL_HEIGHT: Final = (0.6, 1.5)
SMALL_VEINS: Final = 0.4
"""How eyes differ: all widths, heights of the routes below, and the share of small veins."""
ROOT: Final = (0.015, 0.045)
APART: Final = 0.06
SHAKE: Final = 0.022
"""In disc-fovea distances: where a trunk leaves above or below the disc's centre, how far artery
and vein run from the middle of their route, and what chance adds."""
THINNEST: Final = 0.0030
"""Where a vessel ends: about 5 px of a 4288 px photograph."""
AVASCULAR: Final = 0.075
"""Radius around the fovea that no vessel enters; a quarter of a disc diameter."""
REACH: Final = 1.1
"""Growth ends this far from the field's centre."""
CELL: Final = 0.022
"""Grid on which a branch notices other vessels of its kind and ends before them."""
MOST_POINTS: Final = 260
"""Longest branch, in steps."""
BEND: Final = 0.028
BEND_KEPT: Final = 0.85
HOMING: Final = 0.05
"""A branch's heading in radians a step: what chance adds to its bend, how much of the bend stays,
and what share of the way to its territory's direction it turns."""
BRANCH_ANGLE: Final = (22.0, 52.0)
"""Degrees at which a branch leaves."""
TRUNK_GAPS: Final = (0.10, 0.26)
BRANCH_GAPS: Final = (0.09, 0.22)
"""Distance from one fork to the next."""
DEEPEST: Final = 4
BUD: Final = 5
"""Branches of fewer steps are left out."""
MACULA: Final = 0.6
MACULA_ALONG: Final = (0.06, 1.5)
"""The territory between the arcades: half height, and from where to where on the way from the disc
through the fovea, in disc-fovea distances."""
AHEAD: Final = 14
"""Steps ahead at which a new branch's territory is looked up."""
PAST: Final = np.radians(62.0)
"""A macular branch ends where the fovea lies this far to its side: it does not circle it."""
MACULAR_SHARE: Final = 0.55
"""Width of a branch into the macula relative to one outwards."""
"""Most forks between a trunk and a twig."""

TEMPORAL: Final = np.array(
    [(0, 0), (-0.02, 0.13), (0.05, 0.3), (0.22, 0.49), (0.5, 0.63), (0.85, 0.70), (1.2, 0.68),
     (1.55, 0.58), (1.95, 0.40)]
)  # fmt: skip
"""An arcade: temporal and upward, in disc-fovea distances from the disc; read off photographs."""
NASAL: Final = np.array([(0, 0), (-0.05, 0.13), (-0.2, 0.3), (-0.45, 0.5), (-0.8, 0.72), (-1.2, 1)])
MACULAR: Final = np.array([(0, 0), (0.12, 0.04), (0.3, 0.13), (0.52, 0.17), (0.72, 0.12)])
MEDIAL: Final = np.array([(0, 0), (-0.13, 0.02), (-0.35, 0.06), (-0.65, 0.05), (-0.95, 0.1)])


@dataclass(frozen=True, slots=True)
class Vessel:
    """One vessel from its root to its end: ``points (N, 2)``, ``widths (N,)`` in field units."""

    points: Points
    widths: Points
    vein: bool


@dataclass(frozen=True, slots=True)
class Poles:
    """The two points that the tree is built around."""

    disc: Points
    fovea: Points

    def frame(self) -> Points:
        """Unit vectors temporal and superior as rows, times the disc-fovea distance."""
        temporal = self.fovea - self.disc
        superior = np.array([temporal[1], -temporal[0]])
        return np.stack([temporal, superior if superior[1] < 0 else -superior])


@dataclass(frozen=True, slots=True)
class Sprout:
    """Where and how a branch starts."""

    start: Points
    heading: float
    width: float
    vein: bool
    depth: int


def grow(poles: Poles, rng: Generator) -> list[Vessel]:
    """A whole tree: trunks first, then every generation of branches."""
    occupied: dict[bool, dict[tuple[int, int], int]] = {True: {}, False: {}}
    vessels: list[Vessel] = []
    sprouts: list[Sprout] = []
    for trunk in _trunks(poles, rng):
        vessel, children = _branch_off(trunk, poles, rng, depth=0)
        vessels.append(vessel)
        _occupy(occupied[vessel.vein], vessel.points, len(vessels))
        sprouts += children
    while sprouts:
        sprouts.sort(key=lambda sprout: -sprout.width)
        sprout = sprouts.pop(0)
        path = _wander(sprout, poles, occupied[sprout.vein], rng)
        if path is None:
            continue
        grown = Vessel(path, np.full(len(path), sprout.width), sprout.vein)
        vessel, children = _branch_off(grown, poles, rng, depth=sprout.depth)
        vessels.append(vessel)
        _occupy(occupied[vessel.vein], vessel.points, len(vessels))
        sprouts += children
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
    """A smooth curve along a route that is moved sideways and shaken a little."""
    growing = np.minimum(np.arange(len(route)) / 3.0, 1.0)[:, None]
    tangent = np.gradient(route, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    shaken = route + growing * (offset * normal + rng.normal(0.0, SHAKE, route.shape))
    placed = poles.disc + shaken @ poles.frame()
    knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(placed, axis=0), axis=1))])
    along = np.arange(0.0, knots[-1], STEP)
    path = CubicSpline(knots, placed)(along) + _sway(len(along), rng)
    inside = np.linalg.norm(path, axis=1) < REACH
    length = len(path) if inside.all() else max(int(np.argmin(inside)), 2)
    return Vessel(path[:length], np.full(length, width), vein)


def _sway(count: int, rng: Generator) -> Points:
    """The slow sideways waver of a vessel, nought at its root."""
    waves = rng.uniform(0.1, 0.45, 3)
    phases = rng.uniform(0.0, 2.0 * np.pi, (2, 3))
    along = np.arange(count)[:, None, None] * STEP
    sway = np.sin(2.0 * np.pi * along / waves + phases) * (0.018 * waves)
    return np.asarray((sway - sway[:1]).sum(axis=2))


def _branch_off(
    vessel: Vessel, poles: Poles, rng: Generator, *, depth: int
) -> tuple[Vessel, list[Sprout]]:
    """Choose where branches leave, thin the vessel after each, and return both."""
    widths = vessel.widths.copy()
    children: list[Sprout] = []
    if depth >= DEEPEST:
        return replace(vessel, widths=_taper(widths)), children
    side = rng.choice([-1.0, 1.0])
    gaps = TRUNK_GAPS if depth == 0 else BRANCH_GAPS
    at = int(rng.uniform(*gaps) / STEP) + (8 if depth == 0 else 0)
    while at < len(widths) - 3:
        here = widths[at]
        child = here * rng.uniform(0.42, 0.78)
        forward = vessel.points[at + 1] - vessel.points[at - 1]
        angle = np.radians(rng.uniform(*BRANCH_ANGLE)) * side
        heading = float(np.arctan2(forward[1], forward[0]) + angle)
        ahead = AHEAD * STEP * np.array([np.cos(heading), np.sin(heading)])
        if _goal(vessel.points[at] + ahead, poles)[1]:
            child *= MACULAR_SHARE
        if child > THINNEST:
            children.append(Sprout(vessel.points[at], heading, child, vessel.vein, depth + 1))
            widths[at + 1 :] = (here**3 - child**3) ** (1 / 3)
        side = -side if rng.random() < 0.8 else side
        at += int(rng.uniform(*gaps) / STEP)
    return replace(vessel, widths=_taper(widths)), children


def _taper(widths: Points) -> Points:
    """Thin gently along the way, and to a point over the last steps."""
    count = len(widths)
    end = np.minimum((count - np.arange(count)) / 8.0, 1.0) ** 0.5
    smooth = np.convolve(np.pad(widths, 3, mode="edge"), np.full(7, 1 / 7), mode="valid")
    root = np.minimum(0.55 + np.arange(count) / 18.0, 1.0)
    return np.asarray(np.maximum(smooth * np.linspace(1.0, 0.8, count) * end * root, THINNEST / 2))


def _wander(
    sprout: Sprout, poles: Poles, occupied: dict[tuple[int, int], int], rng: Generator
) -> Points | None:
    """Let a branch run towards its territory until something ends it; None when it stays a bud."""
    reach = int(rng.uniform(0.6, 1.3) * (8.0 + sprout.width * 5500.0))
    point, heading, bend = sprout.start.copy(), sprout.heading, 0.0
    path = [point]
    own = {_cell(point)}
    for _ in range(min(reach, MOST_POINTS)):
        bend = BEND_KEPT * bend + rng.normal(0.0, BEND)
        goal, macular = _goal(point, poles)
        turn = (np.arctan2(goal[1], goal[0]) - heading + np.pi) % (2.0 * np.pi) - np.pi
        if macular and abs(turn) > PAST and len(path) > BUD:
            break
        heading += HOMING * turn + bend
        point = point + STEP * np.array([np.cos(heading), np.sin(heading)])
        cell = _cell(point)
        near_root = len(path) * STEP < 2.5 * CELL
        if (cell in occupied and cell not in own and not near_root) or _barred(point, poles):
            break
        own.add(cell)
        path.append(point)
    return np.array(path) if len(path) > BUD else None


def _goal(point: Points, poles: Poles) -> tuple[Points, bool]:
    """The way to the fovea inside the arcades, away from the disc outside; and which it is."""
    frame = poles.frame()
    along, across = (point - poles.disc) @ frame.T / float(np.sum(frame[0] ** 2))
    macular = MACULA_ALONG[0] < along < MACULA_ALONG[1] and abs(across) < MACULA
    return (poles.fovea - point, True) if macular else (point - poles.disc, False)


def _barred(point: Points, poles: Poles) -> bool:
    """Outside the field, or in the fovea's avascular zone."""
    return bool(np.hypot(*point) > REACH or np.hypot(*(point - poles.fovea)) < AVASCULAR)


def _cell(point: Points) -> tuple[int, int]:
    return int(point[0] // CELL), int(point[1] // CELL)


def _occupy(occupied: dict[tuple[int, int], int], points: Points, name: int) -> None:
    for point in points:
        occupied.setdefault(_cell(point), name)
