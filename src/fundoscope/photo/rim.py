"""The rim of the camera's aperture: an upright ellipse fitted to where the light ends.

All coordinates here are pixels of the working picture (see :mod:`fundoscope.photo.field`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fundoscope.geometry import Points

Signal = NDArray[np.float32]
"""``float32 (H, W)``: how far a pixel is from the border's colour, 0 (border) to 255."""

TRIALS: Final = 250
"""Random ellipses tried: with half of the points good, four good ones come once in 16 draws."""
VOTERS: Final = 240
"""Outline points that vote; more of them cost time and change nothing."""
INLIER: Final = 0.015
"""A point belongs to an ellipse when it lies within this share of the radius."""
CHORD: Final = 3.0
"""A run of the outline within one pixel of a straight row or column is a cut, not the top of an
arc, from this many times the length that a circle as wide as the picture has there, √(2 · side)."""
STRETCHES: Final = (0.55, 1.9)
"""Bounds of a believable stretch; cameras write 1:1 to 3:2, and either side may be squeezed."""
RADII: Final = (0.1, 1.6)
"""Bounds of a believable radius as a share of the picture's longer side."""
MIN_POINTS: Final = 8
"""Fewer rim points than this are not fitted."""
ROUNDS: Final = ((0.12, 180), (0.06, 180), (0.04, 360))
"""Half-width of the ring that is searched for the rim, as a share of the radius, and in how many
directions, round by round."""
RING_STEPS: Final = 49
LEVEL_STEPS: Final = 8
"""Innermost steps of the ring that tell the level inside."""
OUTSIDE_STEPS: Final = 4
"""Outermost steps within the picture that tell the level outside."""
MIN_CONTRAST: Final = 6.0
"""Grey levels between inside and outside that make a rim; noise and JPEG blocks stay below."""
DARK_CONTRAST: Final = 0.4
"""On a nearly black photograph this share of the level inside is enough."""
TUKEY: Final = 4.685
"""Tuning constant of Tukey's biweight (95 % efficiency on Gaussian errors)."""
FIT_ROUNDS: Final = 12
KEPT: Final = 0.1
"""A point of at least this weight supports the fit."""


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An upright ellipse with the points that support it.

    Attributes:
        x, y: centre.
        radius: vertical semi-axis.
        stretch: vertical over horizontal semi-axis.
        spread: robust residual of the points (1.48 x median absolute), as a share of the radius.
        stretch_error: standard error of ``stretch``; 0 where it was held fixed.
        coverage: share of the full circle's directions in which the rim was seen.
        agreement: share of the directions that the picture covers in which the rim was seen.
    """

    x: float
    y: float
    radius: float
    stretch: float
    spread: float = 0.0
    stretch_error: float = 0.0
    coverage: float = 0.0
    agreement: float = 0.0

    def distance(self, points: Points) -> NDArray[np.float64]:
        """Distance of ``(N, 2)`` points from the centre in radii; 1 on the rim."""
        return np.hypot((points[:, 0] - self.x) * self.stretch, points[:, 1] - self.y) / self.radius


def believable(ellipse: Ellipse, size: tuple[int, int]) -> bool:
    """Whether an ellipse can be an aperture's on a picture of ``size`` (width, height)."""
    width, height = size
    low, high = (bound * max(size) for bound in RADII)
    return (
        0 <= ellipse.x <= width
        and 0 <= ellipse.y <= height
        and low < ellipse.radius < high
        and low < ellipse.radius / ellipse.stretch < high
    )


def outline(mask: NDArray[np.bool_]) -> Points:
    """Where rows and columns enter and leave a mask: ``(N, 2)``, without the picture's own edges.

    Args:
        mask: ``bool (H, W)``, what is lit.
    """
    height, width = mask.shape
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    left = mask[rows].argmax(axis=1)
    right = width - mask[rows][:, ::-1].argmax(axis=1)
    top = mask[:, columns].argmax(axis=0)
    bottom = height - mask[::-1, columns].argmax(axis=0)
    chord = CHORD * np.sqrt(2 * max(height, width))
    sides = [
        np.stack([left, rows + 0.5], axis=1)[(left > 1) & ~_straight(left, chord)],
        np.stack([right, rows + 0.5], axis=1)[(right < width - 1) & ~_straight(right, chord)],
        np.stack([columns + 0.5, top], axis=1)[(top > 1) & ~_straight(top, chord)],
        np.stack([columns + 0.5, bottom], axis=1)[
            (bottom < height - 1) & ~_straight(bottom, chord)
        ],
    ]
    return np.concatenate(sides).astype(np.float64)


