"""The effects of light and optics on the picture of the retina."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from fundoscope.phantom.canvas import Picture, Plane, axes, cloud, enlarge
from fundoscope.phantom.palette import Palette

COARSE: Final = 256
"""Side in pixels at which light is computed; it is smooth."""
BRIGHTEST: Final = 1.12
FALL: Final = (0.16, 0.42)
OFF_AXIS: Final = 0.22
"""Light where the flash points, its loss one radius away, and the offset of the flash."""
SHADOWED: Final = 0.25
SHADOW: Final = (0.2, 0.5)
SHADOW_START: Final = 0.2
"""Share of photographs with a shadow from one side, its depth, and its start."""
UNEVEN: Final = 0.03
DARKEST: Final = 0.12
FAINT_HAZE: Final = (0.0, 0.12)
BRIGHT_HAZE: Final = (0.15, 0.5)
BRIGHT_SHARE: Final = 0.25
HAZE_WIDTH: Final = (0.06, 0.22)
"""Stray light at one side of the rim: strength in most and in some photographs, the share of these,
and how far it reaches inwards."""
HAZE_TINT: Final = (0.85, 1.0, 1.05)
DUSTY: Final = 0.3
DUST: Final = (1, 5)
DUST_RADIUS: Final = (0.010, 0.030)
DUST_LIGHT: Final = (0.04, 0.14)
"""Share of photographs with dust on the lens; number, radius and brightness of the spots."""
KNEE: Final = 0.8
"""Display value above which the curve of the camera bends towards white."""


def illuminate(picture: Picture, palette: Palette, rng: Generator) -> Picture:
    """Light the retina unevenly; add stray light and dust; compress highlights.

    Args:
        picture: ``float32 (3, S, S)``, 0 to 1 or above; changed in place.
        palette: colour of stray light.
        rng: source of everything random.

    Returns:
        The same array, 0 to 1.
    """
    side = picture.shape[1]
    gain = enlarge(_gain(rng), side)
    veil = enlarge(_haze(rng) + _dust(rng), side)
    tint = np.array(palette.pale) * rng.normal(1.0, 0.08, 3) * HAZE_TINT
    for channel in range(3):
        plane = picture[channel] * gain
        plane += veil * (np.float32(tint[channel]) - plane)
        picture[channel] = _shoulder(plane)
    return picture


def _gain(rng: Generator) -> Plane:
    """Brighter where the flash points, darker towards the rim, sometimes with a shadow."""
    x, y = axes(COARSE)
    where = rng.normal(0.0, OFF_AXIS, 2)
    gain = BRIGHTEST - rng.uniform(*FALL) * ((x - where[0]) ** 2 + (y - where[1]) ** 2)
    if rng.random() < SHADOWED:
        depth = (_towards(rng) - SHADOW_START) / (1.0 - SHADOW_START)
        gain -= rng.uniform(*SHADOW) * np.clip(depth, 0.0, 1.0) ** 1.5
    gain += UNEVEN * cloud(COARSE, (3, 6), rng)
    return np.asarray(np.maximum(gain, DARKEST), dtype=np.float32)


def _towards(rng: Generator) -> Plane:
    """Position along a random direction, in field units."""
    x, y = axes(COARSE)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    return np.asarray(x * np.cos(angle) + y * np.sin(angle))


def _haze(rng: Generator) -> Plane:
    """Share of stray light: a crescent along one side of the rim."""
    x, y = axes(COARSE)
    reach = np.hypot(x, y)
    strength = rng.uniform(*(BRIGHT_HAZE if rng.random() < BRIGHT_SHARE else FAINT_HAZE))
    side_on = np.clip(0.5 + 0.5 * _towards(rng) / np.maximum(reach, 0.1), 0.0, 1.0)
    fade = np.exp(-np.maximum(1.0 - reach, 0.0) / rng.uniform(*HAZE_WIDTH))
    return np.asarray(strength * side_on**1.5 * fade, dtype=np.float32)


def _dust(rng: Generator) -> Plane:
    """Share of light from out-of-focus dust on the lens."""
    x, y = axes(COARSE)
    dust = np.zeros((COARSE, COARSE), dtype=np.float32)
    for _ in range(rng.integers(*DUST) if rng.random() < DUSTY else 0):
        where, radius = rng.uniform(-0.7, 0.7, 2), rng.uniform(*DUST_RADIUS)
        reach = np.hypot(x - where[0], y - where[1]) / radius
        dust += rng.uniform(*DUST_LIGHT) * np.exp(-(reach**4))
    return dust


def _shoulder(plane: Plane) -> Plane:
    """Linear up to the knee, then bending towards 1."""
    rest = np.float32(1.0 - KNEE)
    above = np.maximum(plane - np.float32(KNEE), 0.0)
    return np.asarray(np.minimum(plane, np.float32(KNEE)) + rest * (1.0 - np.exp(-above / rest)))
