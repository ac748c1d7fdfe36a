"""Draw a phantom: the one walk from what is asked to the pixels and their truth."""

from __future__ import annotations

from typing import Final

import numpy as np

from fundoscope.geometry import Box
from fundoscope.phantom import anatomy, camera, framing, lesions, palette, retina
from fundoscope.phantom.camera import Pixels
from fundoscope.phantom.canvas import EXTENT
from fundoscope.phantom.spec import PhantomSpec, TrueDisc, TrueField, TrueLesion, Truth

CANVAS: Final = (512, 2048)
"""Smallest and largest side of the retina's canvas. Above it the picture is enlarged: real
photographs of 12 megapixels are no sharper."""
OVERSAMPLED: Final = 1.25
"""Canvas pixels for one of the picture, where the bounds allow it."""


def draw(spec: PhantomSpec) -> tuple[Pixels, Truth]:
    """Draw a synthetic fundus photograph.

    Args:
        spec: what to draw; the same spec gives the same picture.

    Returns:
        ``uint8 (height, width, 3)`` RGB, as the sensor gave it (saving it as JPEG is up to the
        caller), and its truth.
    """
    where, eye, spots, colours, paint, shot = np.random.default_rng(spec.seed).spawn(6)
    frame = framing.choose(spec, where)
    laid_out = anatomy.lay_out(spec.eye, eye, centred=spec.grade == 3)
    marks = lesions.scatter(laid_out, spec.grade, frame.sees, spots)
    wanted = 2.0 * EXTENT * frame.radius * max(1.0, 1.0 / frame.stretch) * OVERSAMPLED
    side = 2 * round(min(max(wanted, CANVAS[0]), CANVAS[1]) / 2)
    portrait = retina.portray(laid_out, marks, palette.choose(colours), side, paint)
    pixels = camera.photograph(portrait, frame, spec, shot)
    return pixels, _truth(spec, frame, laid_out, marks)


def _truth(
    spec: PhantomSpec,
    frame: framing.Framing,
    laid_out: anatomy.Anatomy,
    marks: list[lesions.Mark],
) -> Truth:
    """Everything in pixels, to a hundredth."""
    to_pixels = frame.to_pixels

    def point(at: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float]:
        x, y = to_pixels.point(float(at[0]), float(at[1]))
        return round(x, 2), round(y, 2)

    return Truth(
        seed=spec.seed,
        width=spec.width,
        height=spec.height,
        grade=spec.grade,
        eye=spec.eye,
        field=TrueField(frame.centre, frame.radius, spec.stretch, spec.shape, frame.clipped),
        optic_disc=TrueDisc(
            point(laid_out.disc),
            round(laid_out.disc_radius * laid_out.tall * frame.radius, 2),
        ),
        fovea=point(laid_out.fovea),
        lesions=tuple(TrueLesion(mark.kind, _box(mark, frame)) for mark in marks),
    )


def _box(mark: lesions.Mark, frame: framing.Framing) -> Box:
    """The smallest box around a lesion, in pixels."""
    low, high = mark.outline.min(axis=0), mark.outline.max(axis=0)
    x0, y0, x1, y1 = frame.to_pixels.box((low[0], low[1], high[0], high[1]))
    return round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)
