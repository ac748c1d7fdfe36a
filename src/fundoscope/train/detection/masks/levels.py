"""The probability from which a pixel belongs to a lesion, chosen for each kind on validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.evaluate.lesions import hits
from fundoscope.lesions import detector as detectors
from fundoscope.lesions import segmentation
from fundoscope.lesions.components import Components
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.view import View
from fundoscope.train.detection.views import operating
from fundoscope.train.detection.views.view import AnnotatedView

LEVELS: Final = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
"""The levels to choose from. Soft exudates, which are rare in training, get low probabilities: the
sixth epoch of a first run had an average precision of 0.71 at 0.02 and of 0.49 at 0.1."""

ByLevel = Mapping[float, Components]
"""The lesions of one kind on one photograph at each level."""


def of_detector(detector: Detector, val: Sequence[AnnotatedView]) -> dict[str, float]:
    """The levels of a detector with a ``mask`` head, from its maps of validation photographs."""
    kinds = detector.manifest.classes
    seen = [
        at_levels(detectors.maps_on_view(detector, each.view), each.view, kinds) for each in val
    ]
    return choose(seen, val, kinds)


def at_levels(maps: NDArray[np.uint8], shown: View, kinds: Sequence[str]) -> dict[str, ByLevel]:
    """The lesions of each kind on a photograph's view at each of :data:`LEVELS`.

    Args:
        maps: ``uint8 (K, H, W)``, probabilities times 255.
        shown: the view.
        kinds: the class list.
    """
    return {
        kind: {level: segmentation.lesions(plane, level, kind, shown) for level in LEVELS}
        for kind, plane in zip(kinds, maps, strict=True)
    }


def choose(
    seen: Sequence[Mapping[str, ByLevel]], val: Sequence[AnnotatedView], kinds: Sequence[str]
) -> dict[str, float]:
    """The level of each kind, see :func:`fundoscope.train.detection.views.operating.level`.

    Args:
        seen: for each validation photograph, its lesions as :func:`at_levels` gives them.
        val: the validation photographs.
        kinds: the class list.
    """
    return {
        kind: operating.level(
            {
                level: [
                    hits.match(
                        by_kind[kind][level].boxes,
                        by_kind[kind][level].scores,
                        photograph.boxes[photograph.labels == label],
                    )
                    for by_kind, photograph in zip(seen, val, strict=True)
                ]
                for level in LEVELS
            }
        )
        for label, kind in enumerate(kinds, start=1)
    }
