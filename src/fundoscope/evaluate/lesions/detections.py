"""All boxes that a detector finds on a photograph's file, or why it could not look for any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from fundoscope.errors import PhotoError
from fundoscope.evaluate.arrays import Floats
from fundoscope.evaluate.lesions.hits import BoxArray
from fundoscope.evaluate.photographs import READ, REFUSED
from fundoscope.kinds import ANATOMY
from fundoscope.lesions import detector as detectors
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.segmentation import Segmentation
from fundoscope.photo import decode
from fundoscope.photo import field as fields
from fundoscope.photo.reasons import NO_FIELD, OTHERWISE
from fundoscope.photo.refusals import OUT_OF_MEMORY, TOO_LARGE
from fundoscope.reading import Lesion

NO_RETINA: Final = "no_field"
STATUSES: Final = (READ, NO_RETINA, REFUSED)


@dataclass(frozen=True, slots=True)
class ScoredBoxes:
    """Boxes of one kind on one photograph, best first.

    Attributes:
        corners: ``float (N, 4)``, x0, y0, x1, y1 in the photograph's pixels.
        scores: ``float (N,)``.
    """

    corners: BoxArray
    scores: Floats


NO_BOXES: Final = ScoredBoxes(np.zeros((0, 4)), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Detections:
    """A detector's results on one photograph.

    Attributes:
        status: ``read``, ``no_field`` (it opened, but shows no retina) or ``refused``.
        size: width and height in pixels, where it opened.
        boxes: by kind, whatever their score; only kinds that the detector can see at the
            photograph's size.
        unassessed: the detector's other kinds, which the photograph is too small for.
        maps: the probability maps, of a detector that segments.
        code, reason, remedy: why the detector could not look, as an error has them; empty where it
            did.
    """

    status: str
    size: tuple[int, int] | None = None
    boxes: Mapping[str, ScoredBoxes] = field(default_factory=dict)
    unassessed: tuple[str, ...] = ()
    maps: Segmentation | None = None
    code: str = ""
    reason: str = ""
    remedy: str = ""

    def of_kind(self, kind: str) -> ScoredBoxes:
        """Boxes of a kind, best first; none where the kind was not assessed."""
        return self.boxes.get(kind, NO_BOXES)


def detect(detector: Detector, path: Path) -> Detections:
    """Find all boxes on a photograph; one that cannot be read has none."""
    try:
        return _detect(detector, path)
    except PhotoError as error:
        return Detections(REFUSED, code=error.code, reason=error.why, remedy=error.remedy)
    except MemoryError:
        reason, remedy = TOO_LARGE
        return Detections(REFUSED, code=OUT_OF_MEMORY, reason=reason, remedy=remedy)


def _detect(detector: Detector, path: Path) -> Detections:
    photo = decode.decode_file(path, min_side=detector.decode_side)
    size = (photo.facts.width, photo.facts.height)
    fov = fields.find(photo)
    if not fov.found:
        code = fov.reason or "no_disc"
        reason, remedy = NO_FIELD.get(code, OTHERWISE)
        return Detections(NO_RETINA, size, code=code, reason=reason, remedy=remedy)
    kinds = detector.manifest.classes
    unassessed = tuple(kind for kind in kinds if not detector.assesses(kind, fov))
    lesions, maps = detectors.with_maps(detector, photo, fov)
    boxes = {kind: boxes_of(lesions, kind) for kind in kinds if kind not in unassessed}
    return Detections(READ, size, boxes, unassessed, maps)


def boxes_of(lesions: tuple[Lesion, ...], kind: str) -> ScoredBoxes:
    """Select the boxes of one kind, best first.

    Of a landmark only the best box is kept: an eye has one.
    """
    chosen = sorted(
        (lesion for lesion in lesions if lesion.kind == kind), key=lambda each: -each.score
    )
    chosen = chosen[:1] if kind in ANATOMY else chosen
    corners = np.array([lesion.box for lesion in chosen], np.float64).reshape(-1, 4)
    return ScoredBoxes(corners, np.array([lesion.score for lesion in chosen], np.float64))
