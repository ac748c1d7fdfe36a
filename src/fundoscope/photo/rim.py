"""The rim of the camera's aperture: an upright ellipse fitted to the edge of the light.

All coordinates are pixels of the small copy that :mod:`fundoscope.photo.field` works on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fundoscope.geometry import Points

Signal = NDArray[np.float32]
"""``float32 (H, W)``: difference of each pixel from the border's colour, 0 (border) to 255."""

TRIALS: Final = (50, 200)
"""Random ellipses tried at first, and further ones if too few points agree on the best of them. If
half of the points are good, one draw in 16 has four good points."""
AGREED: Final = 0.7
"""The share of the points that is enough."""
VOTERS: Final = 240
"""Outline points that vote; more take longer and change nothing."""
INLIER: Final = 0.015
"""A point within this distance of an ellipse, as a share of the radius, belongs to it."""
CHORD: Final = 3.0
"""How long a straight part of the outline must be to count as a cut edge rather than the top of an
arc: a multiple of √(2 · side), the length within one pixel of a line on a circle as wide as the
picture."""
STRETCHES: Final = (0.55, 1.9)
"""Bounds of a plausible stretch: cameras write 1:1 to 3:2, and either side may be squeezed."""
RADII: Final = (0.1, 1.6)
"""Bounds of a plausible radius, as a share of the picture's longer side."""
MIN_POINTS: Final = 8
"""The fewest rim points that are fitted."""
ROUNDS: Final = ((0.12, 180), (0.06, 180), (0.04, 360))
"""The rounds of the search: half-width of the ring that is searched, as a share of the radius, and
the number of directions."""
QUICK_ROUNDS: Final = ((0.12, 60), (0.04, 120))
"""The rounds that are tried first. They are enough for most photographs."""
CLEAN_SPREAD, CLEAN_COVERAGE = 0.0025, 0.4
"""A fit is clean if its spread is below the first and its coverage above the second. The best
circle on one squeezed photograph had a spread of 0.0016, but covered only a sixth of the rim."""
RING_STEPS: Final = 49
"""Samples across the ring."""
LEVEL_STEPS: Final = 8
"""Innermost samples of the ring, which give the level inside."""
OUTSIDE_STEPS: Final = 4
"""Outermost samples within the picture, which give the level outside."""
MIN_CONTRAST: Final = 6.0
"""Least difference of the levels inside and outside, 0 to 255; noise and JPEG blocks stay below."""
DARK_CONTRAST: Final = 0.4
"""On a nearly black photograph, this share of the level inside is enough."""
TUKEY: Final = 4.685
"""Tuning constant of Tukey's biweight (95 % efficiency on Gaussian errors)."""
FIT_ROUNDS: Final = 12
"""Most iterations of the robust fit."""
NORMAL_MEDIAN: Final = 1.4826
"""Standard deviation over median absolute residual, for Gaussian errors."""
LEAST_SPREAD, LEAST_STEP = 1e-3, 1e-3
"""In pixels: the fit counts no residual as smaller, and ends at a smaller step."""
SINGULAR, TINY = 1e-12, 1e-9
"""A determinant up to the first counts as 0; the second keeps divisors above 0."""
KEPT: Final = 0.1
"""A point with at least this weight, 0 to 1, supports the fit."""


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An upright ellipse, and how well the points support it.

    Attributes:
        x: of the centre.
        y: of the centre.
        radius: vertical semi-axis.
        stretch: vertical over horizontal semi-axis.
        spread: robust residual of the points (1.48 times the median absolute residual), as a share
            of the radius.
        stretch_error: standard error of ``stretch``; 0 if the stretch was fixed.
        coverage: share of all directions in which the rim was seen.
        agreement: share of the directions covered by the picture in which the rim was seen.
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
        """Distance of points from the centre, as a multiple of the radius: 1 on the rim.

        Args:
            points: ``float (N, 2)``.

        Returns:
            ``float64 (N,)``.
        """
        return np.hypot((points[:, 0] - self.x) * self.stretch, points[:, 1] - self.y) / self.radius


