"""A grader's input: the square around the field of view, or the whole frame.

``crop`` is the field of view without stretching; all of our graders take it. The other two are for
networks that were trained on whole frames: ``squash`` resizes every frame to one shape, and
``native`` keeps the frame's shape and resizes it to one area.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from fundoscope.photo import field
from fundoscope.photo.decode import Photo, Pixels
from fundoscope.reading import FieldOfView

CROP, SQUASH, NATIVE = "crop", "squash", "native"
KINDS: Final = (CROP, SQUASH, NATIVE)
"""The kinds of input."""
NATIVE_STEP: Final = 8
"""Sides of native inputs are multiples of this, so that photographs of one camera have the same
shape and can form a batch. At 240 pixels it changes the shape by at most 2 %."""


@dataclass(frozen=True, slots=True)
class Input:
    """What a grader takes.

    Attributes:
        kind: ``"crop"``, ``"squash"`` or ``"native"``.
        height: in pixels. A crop is square. For a native input, height times width is the area, and
            the shape is the photograph's own.
        width: in pixels.
    """

    kind: str
    height: int
    width: int

    @property
    def decode_side(self) -> int:
        """The ``min_side`` to decode a photograph with."""
        return field.decode_side(max(self.height, self.width))

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """The height and width of the input, for a photograph of this height and width."""
        if self.kind != NATIVE:
            return self.height, self.width
        scale = math.sqrt(self.height * self.width / (height * width))
        return _step(height * scale), _step(width * scale)


def _step(side: float) -> int:
    return max(1, round(side / NATIVE_STEP)) * NATIVE_STEP


def make(photo: Photo, fov: FieldOfView, wanted: Input) -> Pixels:
    """Make a grader's input of a photograph.

    Args:
        photo: decoded with ``wanted.decode_side``.
        fov: its field of view, which must have been found.
        wanted: what the grader takes.

    Returns:
        ``uint8 (H, W, 3)`` RGB.

    Raises:
        ValueError: the field was not found.
    """
    if wanted.kind == CROP:
        return field.crop(photo, fov, wanted.height)
    height, width = wanted.shape(photo.facts.height, photo.facts.width)
    frame = Image.fromarray(photo.pixels)
    # Pillow's bilinear filter averages when it reduces a picture.
    return np.array(frame.resize((width, height), Image.Resampling.BILINEAR))
