"""Draw a phantom: from its spec to the pixels and their truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from fundoscope.geometry import Box, Points
from fundoscope.phantom import anatomy, camera, framing, lesions, palette, retina
from fundoscope.phantom.camera import Pixels
from fundoscope.phantom.canvas import EXTENT
from fundoscope.phantom.spec import PhantomSpec, TrueDisc, TrueField, TrueLesion, Truth

CANVAS: Final = (512, 2048)
"""Smallest and largest side of the canvas of the retina. Larger pictures are enlarged from it: real
photographs of 12 megapixels are not sharper."""
OVERSAMPLED: Final = 1.25
"""Canvas pixels for each pixel of the picture, within the bounds."""
SEVERE: Final = 3
"""The grade that depends on counts in four quadrants, which must all be visible."""
DIGITS: Final = 2
"""Decimals of a pixel in the truth."""


def draw(spec: PhantomSpec) -> tuple[Pixels, Truth]:
    """Draw a synthetic fundus photograph.

    Args:
        spec: what to draw; the same spec gives the same picture.

    Returns:
        ``uint8 (height, width, 3)`` RGB, without compression, and its truth.
    """
    composition_rng, colour_rng, retina_rng, camera_rng = _streams(spec)
    composition = _compose(spec, composition_rng)
    frame = composition.frame
    wanted = 2.0 * EXTENT * frame.radius * max(1.0, 1.0 / frame.stretch) * OVERSAMPLED
    side = 2 * round(min(max(wanted, CANVAS[0]), CANVAS[1]) / 2)
    colours = palette.choose(colour_rng)
    portrait = retina.portray(composition.eye, composition.marks, colours, side, retina_rng)
    return camera.photograph(portrait, frame, spec, camera_rng), _truth(spec, composition)


def truth_of(spec: PhantomSpec) -> Truth:
    """The truth that :func:`draw` returns, without drawing."""
    return _truth(spec, _compose(spec, _streams(spec)[0]))


@dataclass(frozen=True, slots=True)
class _Composition:
    """The content of the picture, and its place in it."""

    frame: framing.Framing
    eye: anatomy.Anatomy
    marks: list[lesions.Mark]


def _streams(spec: PhantomSpec) -> list[Generator]:
    """Generators for composition, colours, retina and camera, all from one seed."""
    return np.random.default_rng(spec.seed).spawn(4)


def _compose(spec: PhantomSpec, rng: Generator) -> _Composition:
    frame_rng, eye_rng, lesion_rng = rng.spawn(3)
    frame = framing.choose(spec, frame_rng)
    eye = anatomy.lay_out(spec.eye, eye_rng, centred=spec.grade == SEVERE)
    return _Composition(frame, eye, lesions.scatter(eye, spec.grade, frame.sees, lesion_rng))


def _truth(spec: PhantomSpec, composition: _Composition) -> Truth:
    """The truth in pixels, rounded to hundredths."""
    frame, eye = composition.frame, composition.eye
    return Truth(
        seed=spec.seed,
        width=spec.width,
        height=spec.height,
        grade=spec.grade,
        eye=spec.eye,
        field=TrueField(frame.centre, frame.radius, spec.stretch, spec.shape, frame.clipped),
        optic_disc=TrueDisc(
            _point(eye.disc, frame), round(eye.disc_radius * eye.tall * frame.radius, DIGITS)
        ),
        fovea=_point(eye.fovea, frame),
        lesions=tuple(TrueLesion(mark.kind, _box(mark, frame)) for mark in composition.marks),
    )


def _point(point: Points, frame: framing.Framing) -> tuple[float, float]:
    x, y = frame.to_pixels.point(float(point[0]), float(point[1]))
    return round(x, DIGITS), round(y, DIGITS)


def _box(mark: lesions.Mark, frame: framing.Framing) -> Box:
    """The smallest box around a lesion, in pixels."""
    low, high = mark.outline.min(axis=0), mark.outline.max(axis=0)
    x0, y0, x1, y1 = frame.to_pixels.box((low[0], low[1], high[0], high[1]))
    return round(x0, DIGITS), round(y0, DIGITS), round(x1, DIGITS), round(y1, DIGITS)
