"""The picture of the retina itself: pigment, texture, disc, vessels, lesions, light.

What absorbs (blood, pigment) is a density plane that darkens green and blue more than red, as
haemoglobin and melanin do; what is pale is blended in. Display values, 0 to 1.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from fundoscope.geometry import Points
from fundoscope.phantom.anatomy import Anatomy
from fundoscope.phantom.canvas import EXTENT, Plane, axes, cloud, enlarge, paint
from fundoscope.phantom.lesions import Mark
from fundoscope.phantom.palette import Palette, Triple

Picture = NDArray[np.float32]
"""``float32 (3, S, S)``: red, green, blue planes."""

COARSE: Final = 256
"""Side at which smooth things are computed."""
BLUR: Final = 0.0022
"""Spread of the eye's and the camera's optics in field units: 4 px of a 4288 px photograph."""

PIGMENT: Final[Triple] = (0.55, 1.0, 1.1)
BLOOD: Final[Triple] = (0.24, 1.0, 0.75)
ARTERY: Final[Triple] = (0.14, 1.0, 0.75)
CHOROID: Final[Triple] = (0.6, 1.0, 0.5)
FIBRES: Final[Triple] = (0.35, 1.0, 1.2)
DRIFT: Final[Triple] = (-0.8, 1.0, 1.0)
"""What one unit of density takes from red, green and blue."""

VEIN_DENSITY: Final = 0.46
ARTERY_DENSITY: Final = 0.34
RED_DENSITY: Final = 0.62
"""Green falls to e^-d of what surrounds it: real veins 0.65 to 0.75, haemorrhages 0.45 to 0.6."""


def portray(
    anatomy: Anatomy, marks: list[Mark], palette: Palette, side: int, rng: Generator
) -> Picture:
    """Paint the whole disc of retina on a square canvas of this side (see ``canvas.EXTENT``)."""
    smooth, texture, light = rng.spawn(3)
    density = _background(anatomy, side, smooth, texture)
    picture = np.empty((3, side, side), dtype=np.float32)
    disc = _disc_blend(anatomy, side, texture)
    veins, arteries, reflexes = _vessel_planes(anatomy, side)
    red, dark, lace = _red_planes(marks, side)
    red *= 1.0 + 0.2 * cloud(side, (48, 96, 192), texture, fall=0.8)
    pale = _pale_planes(marks, side)
    blood = VEIN_DENSITY * veins + RED_DENSITY * red + 1.05 * dark + ARTERY_DENSITY * lace
    oxygenated = ARTERY_DENSITY * arteries - 0.16 * reflexes
    lit = _light(side, light)
    for channel in range(3):
        plane = palette.retina[channel] * np.exp(-density[channel])
        plane += disc[0] * (_disc_colour(palette, channel, disc[1]) - plane)
        plane *= np.exp(-(BLOOD[channel] * blood + ARTERY[channel] * oxygenated))
        for alpha, tint in pale:
            plane += alpha * (palette.pale[channel] * tint[channel] - plane)
        picture[channel] = plane
    return _illuminated(picture, lit, palette, light)


def _background(
    anatomy: Anatomy, side: int, smooth: Generator, texture: Generator
) -> list[Plane]:
    """Densities of the three channels without vessels and lesions."""
    x, y = axes(COARSE)
    from_fovea = np.hypot(x - anatomy.fovea[0], y - anatomy.fovea[1])
    from_disc = np.hypot(x - anatomy.disc[0], y - anatomy.disc[1])
    macula = smooth.uniform(0.12, 0.26) * np.exp(-((from_fovea / 0.34) ** 2))
    macula += smooth.uniform(0.2, 0.42) * np.exp(-((from_fovea / 0.10) ** 2))
    fibres = smooth.uniform(0.05, 0.22) * np.exp(-((from_disc / 0.42) ** 2))
    patches = smooth.uniform(0.03, 0.08) * cloud(COARSE, (4, 8, 16, 32), smooth, fall=0.4)
    pigment = enlarge(macula + patches, side)
    grain = texture.uniform(0.014, 0.026) * cloud(side, (64, 128, 256, 512), texture, fall=0.9)
    drift = enlarge(smooth.uniform(0.01, 0.035) * cloud(COARSE, (3, 5), smooth), side)
    nerve = enlarge(_striae(anatomy, texture), side) - enlarge(fibres, side)
    choroid = enlarge(_choroid(anatomy, from_disc, from_fovea, smooth), side)
    return [
        PIGMENT[c] * (pigment + grain)
        + FIBRES[c] * nerve
        + CHOROID[c] * choroid
        + DRIFT[c] * drift
        for c in range(3)
    ]


def _choroid(anatomy: Anatomy, from_disc: Plane, from_fovea: Plane, rng: Generator) -> Plane:
    """Choroidal vessels shining through: paler bands that run outwards, most in the periphery."""
    strength = rng.uniform(0.0, 0.03) if rng.random() < 0.7 else rng.uniform(0.05, 0.11)
    side = 2 * COARSE
    middle = 0.5 * (anatomy.disc + anatomy.fovea)
    warp = 0.11 * cloud(side, (4, 9, 18), rng)
    bands = np.zeros((side, side), dtype=np.float32)
    for cells in ((44, 7), (80, 10)):
        bands += np.tanh(2.0 * _fan(middle, cells, warp, rng, side) - 0.4)
    outside = np.clip((np.minimum(from_disc, from_fovea) - 0.15) / 0.5, 0.0, 1.0)
    return -np.float32(strength) * bands * enlarge(outside, side)


def _striae(anatomy: Anatomy, rng: Generator) -> Plane:
    """The nerve fibres' fine streaks, fanning out from the disc."""
    side = 4 * COARSE
    x, y = axes(side)
    reach = np.hypot(x - np.float32(anatomy.disc[0]), y - np.float32(anatomy.disc[1]))
    streaks = _fan(anatomy.disc, (560, 22), np.float32(0.25) * reach, rng, side)
    fade = np.exp(-(((reach - 0.2) / 0.3) ** 2))
    patchy = np.clip(0.6 + 0.5 * cloud(side, (6, 12), rng), 0.0, 1.6)
    return np.asarray(rng.uniform(0.004, 0.022) * streaks * fade * patchy, dtype=np.float32)


