"""From the retina to the stored picture: aperture, border, notch, label, exposure, noise."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fundoscope.phantom.canvas import EXTENT, Picture, Plane
from fundoscope.phantom.framing import Framing
from fundoscope.phantom.spec import PhantomSpec

Pixels = NDArray[np.uint8]
"""``uint8 (H, W, 3)``, RGB."""

RIM: Final = (0.003, 0.011)
"""Width of the rim's transition from light to dark, in radii."""
NOTCH_SIZE: Final = (0.025, 0.055)
NOTCH_ANGLE: Final = (25.0, 65.0)
"""Half width in radii, and degrees above the horizontal: cameras have it at the upper right."""
NOTCH_FORMS: Final = 3
BLOCK: Final = 1.2
TRIANGLE: Final = 1.5
HALF_DISC: Final = 1.3
NOTCH_ROOT: Final = 0.1
"""How far the forms reach outwards, in half widths, and how deep they are drawn into the field."""
BLACK: Final = (0.0, 0.014)
GREY: Final = (0.25, 0.75)
NOISY: Final = (0.05, 0.11)
BORDER_TINT: Final = 0.08
BLACK_GRAIN: Final = 0.002
NOISY_GRAIN: Final = (0.02, 0.04)
"""Brightness of a border, spread of its colour, and of its noise."""
CHROMA: Final = 0.6
"""Colour noise relative to luminance noise."""
DARK: Final = (0.08, 0.18)
"""Exposure of a nearly black photograph."""
GRAIN: Final = (0.006, 0.015)
GRAINY_RADIUS: Final = 1000.0
"""Spread of the camera noise, 0 to 1, and the radius in pixels from which it is full: downsampling
to smaller photographs reduces noise (real ones at 1,000 px: 1 to 3 of 255)."""
LABELS: Final = ("OD", "OS", "R 45", "L 50°", "ID 004711", "2014-05-06", "FUNDUS 1/2", "14:32:07")
LABEL_HEIGHT: Final = (0.025, 0.05)
"""Height of a line of text, in picture heights."""
FRAME_COLOURS: Final = (
    (245, 245, 245),
    (30, 60, 140),
    (200, 200, 196),
    (20, 110, 80),
    (150, 30, 40),
)


def photograph(retina: Picture, framing: Framing, spec: PhantomSpec, rng: Generator) -> Pixels:
    """Take the picture.

    Args:
        retina: ``float32 (3, S, S)``, 0 to 1, over the canvas square.
        framing: the place of the retina in the picture.
        spec: size and shape of the picture.
        rng: the randomness of the camera.

    Returns:
        ``uint8 (H, W, 3)``, RGB.
    """
    look, border_rng, noise_rng = rng.spawn(3)
    aperture = _aperture(framing, spec, look)
    exposure = look.uniform(*DARK) if "dark" in spec.shape else 1.0
    border, border_grain = _border(spec, border_rng)
    grain = look.uniform(*GRAIN) * min(1.0, framing.radius / GRAINY_RADIUS) ** 0.5
    luminance = noise_rng.standard_normal((spec.height, spec.width), dtype=np.float32)
    spread = np.where(aperture > 0.5, np.float32(grain), np.float32(border_grain))
    luminance *= spread
    pixels = np.empty((spec.height, spec.width, 3), dtype=np.uint8)
    for channel in range(3):
        plane = _placed(retina[channel], framing, spec) * np.float32(exposure)
        plane = border[channel] + aperture * (plane - border[channel])
        plane += luminance
        plane += _chroma(noise_rng, spec) * (CHROMA * spread)
        pixels[..., channel] = np.clip(plane * 255.0 + 0.5, 0.0, 255.0)
    return _marked(pixels, framing, spec, border_rng)


def _placed(plane: Plane, framing: Framing, spec: PhantomSpec) -> Plane:
    """Resample one channel of the canvas to the place of the disc in the picture."""
    scale = plane.shape[0] / (2.0 * EXTENT)
    unit = framing.to_pixels.inverse()
    left, top = framing.to_pixels.point(-EXTENT, -EXTENT)
    right, bottom = framing.to_pixels.point(EXTENT, EXTENT)
    x0, y0 = max(0, int(np.ceil(left))), max(0, int(np.ceil(top)))
    x1, y1 = min(spec.width, int(right)), min(spec.height, int(bottom))
    u0, v0 = unit.point(x0, y0)
    u1, v1 = unit.point(x1, y1)
    box = ((np.array([u0, v0, u1, v1]) + EXTENT) * scale).tolist()
    image = Image.fromarray(plane)
    resized = image.resize((x1 - x0, y1 - y0), Image.Resampling.BICUBIC, box=tuple(box))
    placed = np.zeros((spec.height, spec.width), dtype=np.float32)
    placed[y0:y1, x0:x1] = np.asarray(resized)
    return placed


