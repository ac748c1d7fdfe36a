"""Drawing in field units on a square canvas: strokes, patches and clouds, ``float32`` 0 to 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fundoscope.geometry import Points

Plane = NDArray[np.float32]
"""``float32 (S, S)`` over the square -EXTENT to EXTENT in field units."""

Picture = NDArray[np.float32]
"""``float32 (3, S, S)``: red, green, blue planes."""

EXTENT: Final = 1.14
"""Half the side of the canvas: the disc of retina and space for a notch in its rim."""
FINE: Final = 4096
"""Strokes are drawn on a canvas of about this side and averaged down, for smooth edges."""
Stroke = tuple[Points, Points, float]
"""Points ``(N, 2)``, widths ``(N,)`` and one level 0 to 1."""
Patch = tuple[Points, float]
"""The outline ``(N, 2)`` of a filled shape and its level 0 to 1."""


def axes(side: int) -> tuple[Plane, Plane]:
    """The pixel centres in field units: x ``(1, S)`` and y ``(S, 1)``."""
    line: Plane = (((np.arange(side) + 0.5) / side * 2.0 - 1.0) * EXTENT).astype(np.float32)
    return line[None, :], line[:, None]


def enlarge(plane: NDArray[np.floating[Any]], side: int) -> Plane:
    """Smoothly resample a square plane to ``(side, side)``."""
    image = Image.fromarray(np.asarray(plane, dtype=np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def cloud(side: int, cells: Sequence[int], rng: Generator, *, fall: float = 0.5) -> Plane:
    """Smooth random relief of about unit spread: a sum of octaves.

    Args:
        side: of the plane in pixels; the relief is the same at any side.
        cells: grid sizes of the octaves, coarse to fine.
        rng: used once for each octave.
        fall: amplitude of each octave relative to the previous one.
    """
    total = np.zeros((side, side), dtype=np.float32)
    power = 0.0
    for octave, count in enumerate(cells):
        grid = rng.standard_normal((count, count), dtype=np.float32)
        amplitude = fall**octave
        if count <= side:
            total += np.float32(amplitude) * enlarge(grid, side)
        power += amplitude**2
    return np.asarray(total / np.float32(0.6 * np.sqrt(power)))


def draw_shapes(side: int, strokes: Iterable[Stroke] = (), patches: Iterable[Patch] = ()) -> Plane:
    """Draw patches, then strokes over them, with smooth edges; later ones cover earlier ones.

    Args:
        side: of the canvas in pixels.
        strokes: lines of varying width.
        patches: filled outlines.
    """
    factor = max(1, min(4, round(FINE / side)))
    scale = side * factor / (2.0 * EXTENT)
    image = Image.new("L", (side * factor, side * factor))
    draw = ImageDraw.Draw(image)
    for outline, level in patches:
        corners = (outline + EXTENT) * scale - 0.5
        draw.polygon([(x, y) for x, y in corners.tolist()], fill=round(255 * level))
    for points, widths, level in strokes:
        _stroke(draw, (points + EXTENT) * scale - 0.5, widths * scale, round(255 * level))
    small = image.reduce(factor) if factor > 1 else image
    return np.asarray(small, dtype=np.float32) / np.float32(255.0)


def _stroke(draw: ImageDraw.ImageDraw, points: Points, widths: Points, fill: int) -> None:
    """A line of changing width with round joints, in pixels of the image."""
    corners = points.tolist()
    thick = widths.tolist()
    for start, end, width in zip(corners[:-1], corners[1:], thick[1:], strict=True):
        draw.line([tuple(start), tuple(end)], fill=fill, width=max(round(width), 1))
        half = width / 2.0
        if half > 1.0:
            x, y = end
            draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)