def _fan(
    centre: Points, cells: tuple[int, int], turned: Plane, rng: Generator, side: int
) -> Plane:
    """Relief of about unit spread that is drawn out along the rays from a centre.

    Args:
        centre: ``(2,)``, of the fan.
        cells: grid cells round the circle, and outwards over two radii of the field.
        turned: radians by which each pixel's ray is bent.
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


def _disc_blend(anatomy: Anatomy, side: int, rng: Generator) -> tuple[Plane, Plane]:
    """How much of the disc (first) and, within it, of the cup (second) shows at each pixel."""
    x, y = axes(side)
    dx = (x - np.float32(anatomy.disc[0])) / np.float32(anatomy.disc_radius)
    dy = (y - np.float32(anatomy.disc[1])) / np.float32(anatomy.disc_radius * anatomy.tall)
    reach = np.hypot(dx, dy)
    edge = np.float32(rng.uniform(0.05, 0.11))
    disc = 1.0 / (1.0 + np.exp(np.clip((reach - 0.97) / edge * 2.2, -30.0, 30.0)))
    temporal = np.float32(np.sign(anatomy.fovea[0] - anatomy.disc[0]))
    towards = np.hypot(dx - 0.14 * temporal, dy) / np.float32(anatomy.cup)
    cup = 1.0 / (1.0 + np.exp(np.clip((towards - 1.0) * 4.0, -30.0, 30.0)))
    shade = np.clip(0.5 + 0.35 * dx * temporal, 0.0, 1.0)
    return np.float32(rng.uniform(0.82, 0.95)) * disc, np.clip(0.75 * cup + 0.4 * shade, 0.0, 1.0)


def _disc_colour(palette: Palette, channel: int, cup: Plane) -> Plane:
    """From the pink-orange rim to the pale cup."""
    rim = 0.36 * palette.retina[channel] + 0.72 * palette.pale[channel] * (1.12, 0.86, 0.7)[channel]
    return np.float32(rim) + cup * np.float32(palette.pale[channel] * 1.25 - rim)


def _vessel_planes(anatomy: Anatomy, side: int) -> tuple[Plane, Plane, Plane]:
    """Veins, arteries and the arteries' central light reflex; thin ones are fainter."""
    ordered = sorted(anatomy.vessels, key=lambda vessel: float(vessel.widths.max()))
    strokes = {True: [], False: []}  # type: dict[bool, list[tuple[NDArray[np.float64], NDArray[np.float64], float]]]
    reflexes = []
    for vessel in ordered:
        level = float(np.clip(0.38 + vessel.widths.max() / 0.026, 0.0, 1.0))
        strokes[vessel.vein].append((vessel.points, vessel.widths, level))
        if vessel.widths.max() > 0.008:
            share = 0.3 if not vessel.vein else 0.2
            reflexes.append((vessel.points, vessel.widths * share, 0.4 if vessel.vein else 1.0))
    blur = BLUR * side / (2.0 * EXTENT)
    planes = [paint(side, strokes[True]), paint(side, strokes[False]), paint(side, reflexes)]
    veins, arteries, shine = (ndimage.gaussian_filter(plane, blur) for plane in planes)
    return veins, arteries, shine


