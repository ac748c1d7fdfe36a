"""A photograph at a detector's working scale, at which every field of view has the same radius.

A microaneurysm is then as large as it was in training, whatever the camera. The part of the frame
that holds the field keeps its own shape: if the sensor cuts the field off, the view is lower.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fundoscope.geometry import Affine
from fundoscope.photo.decode import Photo, Pixels
from fundoscope.photo.field import DECODED_SIDE
from fundoscope.reading import FieldOfView

CLIPPED: Final = 0.83
"""Shorter side of a photograph, as a multiple of its field's diameter, on the 3:2 sensors of most
fundus cameras. If a photograph shows the whole disc, a JPEG may be decoded up to 1.2 times too
small and then enlarged. On the common cameras no pixel is decoded without need."""

RIM: Final = 1.0
"""A lesion's centre lies within this many radii of the field; labels on the border do not."""

BANDS: Final = 4
"""The number of bands of rows that a view is made in; threads share them."""


@dataclass(frozen=True, slots=True)
class View:
    """A photograph at the working scale.

    Attributes:
        pixels: ``uint8 (H, W, 3)`` RGB.
        to_view: the map from the photograph's pixels to those of ``pixels``.
        centre: of the field, x and y in the view's pixels.
        radius: of the field, in the view's pixels. The disc is round.
    """

    pixels: Pixels
    to_view: Affine
    centre: tuple[float, float]
    radius: float


def decode_side(radius: float) -> int:
    """The ``min_side`` to decode a photograph with, for a view of this radius in pixels."""
    return max(math.floor(2 * radius * CLIPPED), DECODED_SIDE)


def make(photo: Photo, fov: FieldOfView, radius: float, *, threads: int = 1) -> View:
    """Bring a photograph to the working scale.

    Args:
        photo: decoded with :func:`decode_side`.
        fov: its field of view, which must have been found.
        radius: of the field in the view, in pixels.
        threads: CPU threads; the result does not depend on their number.

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
    pixels = _cut(photo.pixels, source, width, height, threads)
    return View(pixels, to_view, (-x0, -y0), radius)


def on_retina(view: View, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the centre of each box lies in the field, not on labels, notches or the border.

    Args:
        view: from :func:`make`.
        boxes: ``float (N, 4)``: x0, y0, x1, y1 in the view's pixels.

    Returns:
        ``bool (N,)``.
    """
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 - view.centre
    inside: NDArray[np.bool_] = np.hypot(*centres.T) <= view.radius * RIM
    return inside


def _cut(
    pixels: Pixels,
    source: tuple[float, float, float, float],
    width: int,
    height: int,
    threads: int,
) -> Pixels:
    """A part of a picture, resized; black outside of the picture."""
    left, top = math.floor(source[0]), math.floor(source[1])
    right, bottom = math.ceil(source[2]), math.ceil(source[3])
    # Pillow fills with black what lies outside of the picture.
    around = Image.fromarray(pixels).crop((left, top, right, bottom))
    x0, y0, x1 = source[0] - left, source[1] - top, source[2] - left
    step = (source[3] - source[1]) / height

    def band(rows: tuple[int, int]) -> Pixels:
        first, last = rows
        box = (x0, y0 + first * step, x1, y0 + last * step)
        # A microaneurysm is a few pixels wide; a bilinear filter would lose much of its contrast.
        return np.asarray(around.resize((width, last - first), Image.Resampling.BICUBIC, box=box))

    # The bands are the same for any number of threads. Pillow releases the interpreter lock.
    edges = [height * place // BANDS for place in range(BANDS + 1)]
    bands = [rows for rows in pairwise(edges) if rows[0] < rows[1]]
    if threads == 1:
        return np.concatenate([band(rows) for rows in bands])
    with ThreadPoolExecutor(threads, thread_name_prefix="view") as pool:
        return np.concatenate(list(pool.map(band, bands)))
