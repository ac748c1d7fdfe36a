"""Real photographs made worse in known ways and strengths, to fit and to test quality.

Each function takes and gives a field's square, ``uint8 (S, S, 3)`` RGB, black outside of the disc.
Lengths are shares of the field's radius, so a strength means the same at every size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fundoscope.photo.decode import Pixels
from fundoscope.photo.field import disc
from fundoscope.quality import (
    FIELD_CUT_OFF,
    OUT_OF_FOCUS,
    REFLECTIONS,
    TOO_BRIGHT,
    TOO_DARK,
    UNEVEN_OR_HAZY,
)

WHITE: Final = 255.0
HAZE: Final = (190.0, 150.0, 120.0)
"""Colour of the veil, that of a lens with a cataract or a fingerprint in a flash's light."""
GLARE: Final = (235.0, 240.0, 250.0)
"""Colour of a reflection on the cornea or the lens of the camera."""
GLARE_RADII: Final = (0.25, 0.45)
"""Radii of a reflection's blob, as shares of the field's radius."""
MOTION_STEPS: Final = 15

Floats = NDArray[np.float32]
Change = Callable[[Floats, float, np.random.Generator], Floats]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way of making a photograph worse.

    Attributes:
        change: from a square ``float32``, a strength and a source of randomness to a square.
        strong: the strength at which nobody could grade the photograph.
        slight: one at which anybody can.
        reason: what a photographer should be given as the reason.
    """

    change: Change
    strong: float
    slight: float
    reason: str


def _blur(square: Floats, strength: float, _: np.random.Generator) -> Floats:
    sigma = strength * len(square) / 2
    return np.asarray(ndimage.gaussian_filter(square, (sigma, sigma, 0)))


def _motion(square: Floats, strength: float, random: np.random.Generator) -> Floats:
    angle, length = random.uniform(0, np.pi), strength * len(square) / 2
    moved = np.zeros_like(square)
    for share in np.linspace(-0.5, 0.5, MOTION_STEPS):
        down, right = length * share * np.sin(angle), length * share * np.cos(angle)
        moved += np.roll(square, (round(down), round(right)), (0, 1))
    return np.asarray(moved / MOTION_STEPS, np.float32)


def _light(square: Floats, strength: float, _: np.random.Generator) -> Floats:
    return np.asarray(np.minimum(square * strength, WHITE))


def _haze(square: Floats, strength: float, _: np.random.Generator) -> Floats:
    return np.asarray(square * (1 - strength) + np.array(HAZE, np.float32) * strength)


def _uneven(square: Floats, strength: float, random: np.random.Generator) -> Floats:
    x, y = _axes(len(square))
    angle, middle = random.uniform(0, 2 * np.pi), random.uniform(-0.2, 0.3)
    along = x * np.cos(angle) + y * np.sin(angle)
    shade = 1 - strength / (1 + np.exp(-6 * (along - middle)))
    return np.asarray(square * shade[..., None])


def _cut(square: Floats, strength: float, random: np.random.Generator) -> Floats:
    x, y = _axes(len(square))
    angle = random.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    limit = float(np.quantile(along[disc(len(square))], 1 - strength))
    return np.asarray(square * (along <= limit)[..., None])


def _reflection(square: Floats, strength: float, random: np.random.Generator) -> Floats:
    x, y = _axes(len(square))
    cover = np.zeros_like(x)
    while float(cover[disc(len(square))].mean()) < strength:
        angle, away = random.uniform(0, 2 * np.pi), random.uniform(0.1, 0.9)
        width, height = random.uniform(*GLARE_RADII), random.uniform(*GLARE_RADII)
        across = ((x - away * np.cos(angle)) / width) ** 2
        down = ((y - away * np.sin(angle)) / height) ** 2
        cover = np.maximum(cover, np.exp(-((across + down) ** 2)))
    veil = cover[..., None]
    return np.asarray(square * (1 - veil) + np.array(GLARE, np.float32) * veil)


def _noise(square: Floats, strength: float, random: np.random.Generator) -> Floats:
    return np.asarray(square + random.normal(0, strength * WHITE, square.shape), dtype=np.float32)


FAULTS: Final[Mapping[str, Fault]] = {
    "blur": Fault(_blur, 0.02, 0.003, OUT_OF_FOCUS),
    "motion": Fault(_motion, 0.08, 0.01, OUT_OF_FOCUS),
    "dark": Fault(_light, 0.25, 0.8, TOO_DARK),
    "noise": Fault(_noise, 0.2, 0.01, TOO_DARK),
    "bright": Fault(_light, 3.0, 1.15, TOO_BRIGHT),
    "haze": Fault(_haze, 0.6, 0.08, UNEVEN_OR_HAZY),
    "uneven": Fault(_uneven, 0.95, 0.3, UNEVEN_OR_HAZY),
    "covered": Fault(_cut, 0.4, 0.03, FIELD_CUT_OFF),
    "reflection": Fault(_reflection, 0.4, 0.02, REFLECTIONS),
}
"""The faults by name. Strengths: standard deviation or length as a share of the radius; factor of
the light; share of the veil, of the shade, of the part covered; noise as a share of white."""


def degraded(square: Pixels, name: str, strength: float, random: np.random.Generator) -> Pixels:
    """A square with a fault.

    Args:
        square: ``uint8 (S, S, 3)`` RGB, black outside of the disc.
        name: of the fault, a key of :data:`FAULTS`.
        strength: see :class:`Fault`.
        random: for angles and places.
    """
    changed = FAULTS[name].change(square.astype(np.float32), strength, random)
    pixels: Pixels = np.clip(np.rint(changed), 0, WHITE).astype(np.uint8)
    pixels[~disc(len(square))] = 0
    return pixels


def _axes(size: int) -> tuple[Floats, Floats]:
    """Place of each pixel in units of the radius, from the centre."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    x, y = np.meshgrid(axis, axis)
    return x, y