def _red_planes(marks: list[Mark], side: int) -> tuple[Plane, Plane, Plane]:
    """Intraretinal blood, preretinal blood, and new vessels."""
    blur = BLUR * side / (2.0 * EXTENT)
    found = {look: [m for m in marks if m.look == look] for look in ("red", "dark", "lace")}
    planes = [
        paint(side, [s for m in found["lace"] for s in m.strokes])
        if look == "lace"
        else paint(side, patches=[p for mark in found[look] for p in mark.patches()])
        for look in ("red", "dark", "lace")
    ]
    red, dark, lace = (ndimage.gaussian_filter(plane, blur) for plane in planes)
    return red, dark, lace


def _pale_planes(marks: list[Mark], side: int) -> list[tuple[Plane, Triple]]:
    """Exudates: how much of each shows, and its tint of the palette's pale colour."""
    scale = side / (2.0 * EXTENT)
    pale: list[tuple[Plane, Triple]] = []
    for look, blur, tint in (("woolly", 0.011, (0.92, 0.94, 1.05)), ("waxy", 0.0016, (1, 1.02, 0.8))):
        patches = [patch for mark in marks if mark.look == look for patch in mark.patches()]
        if patches:
            pale.append((ndimage.gaussian_filter(paint(side, patches=patches), blur * scale), tint))
    return pale


def _light(side: int, rng: Generator) -> Plane:
    """Uneven illumination: brighter where the flash points, darker to the rim, one-sided shadow."""
    x, y = axes(COARSE)
    where = rng.normal(0.0, 0.22, 2)
    reach = np.hypot(x - where[0], y - where[1])
    gain = 1.12 - rng.uniform(0.16, 0.42) * reach**2
    if rng.random() < 0.25:
        angle = rng.uniform(0.0, 2.0 * np.pi)
        side_on = x * np.cos(angle) + y * np.sin(angle)
        gain -= rng.uniform(0.2, 0.5) * np.clip((side_on - 0.2) / 0.8, 0.0, 1.0) ** 1.5
    gain = gain + 0.03 * cloud(COARSE, (3, 6), rng)
    return enlarge(np.maximum(gain, 0.12).astype(np.float32), side)


def _illuminated(picture: Picture, lit: Plane, palette: Palette, rng: Generator) -> Picture:
    """Light, stray light at the rim, and the camera's shoulder towards white."""
    side = picture.shape[1]
    x, y = axes(COARSE)
    reach = np.hypot(x, y)
    angle, width = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.06, 0.22)
    lopsided = np.clip(0.5 + 0.5 * (x * np.cos(angle) + y * np.sin(angle)) / np.maximum(reach, 0.1), 0, 1)
    strength = rng.uniform(0.0, 0.12) if rng.random() < 0.75 else rng.uniform(0.15, 0.5)
    haze = strength * lopsided**1.5 * np.exp(-np.maximum(1.0 - reach, 0.0) / width)
    veil = enlarge(haze.astype(np.float32), side)
    tint = np.array(palette.pale) * rng.normal(1.0, 0.08, 3) * (0.85, 1.0, 1.05)
    for channel in range(3):
        plane = picture[channel] * lit
        plane += veil * (np.float32(tint[channel]) - plane)
        picture[channel] = _shoulder(plane)
    return picture


def _shoulder(plane: Plane) -> Plane:
    """Linear to 0.8, then bending towards 1, as a camera's curve does."""
    above = np.maximum(plane - np.float32(0.8), 0.0)
    return np.asarray(np.minimum(plane, 0.8) + 0.2 * (1.0 - np.exp(-above / 0.2)))
