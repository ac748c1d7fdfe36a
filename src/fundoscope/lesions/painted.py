"""What a head paints: the lesions on its maps, and how the maps lie on the photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fundoscope.geometry import Affine
from fundoscope.kinds import ANATOMY
from fundoscope.lesions import components, view
from fundoscope.lesions.components import Components, Map
from fundoscope.lesions.view import View

MOST: Final = 5_000
"""Lesions of a kind on a photograph: a network that knows nothing yet speckles all of it."""


@dataclass(frozen=True, slots=True)
class Painted:
    """The maps of one photograph.

    Attributes:
        kinds: which has which map.
        maps: ``uint8 (K, H, W)``, of each kind its probability times 255, on a view.
        to_view: map from the photograph's pixels to those of ``maps``.
    """

    kinds: tuple[str, ...]
    maps: NDArray[np.uint8]
    to_view: Affine


def lesions(probability: Map, level: float, kind: str, shown: View) -> Components:
    """The lesions of a kind on a view, best first; of a landmark, which an eye has once, the
    largest part.

    Args:
        probability: of the kind, as large as the view.
        level: as :func:`components.components`.
        kind: a key of :data:`fundoscope.kinds.KINDS`.
        shown: the view.
    """
    parts = components.components(probability, level)
    there = np.flatnonzero(view.on_retina(shown, parts.boxes))
    if kind in ANATOMY:
        there = there[np.argsort(-parts.areas[there], kind="stable")[:1]]
    return components.some_of(parts, there[:MOST])


def on_photograph(found: Painted, kind: str, width: int, height: int) -> Map:
    """The map of a kind at the photograph's own size, ``uint8 (height, width)``.

    Between the centres of the view's pixels it goes in a straight line; beyond the view it is 0.

    Args:
        found: on the photograph.
        kind: one of its kinds.
        width, height: of the photograph.
    """
    to_view = found.to_view
    drawn = Image.fromarray(found.maps[found.kinds.index(kind)]).transform(
        (width, height),
        Image.Transform.AFFINE,
        (to_view.xx, to_view.xy, to_view.x0, to_view.yx, to_view.yy, to_view.y0),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(drawn)
