"""The retina at a detector's working scale, at which the field has one radius whatever the camera.

A microaneurysm is then as large on every photograph as it was in training. The frame's part that
holds the field is kept, in its own shape: a field cut off by the sensor makes a lower view.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from fundoscope.geometry import Affine
from fundoscope.photo.decode import Photo, Pixels
from fundoscope.photo.field import WORKING_SIDE
from fundoscope.reading import FieldOfView

CLIPPED: Final = 0.83
"""Shorter side of a photograph over its field's diameter on the 3:2 sensors that most fundus
cameras have. Where the whole disc is in the frame a JPEG may be decoded at a scale up to 1.2 times
too small, and the view is enlarged from it; no pixel is decoded in vain on the common ones."""


@dataclass(frozen=True, slots=True)
class View:
    """A photograph at the working scale.

    Attributes:
        pixels: ``uint8 (H, W, 3)`` RGB.
        to_view: map from the photograph's pixels to those of ``pixels``.
        centre: of the field, x, y in the view's pixels.
        radius: of the field in the view's pixels; its disc is round.
    """

    pixels: Pixels
    to_view: Affine
    centre: tuple[float, float]
    radius: float


def decode_side(radius: float) -> int:
    """The ``min_side`` to decode a photograph with, for a view of a radius."""
    return max(math.floor(2 * radius * CLIPPED), WORKING_SIDE * 3 // 4)


def make(photo: Photo, fov: FieldOfView, radius: float) -> View:
    """Bring a photograph to the working scale.

    Args:
        photo: decoded with :func:`decode_side`.
        fov: its field of view, found.
        radius: that the field shall have, in pixels.

    Raises:
        ValueError: the field was not found.
    """
    scaled = fov.to_unit().then(Affine.scale(radius))
    frame = scaled.box((0.0, 0.0, float(photo.facts.width), float(photo.facts.height)))
    x0, y0 = (math.floor(max(edge, -radius)) for edge in frame[:2])
    x1, y1 = (math.ceil(min(edge, radius)) for edge in frame[2:])
    to_view = scaled.then(Affine.shift(-x0, -y0))
    to_decoded = to_view.inverse().then(photo.to_pixels)
    width, height = x1 - x0, y1 - y0
    source = to_decoded.box((0.0, 0.0, float(width), float(height)))
    return View(_cut(photo.pixels, source, width, height), to_view, (-x0, -y0), radius)


def _cut(
    pixels: Pixels, source: tuple[float, float, float, float], width: int, height: int
) -> Pixels:
    """A part of a picture at another size; what lies outside of the picture is black."""
    left, top = math.floor(source[0]), math.floor(source[1])
    right, bottom = math.ceil(source[2]), math.ceil(source[3])
    # Pillow fills with black where a box reaches beyond the picture.
    around = Image.fromarray(pixels).crop((left, top, right, bottom))
    inner = (source[0] - left, source[1] - top, source[2] - left, source[3] - top)
    # Bicubic: a microaneurysm is a few pixels wide; bilinear would take a third of its contrast.
    return np.array(around.resize((width, height), Image.Resampling.BICUBIC, box=inner))
