"""The layout of an eye in field units (disc of retina = unit circle, x right, y down)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.random import Generator

from fundoscope.geometry import Points
from fundoscope.phantom.spec import Eye
from fundoscope.phantom.vessels import Poles, Vessel, grow

DISC_RADIUS: Final = (0.136, 0.166)
"""At 45 to 50 degrees the field is 6 to 7 disc diameters wide (IDRiD: 0.13 to 0.17)."""
FOVEA_DIAMETERS: Final = (2.35, 2.65)
"""Centre of the disc to the fovea, in disc diameters."""
FOVEA_DROP: Final = (2.0, 11.0)
"""Degrees by which the fovea lies below the disc."""
DISC_CENTRED: Final = 0.12
"""Share of photographs centred on the disc rather than the macula."""
CUP: Final = (0.28, 0.58)
"""Cup-to-disc ratio."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """One eye.

    Attributes:
        disc: its centre, ``(2,)``.
        disc_radius: its horizontal radius.
        tall: its height over its width.
        cup: cup-to-disc ratio.
        fovea: its centre, ``(2,)``.
        vessels: the tree, thin twigs last.
    """

    disc: Points
    disc_radius: float
    tall: float
    cup: float
    fovea: Points
    vessels: tuple[Vessel, ...]


def lay_out(eye: Eye, rng: Generator, *, centred: bool) -> Anatomy:
    """The anatomy of a random eye.

    Args:
        eye: a left eye is the mirror image of a right one.
        rng: source of everything random.
        centred: whether disc and fovea must both lie well inside, for counts by quadrant.
    """
    radius = rng.uniform(*DISC_RADIUS)
    distance = 2.0 * radius * rng.uniform(*FOVEA_DIAMETERS)
    drop = np.radians(rng.uniform(*FOVEA_DROP))
    to_fovea = distance * np.array([-np.cos(drop), np.sin(drop)])
    share = rng.uniform(0.75, 1.0) if rng.random() < DISC_CENTRED else rng.uniform(0.0, 0.28)
    jitter = rng.normal(0.0, 0.035, 2)
    fovea = (0.36 if centred else share) * to_fovea + jitter
    disc = fovea - to_fovea
    tall, cup = rng.uniform(1.0, 1.12), rng.uniform(*CUP)
    vessels = tuple(grow(Poles(complex(*disc), complex(*fovea)), rng))
    anatomy = Anatomy(disc, radius, tall, cup, fovea, vessels)
    return anatomy if eye == "right" else _mirrored(anatomy)


def _mirrored(anatomy: Anatomy) -> Anatomy:
    """The mirror image: the other eye."""
    turn = np.array([-1.0, 1.0])
    vessels = tuple(replace(vessel, points=vessel.points * turn) for vessel in anatomy.vessels)
    return replace(anatomy, disc=anatomy.disc * turn, fovea=anatomy.fovea * turn, vessels=vessels)
