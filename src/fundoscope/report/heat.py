"""The heat map of a reading laid over its photograph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from fundoscope.geometry import Affine
from fundoscope.kinds import Colour

if TYPE_CHECKING:
    from fundoscope.opinions import HeatMap
    from fundoscope.reading import FieldOfView

HEAT: Final[Colour] = (204, 121, 167)
"""Okabe and Ito's reddish purple, which no retina and no kind of lesion has."""
FULL: Final = 12.0
"""The value at which the colour is strongest. The scale is fixed, so that an eye with nothing to
see stays clear."""
DRAWN: Final = 512
"""Side in pixels to which a map of about ten cells is smoothed."""
STRONGEST: Final = 0.55
"""The greatest share of the colour, so that the retina stays visible below it."""


def lay(picture: Image.Image, heat: HeatMap, field: FieldOfView, to_picture: Affine) -> None:
    """Lay what speaks for "referable" over a picture, in place.

    Args:
        picture: RGB.
        heat: of the reading.
        field: of the reading, found.
        to_picture: from the photograph's pixels to the picture's.
    """
    values = Image.fromarray(np.array(heat.values, np.float32))
    smooth = values.resize((DRAWN, DRAWN), Image.Resampling.BICUBIC)
    share = np.clip(np.asarray(smooth) / FULL, 0.0, 1.0) * STRONGEST
    axis = (np.arange(DRAWN) + 0.5) * (2 / DRAWN) - 1
    share *= np.hypot(axis[:, None], axis) < 1.0
    # From a pixel of the picture to the unit circle, and from there to a place of the drawn map.
    cells = Affine.shift(1.0, 1.0).then(Affine.scale(DRAWN / 2))
    back = to_picture.inverse().then(field.to_unit()).then(cells)
    mask = Image.fromarray((share * 255).astype(np.uint8)).transform(
        picture.size,
        Image.Transform.AFFINE,
        (back.xx, back.xy, back.x0, back.yx, back.yy, back.y0),
        resample=Image.Resampling.BILINEAR,
    )
    picture.paste(HEAT, mask=mask)