def _aperture(framing: Framing, spec: PhantomSpec, rng: Generator) -> Plane:
    """1 inside the disc of retina, 0 outside, with a soft edge, and with the notch of the spec."""
    unit = framing.to_pixels.inverse()
    x = (np.arange(spec.width, dtype=np.float32) + 0.5) * np.float32(unit.xx) + np.float32(unit.x0)
    y = (np.arange(spec.height, dtype=np.float32) + 0.5) * np.float32(unit.yy) + np.float32(unit.y0)
    reach = np.sqrt(x[None, :] ** 2 + y[:, None] ** 2)
    rim = max(rng.uniform(*RIM), 1.0 / framing.radius)
    angle, half = np.radians(rng.uniform(*NOTCH_ANGLE)), rng.uniform(*NOTCH_SIZE)
    form = int(rng.integers(NOTCH_FORMS))
    outside = (reach - 1.0) / np.float32(rim)
    if "notch" in spec.shape:
        along = x[None, :] * np.float32(np.cos(angle)) - y[:, None] * np.float32(np.sin(angle))
        across = x[None, :] * np.float32(np.sin(angle)) + y[:, None] * np.float32(np.cos(angle))
        outside = np.minimum(outside, _notch(along, across, half, form) / np.float32(rim))
    return np.clip(0.5 - outside, 0.0, 1.0)


def _notch(along: Plane, across: Plane, half: float, form: int) -> Plane:
    """Signed distance from a tab on the rim: a block, a triangle or a half-disc."""
    out = along - np.float32(1.0)
    if form == 0:
        tab = np.maximum(np.abs(across) - half, out - BLOCK * half)
    elif form == 1:
        tab = np.abs(across) + out - TRIANGLE * half
    else:
        tab = np.hypot(across, out) - HALF_DISC * half
    return np.asarray(np.maximum(tab, -out - NOTCH_ROOT), dtype=np.float32)


def _border(spec: PhantomSpec, rng: Generator) -> tuple[tuple[float, float, float], float]:
    """Colour of the border, 0 to 1, and the spread of its noise."""
    level = rng.uniform(*BLACK)
    grain = BLACK_GRAIN
    if "grey" in spec.shape:
        level = rng.uniform(*GREY)
    if "noisy" in spec.shape:
        level, grain = rng.uniform(*NOISY), rng.uniform(*NOISY_GRAIN)
    r, g, b = level * rng.normal(1.0, BORDER_TINT, 3)
    return (float(r), float(g), float(b)), float(grain)


def _chroma(rng: Generator, spec: PhantomSpec) -> Plane:
    """Colour noise, coarser than luminance noise because of demosaicing."""
    small = rng.standard_normal((spec.height // 2 + 1, spec.width // 2 + 1), dtype=np.float32)
    image = Image.fromarray(small).resize((spec.width, spec.height), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _marked(pixels: Pixels, framing: Framing, spec: PhantomSpec, rng: Generator) -> Pixels:
    """Add the frame and the label."""
    if not {"frame", "label"} & set(spec.shape):
        return pixels
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    if "frame" in spec.shape:
        colour = FRAME_COLOURS[rng.integers(len(FRAME_COLOURS))]
        inner = (framing.left, framing.top, framing.right, framing.bottom)
        photo = image.crop(inner)
        draw.rectangle((0, 0, spec.width, spec.height), fill=colour)
        image.paste(photo, inner)
    if "label" in spec.shape:
        _write(draw, framing, spec, rng)
    return np.array(image)


def _write(draw: ImageDraw.ImageDraw, framing: Framing, spec: PhantomSpec, rng: Generator) -> None:
    """Write lines of text into one to three corners, beside the disc."""
    height = max(9, round(rng.uniform(*LABEL_HEIGHT) * spec.height))
    font = ImageFont.load_default(height)
    shade = int(rng.integers(150, 256))
    corners = rng.permutation(4)[: rng.integers(1, 4)]
    for corner in corners:
        text = LABELS[rng.integers(len(LABELS))]
        wide = draw.textlength(text, font=font)
        x = framing.left + height / 2 if corner % 2 == 0 else framing.right - wide - height / 2
        y = framing.top + height / 2 if corner < 2 else framing.bottom - 1.6 * height
        draw.text((x, y), text, fill=(shade, shade, int(shade * rng.uniform(0.5, 1))), font=font)
