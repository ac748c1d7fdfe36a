"""The place of the disc of retina in the picture, and its visible part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from fundoscope.geometry import Affine, Points
from fundoscope.phantom.spec import PhantomSpec

FULL: Final = (0.86, 0.985)
"""Radius over the shorter half side where the whole disc is visible."""
CLIPPED: Final = (1.04, 1.28)
"""The same where the picture cuts it; IDRiD has 1.2."""
WIDEST: Final = 0.985
"""Largest radius of a clipped disc over the longer half side, so that two rims are visible ..."""
CORNERS_DARK: Final = 0.95
"""... and over the half diagonal, so that the corners lie outside it."""
INSCRIBED: Final = (1.0, 1.01)
"""Radius over the half diagonal of a square crop, which is inscribed in the disc."""
OFF_CENTRE: Final = 0.025
"""Spread of the centre of the disc, in shorter half sides."""
FRAME: Final = (0.02, 0.07)
"""Thickness of a coloured frame, in shorter sides."""
SEEN: Final = 0.94
"""Lesions lie within this radius, away from the dim rim ..."""
MARGIN: Final = 0.03
"""... and this far, in field units, from an edge of the picture."""


@dataclass(frozen=True, slots=True)
class Framing:
    """The disc in the picture.

    Attributes:
        left, top, right, bottom: edges of the photograph inside its frame, in pixels.
        centre, radius, stretch: of the disc, as in :class:`fundoscope.phantom.spec.TrueField`.
    """

    left: int
    top: int
    right: int
    bottom: int
    centre: tuple[float, float]
    radius: float
    stretch: float

    @property
    def to_pixels(self) -> Affine:
        """The map from field units to pixels."""
        return Affine.scale(self.radius / self.stretch, self.radius).then(
            Affine.shift(*self.centre)
        )

    @property
    def clipped(self) -> bool:
        """Whether an edge cuts the disc."""
        (x, y), wide = self.centre, self.radius / self.stretch
        return (
            x - wide < self.left
            or x + wide > self.right
            or y - self.radius < self.top
            or y + self.radius > self.bottom
        )

    def sees(self, points: Points) -> bool:
        """Whether ``(N, 2)`` points in field units all lie well inside disc and picture."""
        unit = self.to_pixels.inverse()
        low = np.array(unit.point(self.left, self.top)) + MARGIN
        high = np.array(unit.point(self.right, self.bottom)) - MARGIN
        inside = (points > low) & (points < high)
        return bool(inside.all() and np.hypot(points[:, 0], points[:, 1]).max() < SEEN)


def choose(spec: PhantomSpec, rng: Generator) -> Framing:
    """Place the disc by the spec; the same seed gives the same place at any size."""
    thickness, size, offset = rng.uniform(*FRAME), rng.random(), rng.normal(0.0, OFF_CENTRE, 2)
    short = min(spec.width, spec.height)
    edge = max(2, round(thickness * short)) if "frame" in spec.shape else 0
    half = np.array([spec.width / 2 - edge, spec.height / 2 - edge])
    true_half = half * (spec.stretch, 1.0)
    low, high, diagonal = true_half.min(), true_half.max(), float(np.hypot(*true_half))
    if spec.framing == "square":
        radius = diagonal * _between(INSCRIBED, size)
        offset = np.zeros(2)
    elif spec.framing == "clipped":
        radius = min(low * _between(CLIPPED, size), max(high * WIDEST, low * CLIPPED[0]))
        radius = min(radius, diagonal * CORNERS_DARK)
    else:
        radius = low * _between(FULL, size)
    slack = np.abs(true_half - radius)
    moved = np.where(true_half > radius, np.clip(offset * low, -slack, slack), offset * low)
    centre = half + edge + moved / (spec.stretch, 1.0)
    return Framing(
        edge, edge, spec.width - edge, spec.height - edge,
        (round(float(centre[0]), 3), round(float(centre[1]), 3)), round(float(radius), 3),
        spec.stretch,
    )  # fmt: skip


def _between(bounds: tuple[float, float], share: float) -> float:
    return bounds[0] + share * (bounds[1] - bounds[0])
