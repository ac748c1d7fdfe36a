"""What a grader takes of a photograph: the field's square, or the whole frame.

``crop`` is the field of view without stretching, and what every grader of ours takes. The other two
are for networks that were trained on whole frames: ``squash`` brings every frame to one shape,
``native`` keeps its shape and brings it to one area.
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
NATIVE_STEP: Final = 8
"""Sides of native inputs are multiples of this, so that photographs of one camera have one shape
and form a batch; at 240 px it changes the shape by 2 % at most."""


@dataclass(frozen=True, slots=True)
class Input:
    """What a grader takes.

    Attributes:
        kind: ``"crop"``, ``"squash"`` or ``"native"``.
        height, width: in pixels. A crop is square; a native input has their product as its area, in
            the photograph's own shape.
    """

    kind: str
    height: int
    width: int

    @property
    def decode_side(self) -> int:
        """The ``min_side`` to decode a photograph with."""
        return field.decode_side(max(self.height, self.width))

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the input made of a photograph of a height and width."""
        if self.kind != NATIVE:
            return self.height, self.width
        scale = math.sqrt(self.height * self.width / (height * width))
        return _step(height * scale), _step(width * scale)


def _step(side: float) -> int:
    return max(1, round(side / NATIVE_STEP)) * NATIVE_STEP


def make(photo: Photo, fov: FieldOfView, wanted: Input) -> Pixels:
    """The input that a grader wants of a photograph.

    Args:
        photo: decoded with ``wanted.decode_side``.
        fov: its field of view, found.
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
    # Bilinear resizing in Pillow averages when it makes a picture smaller.
    return np.array(frame.resize((width, height), Image.Resampling.BILINEAR))
