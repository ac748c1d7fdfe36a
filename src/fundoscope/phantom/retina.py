"""The picture of the retina: background, disc, vessels and lesions, then light.

Absorbing parts are density planes, which darken green and blue more than red, as haemoglobin does;
pale parts are blended in. Values are display values, 0 to 1.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from fundoscope.phantom import background, light
from fundoscope.phantom.anatomy import Anatomy
from fundoscope.phantom.canvas import EXTENT, Picture, Plane, Stroke, axes, cloud, draw_shapes
from fundoscope.phantom.lesions import Mark
from fundoscope.phantom.palette import Palette, Triple

BLUR: Final = 0.0022
"""Blur of the optics of eye and camera, in field units: 4 px of a 4288 px photograph."""
BLOOD: Final[Triple] = (0.24, 1.0, 0.75)
ARTERY: Final[Triple] = (0.14, 1.0, 0.75)
"""Effect of one unit of density on red, green and blue: arterial blood is brighter."""
VEIN_DENSITY: Final = 0.46
ARTERY_DENSITY: Final = 0.34
REFLEX_DENSITY: Final = -0.16
RED_DENSITY: Final = 0.62
DARK_DENSITY: Final = 1.05
"""Green falls to e^-d of the surround: real veins 0.65 to 0.75, haemorrhages 0.45 to 0.6,
preretinal blood less."""
MOTTLED: Final = 0.2
"""Spread of the density within haemorrhages."""
FAINTEST: Final = 0.38
FULL_WIDTH: Final = 0.0164
"""Density of the thinnest vessels, as a share; the width from which it is full."""
REFLEX_WIDTH: Final = 0.008
VEIN_REFLEX: Final = (0.2, 0.4)
ARTERY_REFLEX: Final = (0.3, 1.0)
"""Light reflex along the middle: smallest vessel width, and its width and strength as shares."""
DISC_EDGE: Final = (0.023, 0.050)
DISC_OPAQUE: Final = (0.82, 0.95)
DISC_RIM: Final[Triple] = (1.12, 0.86, 0.70)
DISC_PALE: Final = 0.72
CUP_BRIGHT: Final = 1.25
"""The disc: softness of its edge in radii, its opacity, the colour of its rim relative to the pale
colour, the share of that, and the brightness of the cup."""
CUP_SHIFT: Final = 0.14
CUP_EDGE: Final = 0.25
"""The cup: shift towards the fovea in disc radii, and softness of its edge in cup radii."""
WOOLLY: Final = (0.011, (0.92, 0.94, 1.05))
WAXY: Final = (0.0016, (1.0, 1.02, 0.8))
"""Softness in field units, and tint of the pale colour, of cotton-wool spots and hard exudates."""


def portray(
    anatomy: Anatomy, marks: list[Mark], palette: Palette, side: int, rng: Generator
) -> Picture:
    """Draw the whole disc of retina.

    Args:
        anatomy: of the eye.
        marks: its lesions.
        palette: its colours.
        side: of the canvas in pixels, see :data:`fundoscope.phantom.canvas.EXTENT`.
        rng: for texture and light; the same at any side.

    Returns:
        ``float32 (3, side, side)``, red, green and blue, 0 to 1.
    """
    smooth, texture, lamp, disc_rng = rng.spawn(4)
    density = background.densities(anatomy, side, smooth, texture)
    disc, cup = _disc(anatomy, side, disc_rng)
    veins, arteries = _vessel_densities(anatomy, side)
    blood = veins + _lesion_density(marks, side, texture)
    pale = _pale_planes(marks, side)
    picture = np.empty((3, side, side), dtype=np.float32)
    for channel in range(3):
        plane = np.float32(palette.retina[channel]) * np.exp(-density[channel])
        plane += disc * (_disc_colour(palette, channel, cup) - plane)
        plane *= np.exp(-(BLOOD[channel] * blood + ARTERY[channel] * arteries))
        for alpha, tint in pale:
            plane += alpha * (np.float32(palette.pale[channel] * tint[channel]) - plane)
        picture[channel] = plane
    return light.illuminate(picture, palette, lamp)


def _disc(anatomy: Anatomy, side: int, rng: Generator) -> tuple[Plane, Plane]:
    """Opacity of the disc and, within it, of the pale cup at each pixel."""
    x, y = axes(side)
    dx = (x - np.float32(anatomy.disc[0])) / np.float32(anatomy.disc_radius)
    dy = (y - np.float32(anatomy.disc[1])) / np.float32(anatomy.disc_radius * anatomy.tall)
    temporal = np.float32(np.sign(anatomy.fovea[0] - anatomy.disc[0]))
    disc = _step((1.0 - np.hypot(dx, dy)) / np.float32(rng.uniform(*DISC_EDGE)))
    from_cup = np.hypot(dx - np.float32(CUP_SHIFT) * temporal, dy) / np.float32(anatomy.cup)
    cup = _step((1.0 - from_cup) / np.float32(CUP_EDGE))
    paler_side = np.clip(0.5 + 0.35 * dx * temporal, 0.0, 1.0)
    shade = np.clip(0.75 * cup + 0.4 * paler_side, 0.0, 1.0)
    return np.float32(rng.uniform(*DISC_OPAQUE)) * disc, shade


def _step(distance: Plane) -> Plane:
    """A soft step from 0 (far below zero) to 1 (far above)."""
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(-distance, -30.0, 30.0))), dtype=np.float32)


def _disc_colour(palette: Palette, channel: int, cup: Plane) -> Plane:
    """One channel of the disc, from the pink-orange rim to the pale cup."""
    pale = palette.pale[channel]
    rim = (1.0 - DISC_PALE) * palette.retina[channel] + DISC_PALE * pale * DISC_RIM[channel]
    return np.asarray(np.float32(rim) + cup * np.float32(CUP_BRIGHT * pale - rim))


def _vessel_densities(anatomy: Anatomy, side: int) -> tuple[Plane, Plane]:
    """Densities of venous and arterial blood; thin vessels are fainter."""
    strokes: dict[bool, list[Stroke]] = {True: [], False: []}
    reflexes: list[Stroke] = []
    for vessel in sorted(anatomy.vessels, key=lambda vessel: float(vessel.widths.max())):
        width = float(vessel.widths.max())
        level = min(FAINTEST + (1.0 - FAINTEST) * width / FULL_WIDTH, 1.0)
        strokes[vessel.vein].append((vessel.points, vessel.widths, level))
        if width > REFLEX_WIDTH:
            share, strength = VEIN_REFLEX if vessel.vein else ARTERY_REFLEX
            reflexes.append((vessel.points, vessel.widths * share, strength))
    veins = VEIN_DENSITY * _focused(draw_shapes(side, strokes[True]))
    arteries = ARTERY_DENSITY * _focused(draw_shapes(side, strokes[False]))
    return veins, arteries + REFLEX_DENSITY * _focused(draw_shapes(side, reflexes))


def _focused(plane: Plane, spread: float = BLUR) -> Plane:
    """Blur by the optics; the spread is in field units."""
    if not plane.any():
        return plane
    return np.asarray(ndimage.gaussian_filter(plane, spread * plane.shape[0] / (2.0 * EXTENT)))


def _lesion_density(marks: list[Mark], side: int, rng: Generator) -> Plane:
    """Density of blood in the retina, before it, and in new vessels."""
    by_look = {look: [mark for mark in marks if mark.look == look] for look in ("red", "dark")}
    red, dark = (
        _focused(draw_shapes(side, patches=[p for mark in by_look[look] for p in mark.patches()]))
        for look in ("red", "dark")
    )
    lace = _focused(draw_shapes(side, [stroke for mark in marks for stroke in mark.strokes]))
    mottle = 1.0 + np.float32(MOTTLED) * cloud(side, (24, 48, 96, 192), rng, fall=0.8)
    return np.asarray(mottle * (RED_DENSITY * red + DARK_DENSITY * dark) + ARTERY_DENSITY * lace)


def _pale_planes(marks: list[Mark], side: int) -> list[tuple[Plane, Triple]]:
    """Opacity of the exudates at each pixel, and their tint of the pale colour."""
    pale: list[tuple[Plane, Triple]] = []
    for look, (spread, tint) in (("woolly", WOOLLY), ("waxy", WAXY)):
        patches = [patch for mark in marks if mark.look == look for patch in mark.patches()]
        if patches:
            pale.append((_focused(draw_shapes(side, patches=patches), spread), tint))
    return pale
