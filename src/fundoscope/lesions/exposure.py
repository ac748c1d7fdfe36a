"""Whether a photograph is overexposed: on washed-out retina no lesion can be seen."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.photo import border, field
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView

SIDE: Final = 256
"""Side in pixels of the square on which the share of washed-out retina is measured."""
WASHED_OUT: Final = 250
"""Green, 0 to 255, from which retina is washed out: vessels and lesions differ from it no more.
Red is often saturated on good photographs; green is so only on the disc and on bright exudates."""
GREEN: Final = 1
"""The channel of green."""
MAX_WASHED_OUT_SHARE: Final = 0.05
"""Share of the field that may be washed out; the optic disc takes 3 %. Of the 836 photographs of
the validation splits 1 has more."""


def is_overexposed(photo: Photo, fov: FieldOfView) -> bool:
    """Whether so much of the field is washed out that kinds of lesions cannot be assessed.

    Args:
        photo: decoded at any scale.
        fov: its field of view, found.
    """
    square = field.crop(photo, fov, SIDE)
    shown = field.disc(SIDE)
    around = border.colour(photo.pixels)
    if around[GREEN] >= WASHED_OUT:  # A white frame may cut the disc off.
        white = border.distance(square, around) < border.BLACK
        shown = shown & ~_from_outside(white | ~shown)
    washed_out = square[..., GREEN] >= WASHED_OUT
    return bool((washed_out & shown).sum() > MAX_WASHED_OUT_SHARE * shown.sum())


def _from_outside(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The part of a mask that reaches an edge straight up, down, left or right."""
    runs = [
        np.flip(np.logical_and.accumulate(np.flip(mask, axes), axis), axes)
        for axis in (0, 1)
        for axes in ((), (axis,))
    ]
    outside: NDArray[np.bool_] = np.logical_or.reduce(runs)
    return outside
