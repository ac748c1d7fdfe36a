"""Coordinate maps and boxes.

Coordinates are continuous: x to the right, y down. The first pixel covers 0 to 1 on both axes.
Boxes are ``[x0, y0, x1, y1]``, float, half-open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""``float64 (N, 2)``: x and y of each point."""

Box = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)``, half-open."""


def clipped(box: Box, width: float, height: float) -> Box:
    """The part of a box that lies on a picture; it has no area where none does.

    Args:
        box: in the picture's pixels.
        width: of the picture.
        height: likewise.
    """
    x0, x1 = (min(max(x, 0.0), width) for x in (box[0], box[2]))
    y0, y1 = (min(max(y, 0.0), height) for y in (box[1], box[3]))
    return x0, y0, x1, y1


@dataclass(frozen=True, slots=True)
class Affine:
    """An affine map between two coordinate systems.

    ``x' = xx·x + xy·y + x0`` and ``y' = yx·x + yy·y + y0``.
    """

    xx: float = 1.0
    xy: float = 0.0
    x0: float = 0.0
    yx: float = 0.0
    yy: float = 1.0
    y0: float = 0.0

    @classmethod
    def scale(cls, sx: float, sy: float | None = None) -> Affine:
        """Scale x by ``sx`` and y by ``sy`` about the origin; ``sy`` defaults to ``sx``."""
        return cls(xx=sx, yy=sx if sy is None else sy)

    @classmethod
    def shift(cls, dx: float, dy: float) -> Affine:
        """Move by ``dx`` and ``dy``."""
        return cls(x0=dx, y0=dy)

    def then(self, after: Affine) -> Affine:
        """The composed map: first this one, then ``after``."""
        return Affine(
            xx=after.xx * self.xx + after.xy * self.yx,
            xy=after.xx * self.xy + after.xy * self.yy,
            x0=after.xx * self.x0 + after.xy * self.y0 + after.x0,
            yx=after.yx * self.xx + after.yy * self.yx,
            yy=after.yx * self.xy + after.yy * self.yy,
            y0=after.yx * self.x0 + after.yy * self.y0 + after.y0,
        )

    def inverse(self) -> Affine:
        """The inverse map.

        Raises:
            ValueError: the map is singular, so it has no inverse.
        """
        determinant = self.xx * self.yy - self.xy * self.yx
        if determinant == 0.0 or not np.isfinite(determinant):
            raise ValueError(f"this map has no inverse: {self}")
        xx, xy = self.yy / determinant, -self.xy / determinant
        yx, yy = -self.yx / determinant, self.xx / determinant
        return Affine(
            xx=xx,
            xy=xy,
            x0=-(xx * self.x0 + xy * self.y0),
            yx=yx,
            yy=yy,
            y0=-(yx * self.x0 + yy * self.y0),
        )

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Map one point."""
        return (self.xx * x + self.xy * y + self.x0, self.yx * x + self.yy * y + self.y0)

    def points(self, points: Points) -> Points:
        """Map points, ``float (N, 2)`` of x and y, to ``float64 (N, 2)``."""
        matrix = np.array([[self.xx, self.yx], [self.xy, self.yy]])
        mapped: Points = np.asarray(points, dtype=np.float64) @ matrix + (self.x0, self.y0)
        return mapped

    def box(self, box: Box) -> Box:
        """Map a box: the smallest upright box around its four mapped corners."""
        x0, y0, x1, y1 = box
        corners = self.points(np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]]))
        low, high = corners.min(axis=0), corners.max(axis=0)
        return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