def _straight(edge: NDArray[np.intp], chord: float) -> NDArray[np.bool_]:
    """Which points of one side of an outline lie on a line too long to be the top of an arc.

    That is where the sensor, or a frame, cut the disc off.
    """
    counts = np.bincount(edge)
    band = np.convolve(counts, np.ones(3, dtype=int), mode="same")
    on_line: NDArray[np.bool_] = (band > chord)[edge]
    return on_line


def guess(points: Points, size: tuple[int, int], *, stretch: float | None = None) -> Ellipse | None:
    """The upright ellipse that most outline points agree on (random sample consensus).

    Args:
        points: ``(N, 2)`` from :func:`outline`.
        size: width and height of the picture.
        stretch: hold the stretch at this value; ``None`` leaves it free.

    Returns:
        ``None`` when there are too few points or no believable ellipse.
    """
    unknowns = 4 if stretch is None else 3
    if len(points) < 4 * unknowns:
        return None
    points = points[:: -(-len(points) // VOTERS)]
    generator = np.random.default_rng(0)
    # Centred and scaled coordinates keep the small systems well conditioned.
    scale = float(max(size))
    x, y = (points / scale).T
    draws = generator.integers(0, len(points), size=(TRIALS, unknowns))
    if stretch is None:
        terms = np.stack([x * x, x, y, np.ones_like(x)], axis=1)
        targets = -y * y
    else:
        terms = np.stack([x, y, np.ones_like(x)], axis=1)
        targets = -(y * y + (stretch * x) ** 2)
    systems = terms[draws]
    good = np.abs(np.linalg.det(systems)) > 1e-12
    if not good.any():
        return None
    solved = np.linalg.solve(systems[good], targets[draws[good]][..., None])[..., 0]
    square = solved[:, 0] if stretch is None else np.full(len(solved), stretch**2)
    linear_x, linear_y, constant = solved[:, -3], solved[:, -2], solved[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        stretches = np.sqrt(square)
        centre_x = -linear_x / (2 * square)
        centre_y = -linear_y / 2
        radii = np.sqrt(centre_y**2 + square * centre_x**2 - constant)
        possible = (
            (stretches > STRETCHES[0])
            & (stretches < STRETCHES[1])
            & (radii > RADII[0])
            & (radii < RADII[1])
            & (radii / stretches < RADII[1])
        )
    if not possible.any():
        return None
    stretches, centre_x, centre_y, radii = (
        value[possible] for value in (stretches, centre_x, centre_y, radii)
    )
    across = (x - centre_x[:, None]) * (stretches / radii)[:, None]
    down = (y - centre_y[:, None]) / radii[:, None]
    # |d² - 1| is 2·|d - 1| near the rim, and needs no square root.
    votes = (np.abs(across * across + down * down - 1) < 2 * INLIER).sum(axis=1)
    best = int(votes.argmax())
    return Ellipse(
        float(centre_x[best] * scale),
        float(centre_y[best] * scale),
        float(radii[best] * scale),
        float(stretches[best]),
    )


def refine(signal: Signal, start: Ellipse, *, free: bool) -> Ellipse:
    """Fit the ellipse to the rim itself, found below a pixel in each direction.

    Args:
        signal: ``float32 (H, W)``.
        start: a first guess within about a tenth of the radius.
        free: let the stretch move, else it stays at the guess's.
    """
    ellipse = start
    for reach, directions in ROUNDS:
        points, looked = rim_points(signal, ellipse, reach, directions)
        if len(points) < MIN_POINTS:
            break
        ellipse = fit(points, ellipse, directions, looked, free=free)
    return ellipse


def rim_points(
    signal: Signal, ellipse: Ellipse, reach: float, directions: int
) -> tuple[Points, int]:
    """Where the light falls to half of its level just inside, in each direction that shows it.

    Args:
        signal: ``float32 (H, W)``.
        ellipse: where to look.
        reach: half-width of the ring that is searched, as a share of the radius.
        directions: how many, evenly around.

    Returns:
        ``(N, 2)`` points, and in how many directions the picture covers the rim; those of them that
        show no fall of light give no point.
    """
    height, width = signal.shape
    angles = np.arange(directions) * (2 * np.pi / directions)
    radii = np.linspace(1 - reach, 1 + reach, RING_STEPS)
    x = ellipse.x + np.cos(angles)[:, None] * radii * (ellipse.radius / ellipse.stretch)
    y = ellipse.y + np.sin(angles)[:, None] * radii * ellipse.radius
    # Going outwards a ray leaves the picture once: the first `seen` steps are inside.
    seen = ((x > 0.5) & (x < width - 0.5) & (y > 0.5) & (y < height - 0.5)).sum(axis=1)
    rays = np.flatnonzero(seen >= LEVEL_STEPS + OUTSIDE_STEPS)
    if not len(rays):
        return np.empty((0, 2)), 0
    x, y, seen = x[rays], y[rays], seen[rays]
    ring = ndimage.map_coordinates(signal, [y - 0.5, x - 0.5], order=1, mode="nearest")
    steps = np.arange(RING_STEPS)
    ends = seen[:, None] - OUTSIDE_STEPS + np.arange(OUTSIDE_STEPS)
    level_in = np.median(ring[:, :LEVEL_STEPS], axis=1)
    level_out = np.take_along_axis(ring, ends, axis=1).mean(axis=1)
    contrast = min(MIN_CONTRAST, DARK_CONTRAST * float(np.median(level_in)))
    half = (level_in + level_out) / 2
    lit = (ring > half[:, None]) & (steps < seen[:, None])
    # The outermost crossing: vessels and dark spots inside the disc cross the level too.
    last = RING_STEPS - 1 - lit[:, ::-1].argmax(axis=1)
    usable = np.flatnonzero((level_in - level_out > contrast) & (last < seen - 1) & lit.any(axis=1))
    last = last[usable]
    high, low = ring[usable, last], ring[usable, last + 1]
    fraction = (high - half[usable]) / np.maximum(high - low, 1e-6)
    distance = radii[last] + fraction * (radii[1] - radii[0])
    angles = angles[rays[usable]]
    points = np.stack(
        [
            ellipse.x + np.cos(angles) * distance * (ellipse.radius / ellipse.stretch),
            ellipse.y + np.sin(angles) * distance * ellipse.radius,
        ],
        axis=1,
    )
    return points, len(rays)


def fit(points: Points, start: Ellipse, directions: int, looked: int, *, free: bool) -> Ellipse:
    """Robust least squares (Gauss-Newton with Tukey's weights) of an upright ellipse.

    Args:
        points: ``(N, 2)`` on the rim, a minority of them wrong.
        start: where to begin.
        directions: in how many directions the full circle was divided.
        looked: in how many of them the picture covers the rim.
        free: let the stretch move.
    """
    x0, y0, radius, stretch = start.x, start.y, start.radius, start.stretch
    weights = np.ones(len(points))
    spread = INLIER
    for _ in range(FIT_ROUNDS):
        dx, dy = points[:, 0] - x0, points[:, 1] - y0
        distance = np.maximum(np.hypot(dx * stretch, dy), 1e-9)
        residual = distance - radius
        spread = max(1.4826 * float(np.median(np.abs(residual))), 1e-3)
        ratio = np.clip(np.abs(residual) / (TUKEY * spread), 0, 1)
        weights = (1 - ratio**2) ** 2
        columns = [dx * stretch**2 / distance, dy / distance, np.ones_like(dx)]
        if free:
            columns.append(-(dx**2) * stretch / distance)
        design = np.stack(columns, axis=1)
        normal = design.T @ (weights[:, None] * design) + 1e-9 * np.eye(design.shape[1])
        step = np.linalg.solve(normal, design.T @ (weights * residual))
        x0, y0, radius = x0 + step[0], y0 + step[1], radius + step[2]
        if free:
            stretch = float(np.clip(stretch + step[3], *STRETCHES))
        if np.abs(step[:3]).max() < 1e-3:
            break
    error = 0.0
    if free:
        # Neighbouring directions share a pixel, so their errors are not independent.
        correlated = max(1.0, directions / (2 * np.pi * max(radius, 1.0)))
        error = float(spread * np.sqrt(correlated * np.linalg.inv(normal)[3, 3]))
    kept = int((weights > KEPT).sum())
    return Ellipse(
        float(x0),
        float(y0),
        float(radius),
        float(stretch),
        spread=float(spread / radius),
        stretch_error=error,
        coverage=kept / directions,
        agreement=kept / looked,
    )
