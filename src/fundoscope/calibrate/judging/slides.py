"""Photographs as scanned slides show them: the middle of the disc, in a black frame.

A slide is as good as the photograph on it, so the judge must not take its cut edges for a fault.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fundoscope.photo.decode import Pixels

SIDE: Final = 640
"""Side in pixels of the square that a slide is cut from."""
HALF_WIDTH, HALF_HEIGHT = (0.72, 0.95), (0.55, 0.72)
"""Half of the width and of the height of the part that a slide shows, in radii of the field: from
3:2 film with a field that is larger than the frame to one whose rim shows in the corners."""
ASIDE: Final = 0.04
"""How far the middle of the part may lie from the centre of the field, in radii."""
FRAME: Final = (0.05, 0.3)
"""Width of the frame around the part, as a share of the part's width."""
BLACK: Final = 6
"""The brightest level of a black frame."""


def slide(square: Pixels, random: np.random.Generator) -> Pixels:
    """A scanned slide of a retina.

    Args:
        square: of the field, ``uint8 (S, S, 3)`` RGB, which touches all four sides.
        random: decides how much of the field shows, and how wide the frame is.

    Returns:
        ``uint8 (H, W, 3)`` RGB.
    """
    side = len(square)
    middle = side / 2 * (1 + random.uniform(-ASIDE, ASIDE, 2))
    halves = side / 2 * np.array([random.uniform(*HALF_WIDTH), random.uniform(*HALF_HEIGHT)])
    left, top = np.maximum(np.round(middle - halves), 0).astype(int)
    right, bottom = np.minimum(np.round(middle + halves), side).astype(int)
    part = square[top:bottom, left:right]
    before_x, after_x, before_y, after_y = (
        round(float(share) * part.shape[1]) for share in random.uniform(*FRAME, 4)
    )
    shown: Pixels = np.pad(part, ((before_y, after_y), (before_x, after_x), (0, 0)))
    black = random.integers(BLACK, endpoint=True)
    return np.maximum(shown, np.uint8(black))