def believable(ellipse: Ellipse, size: tuple[int, int]) -> bool:
    """Whether an ellipse can be an aperture.

    Args:
        ellipse: to check.
        size: width and height of the picture.
    """
    width, height = size
    low, high = (bound * max(size) for bound in RADII)
    return (
        0 <= ellipse.x <= width
        and 0 <= ellipse.y <= height
        and low < ellipse.radius < high
        and low < ellipse.radius / ellipse.stretch < high
    )


def outline(mask: NDArray[np.bool_]) -> Points:
    """The points where rows and columns enter and leave a mask.

    The picture's own edges are left out, and so are long straight parts, where the sensor or a
    frame cut the disc.

    Args:
        mask: ``bool (H, W)``, the lit pixels.

    Returns:
        ``float64 (N, 2)``.
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

    There the sensor, or a frame, cut the disc.
    """
    counts = np.bincount(edge, minlength=1)
    band = np.convolve(counts, np.ones(3, dtype=int), mode="same")
    on_line: NDArray[np.bool_] = (band > chord)[edge]
    return on_line


def guess(points: Points, size: tuple[int, int], *, stretch: float | None = None) -> Ellipse | None:
    """The upright ellipse that most outline points agree on (random sample consensus).

    Args:
        points: ``(N, 2)`` from :func:`outline`.
        size: width and height of the picture.
        stretch: a fixed stretch; ``None`` leaves it free.

    Returns:
        The ellipse, or ``None`` if there are too few points or no plausible ellipse.
    """
    unknowns = 4 if stretch is None else 3
    if len(points) < 4 * unknowns:
        return None
    points = points[:: -(-len(points) // VOTERS)]
    generator = np.random.default_rng(0)
    # Scaled coordinates keep the small systems well conditioned.
    scale = float(max(size))
    best, most = None, 0
    for trials in TRIALS:
        draws = generator.integers(0, len(points), size=(trials, unknowns))
        candidates = _through(points / scale, draws, stretch)
        votes = _votes(points / scale, candidates)
        if len(votes) and votes.max() > most:
            most = int(votes.max())
            best = candidates[votes.argmax()]
        if most >= AGREED * len(points):
            break
    if best is None:
        return None
    x, y, radius, stretched = (float(value) for value in best)
    return Ellipse(x * scale, y * scale, radius * scale, stretched)


def _through(
    points: Points, draws: NDArray[np.int64], stretch: float | None
) -> NDArray[np.float64]:
    """The possible ellipses through drawn points.

    Args:
        points: ``float (N, 2)``, as shares of the picture's longer side.
        draws: ``(M, K)``, rows of ``points``: K is 3 for a fixed stretch, else 4.
        stretch: as for :func:`guess`.

    Returns:
        ``float64 (E, 4)``: centre, radius and stretch of each.
    """
    x, y = points.T
    if stretch is None:
        terms = np.stack([x * x, x, y, np.ones_like(x)], axis=1)
        targets = -y * y
    else:
        terms = np.stack([x, y, np.ones_like(x)], axis=1)
        targets = -(y * y + (stretch * x) ** 2)
    systems = terms[draws]
    good = np.abs(np.linalg.det(systems)) > SINGULAR
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
    ellipses = np.stack([centre_x, centre_y, radii, stretches], axis=1)
    chosen: NDArray[np.float64] = ellipses[possible]
    return chosen


def _votes(points: Points, ellipses: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many points lie near each ellipse.

    Args:
        points: as for :func:`_through`.
        ellipses: ``float64 (E, 4)`` from there.

    Returns:
        ``int64 (E,)``.
    """
    x, y = points.T
    centre_x, centre_y, radii, stretches = ellipses.T[..., np.newaxis]
    across = (x - centre_x) * (stretches / radii)
    down = (y - centre_y) / radii
    # Near the rim |d² - 1| is about 2·|d - 1|, and it needs no square root.
    near = np.abs(across * across + down * down - 1) < 2 * INLIER
    votes: NDArray[np.int64] = near.sum(axis=1)
    return votes


def refine(signal: Signal, start: Ellipse, *, free: bool) -> Ellipse:
    """Fit the ellipse to the rim itself, with an accuracy below one pixel.

    Args:
        signal: ``float32 (H, W)``.
        start: a first guess, within about a tenth of the radius.
        free: whether the stretch is fitted too; otherwise it stays as in ``start``.
    """
    quick = _searched(signal, start, QUICK_ROUNDS, free=free)
    return quick if clean(quick) else _searched(signal, start, ROUNDS, free=free)


def clean(ellipse: Ellipse) -> bool:
    """Whether so much of the rim lies so close to an ellipse that no better one is looked for."""
    return 0 < ellipse.spread < CLEAN_SPREAD and ellipse.coverage > CLEAN_COVERAGE


def _searched(
    signal: Signal, start: Ellipse, rounds: tuple[tuple[float, int], ...], *, free: bool
) -> Ellipse:
    """Search ring after ring for the rim, each around the ellipse fitted to the last one."""
    ellipse = start
    for reach, directions in rounds:
        points, looked = rim_points(signal, ellipse, reach, directions)
        if len(points) < MIN_POINTS:
            break
        ellipse = fit(points, ellipse, directions, looked, free=free)
    return ellipse


def rim_points(
    signal: Signal, ellipse: Ellipse, reach: float, directions: int
) -> tuple[Points, int]:
    """The points of the rim: where the light falls to half of its level just inside.

    Args:
        signal: ``float32 (H, W)``.
        ellipse: where to look.
        reach: half-width of the ring that is searched, as a share of the radius.
        directions: number of directions, evenly spaced.

    Returns:
        The points, ``float (N, 2)``, and in how many directions the picture covers the rim. A
        direction in which the light does not fall gives no point.
    """
    height, width = signal.shape
    angles = np.arange(directions) * (2 * np.pi / directions)
    radii = np.linspace(1 - reach, 1 + reach, RING_STEPS)
    x = ellipse.x + np.cos(angles)[:, None] * radii * (ellipse.radius / ellipse.stretch)
    y = ellipse.y + np.sin(angles)[:, None] * radii * ellipse.radius
    # A ray outwards leaves the picture only once: its first `seen` samples are inside.
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
    # Take the outermost crossing: vessels and dark spots inside the disc cross the level too.
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
    """Fit an upright ellipse by robust least squares (Gauss-Newton with Tukey's biweight).

    Args:
        points: ``(N, 2)`` on the rim, a minority of them wrong.
        start: where to begin.
        directions: number of directions in the full circle.
        looked: in how many of them the picture covers the rim.
        free: whether the stretch is fitted too.
    """
    x0, y0, radius, stretch = start.x, start.y, start.radius, start.stretch
    weights = np.ones(len(points))
    spread = INLIER
    for _ in range(FIT_ROUNDS):
        dx, dy = points[:, 0] - x0, points[:, 1] - y0
        distance = np.maximum(np.hypot(dx * stretch, dy), TINY)
        residual = distance - radius
        spread = max(NORMAL_MEDIAN * float(np.median(np.abs(residual))), LEAST_SPREAD)
        ratio = np.clip(np.abs(residual) / (TUKEY * spread), 0, 1)
        weights = (1 - ratio**2) ** 2
        columns = [dx * stretch**2 / distance, dy / distance, np.ones_like(dx)]
        if free:
            columns.append(-(dx**2) * stretch / distance)
        design = np.stack(columns, axis=1)
        normal = design.T @ (weights[:, None] * design) + TINY * np.eye(design.shape[1])
        step = np.linalg.solve(normal, design.T @ (weights * residual))
        x0, y0, radius = x0 + step[0], y0 + step[1], radius + step[2]
        if free:
            stretch = float(np.clip(stretch + step[3], *STRETCHES))
        if np.abs(step[:3]).max() < LEAST_STEP:
            break
    error = 0.0
    if free:
        # Neighbouring directions share pixels, so their errors are not independent.
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
