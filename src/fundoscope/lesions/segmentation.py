"""Segmentation of a whole photograph: the lesions on its maps, and the maps at its own size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fundoscope.geometry import Affine
from fundoscope.kinds import ANATOMY
from fundoscope.lesions import components
from fundoscope.lesions import view as views
from fundoscope.lesions.components import Components, Map
from fundoscope.lesions.view import View

MAX_LESIONS: Final = 5_000
"""Most lesions of one kind on a photograph. An untrained network finds specks everywhere."""


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The probability maps of one photograph.

    Attributes:
        kinds: keys of the kinds, in the order of the maps.
        maps: ``uint8 (K, H, W)``, for each kind the probability times 255, on a view.
        to_view: the map from the photograph's pixels to those of ``maps``.
    """

    kinds: tuple[str, ...]
    maps: NDArray[np.uint8]
    to_view: Affine


def lesions(probability: Map, level: float, kind: str, view: View) -> Components:
    """The lesions of one kind on a view, highest score first.

    An eye has each landmark only once, so of a landmark only the largest component is returned.

    Args:
        probability: of the kind, as large as the view.
        level: as for :func:`components.components`.
        kind: a key of :data:`fundoscope.kinds.KINDS`.
        view: that was read.
    """
    parts = components.components(probability, level)
    inside = np.flatnonzero(views.on_retina(view, parts.boxes))
    if kind in ANATOMY:
        inside = inside[np.argsort(-parts.areas[inside], kind="stable")[:1]]
    return components.subset(parts, inside[:MAX_LESIONS])


def on_photograph(segmentation: Segmentation, kind: str, width: int, height: int) -> Map:
    """The map of a kind at the photograph's own size.

    Values between the centres of the view's pixels are interpolated linearly.

    Args:
        segmentation: of the photograph.
        kind: one of its kinds.
        width: of the photograph, in pixels.
        height: of the photograph, in pixels.

    Returns:
        ``uint8 (height, width)``, 0 outside of the view.
    """
    to_view = segmentation.to_view
    resized = Image.fromarray(segmentation.maps[segmentation.kinds.index(kind)]).transform(
        (width, height),
        Image.Transform.AFFINE,
        (to_view.xx, to_view.xy, to_view.x0, to_view.yx, to_view.yy, to_view.y0),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(resized)
