"""The retina without vessels and lesions: pigment, macula, nerve fibres, choroid, texture.

Values are optical densities: the natural logarithm by which a channel darkens. The strengths were
chosen by eye, by comparison with photographs of IDRiD, EyePACS and Messidor-2.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from fundoscope.geometry import Points
from fundoscope.phantom.anatomy import Anatomy
from fundoscope.phantom.canvas import Plane, axes, cloud, enlarge
from fundoscope.phantom.palette import Triple

COARSE: Final = 256
"""Side in pixels at which smooth layers are computed ..."""
STREAKY: Final = 1024
"""... and the streaks of the nerve fibres."""

PIGMENT: Final[Triple] = (0.55, 1.0, 1.1)
FIBRES: Final[Triple] = (0.35, 1.0, 1.2)
CHOROID: Final[Triple] = (0.6, 1.0, 0.5)
DRIFT: Final[Triple] = (-0.8, 1.0, 1.0)
"""Effect of one unit of density on red, green and blue: melanin and blood absorb little red;
``DRIFT`` changes the hue."""

MACULA: Final = (0.12, 0.26)
MACULA_SPREAD: Final = 0.34
FOVEA: Final = (0.20, 0.42)
FOVEA_SPREAD: Final = 0.10
"""Yellow pigment of the macula and the darker fovea: density, and spread in field units."""
FIBRE_LAYER: Final = (0.05, 0.22)
FIBRE_SPREAD: Final = 0.42
"""The nerve-fibre layer brightens the surroundings of the disc."""
PATCHES: Final = (0.03, 0.08)
GRAIN: Final = (0.014, 0.026)
HUES: Final = (0.010, 0.035)
STREAKS: Final = (0.004, 0.022)
"""Spread of slow pigment changes, of the fine texture, of the hue, and of the fibre streaks."""
STREAK_RAYS: Final = (560, 22)
STREAK_TURN: Final = 0.25
"""Streaks around the disc and outwards, and their bend in radians per field radius."""
FAINT_CHOROID: Final = (0.0, 0.03)
PLAIN_CHOROID: Final = (0.04, 0.09)
PLAIN_SHARE: Final = 0.25
"""Strength of choroidal vessels in most eyes and in pale ones, and the share of pale eyes."""
CHOROID_RAYS: Final = ((44, 7), (80, 10))
CHOROID_WARP: Final = 0.09
CHOROID_EDGE: Final = 2.0
"""Bands around and outwards of each layer, their winding in radians, and the sharpness of edges."""
CHOROID_CLEAR: Final = (0.15, 0.65)
"""Distance from disc and fovea at which the bands begin, and at which they have full strength."""


def densities(anatomy: Anatomy, side: int, smooth: Generator, texture: Generator) -> list[Plane]:
    """Density of red, green and blue, each ``float32 (side, side)``.

    Args:
        anatomy: the places of disc and fovea.
        side: of the canvas in pixels.
        smooth: randomness of the large structure.
        texture: randomness of the fine structure.
    """
    from_fovea, from_disc = _distance(anatomy.fovea, COARSE), _distance(anatomy.disc, COARSE)
    macula = smooth.uniform(*MACULA) * np.exp(-((from_fovea / MACULA_SPREAD) ** 2))
    macula += smooth.uniform(*FOVEA) * np.exp(-((from_fovea / FOVEA_SPREAD) ** 2))
    layer = smooth.uniform(*FIBRE_LAYER) * np.exp(-((from_disc / FIBRE_SPREAD) ** 2))
    patches = smooth.uniform(*PATCHES) * cloud(COARSE, (4, 8, 16, 32), smooth, fall=0.4)
    grain = texture.uniform(*GRAIN) * cloud(side, (64, 128, 256, 512), texture, fall=0.9)
    drift = enlarge(smooth.uniform(*HUES) * cloud(COARSE, (3, 5), smooth), side)
    pigment = enlarge(macula + patches, side) + grain
    fibres = enlarge(_streaks(anatomy, texture), side) - enlarge(layer, side)
    choroid = enlarge(_choroid(anatomy, smooth), side)
    channels = zip(PIGMENT, FIBRES, CHOROID, DRIFT, strict=True)
    return [
        (p * pigment + f * fibres + c * choroid + d * drift).astype(np.float32)
        for p, f, c, d in channels
    ]


def _distance(point: Points, side: int) -> Plane:
    x, y = axes(side)
    return np.asarray(np.hypot(x - np.float32(point[0]), y - np.float32(point[1])))


def _choroid(anatomy: Anatomy, rng: Generator) -> Plane:
    """Choroidal vessels shining through: paler bands that run outwards, most in the periphery."""
    strength = rng.uniform(*(PLAIN_CHOROID if rng.random() < PLAIN_SHARE else FAINT_CHOROID))
    side = 2 * COARSE
    middle = 0.5 * (anatomy.disc + anatomy.fovea)
    warp = np.float32(CHOROID_WARP) * cloud(side, (4, 9, 18), rng)
    bands = np.zeros((side, side), dtype=np.float32)
    for cells in CHOROID_RAYS:
        bands += np.tanh(np.float32(CHOROID_EDGE) * _fan(middle, cells, warp, rng, side))
    start, full = CHOROID_CLEAR
    clear = np.minimum(_distance(anatomy.disc, side), _distance(anatomy.fovea, side))
    clear = np.minimum(clear, _distance(middle, side))
    outside = np.clip((clear - start) / (full - start), 0.0, 1.0)
    return np.asarray(-np.float32(strength) * bands * outside, dtype=np.float32)


def _streaks(anatomy: Anatomy, rng: Generator) -> Plane:
    """Fine streaks of the nerve fibres, in patches, fanning out from the disc."""
    reach = _distance(anatomy.disc, STREAKY)
    streaks = _fan(anatomy.disc, STREAK_RAYS, np.float32(STREAK_TURN) * reach, rng, STREAKY)
    fade = np.exp(-(((reach - anatomy.disc_radius) / 0.3) ** 2))
    patchy = np.clip(0.6 + 0.5 * cloud(STREAKY, (6, 12), rng), 0.0, None)
    return np.asarray(rng.uniform(*STREAKS) * streaks * fade * patchy, dtype=np.float32)


def _fan(centre: Points, cells: tuple[int, int], turned: Plane, rng: Generator, side: int) -> Plane:
    """Relief of about unit spread, stretched along the rays from a centre.

    Args:
        centre: ``(2,)``, of the fan.
        cells: grid cells around the circle, and outwards over two radii of the field.
        turned: radians by which the ray of each pixel is bent.
        rng: source of the relief.
        side: of the plane in pixels.
    """
    x, y = axes(side)
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    around, outward = cells
    grid = rng.standard_normal((outward + 1, around), dtype=np.float32)
    rows = np.minimum(np.hypot(dx, dy) * (outward / 2.0), outward - 0.01)
    columns = ((np.arctan2(dy, dx) + turned) / (2.0 * np.pi) % 1.0) * around
    spline = ndimage.spline_filter(grid, order=2, mode="grid-wrap")
    return np.asarray(
        ndimage.map_coordinates(
            spline, [rows, columns], order=2, mode="grid-wrap", prefilter=False, output=np.float32
        )
    )
