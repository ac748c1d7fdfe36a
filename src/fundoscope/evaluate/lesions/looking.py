"""All that a detector sees on a photograph's file, or why it saw nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from fundoscope.errors import PhotoError
from fundoscope.evaluate.grading.evaluation import OUT_OF_MEMORY, READ, REFUSED
from fundoscope.evaluate.lesions.ranked import Floats
from fundoscope.kinds import ANATOMY
from fundoscope.lesions import detector as detectors
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.painted import Painted
from fundoscope.photo import decode
from fundoscope.photo import field as fields
from fundoscope.reading import Lesion
from fundoscope.report.wording import NO_FIELD, NO_FIELD_OTHERWISE

NO_RETINA: Final = "no_field"
STATUSES: Final = (READ, NO_RETINA, REFUSED)


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of one kind on one photograph, best first.

    Attributes:
        corners: ``float (N, 4)``, x0, y0, x1, y1 in the photograph's pixels.
        scores: ``float (N,)``.
    """

    corners: Floats
    scores: Floats


NONE: Final = Boxes(np.zeros((0, 4)), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen on one photograph.

    Attributes:
        status: ``read``, ``no_field`` (it opened, but shows no retina) or ``refused``.
        size: width and height in pixels, where it opened.
        boxes: by kind, whatever their score; only of kinds that the detector can see at the
            photograph's size.
        unassessed: the kinds that it knows and cannot see there.
        painted: its maps, where it paints.
        code, reason, remedy: why nothing was looked for, as an error has them; empty when it was.
    """

    status: str
    size: tuple[int, int] | None = None
    boxes: Mapping[str, Boxes] = field(default_factory=dict)
    unassessed: tuple[str, ...] = ()
    painted: Painted | None = None
    code: str = ""
    reason: str = ""
    remedy: str = ""


def look(detector: Detector, path: Path) -> Seen:
    """See all boxes on a photograph; what cannot be read has none."""
    try:
        return _look(detector, path)
    except PhotoError as error:
        return Seen(REFUSED, code=error.code, reason=error.why, remedy=error.remedy)
    except MemoryError:
        code, reason, remedy = OUT_OF_MEMORY
        return Seen(REFUSED, code=code, reason=reason, remedy=remedy)


def _look(detector: Detector, path: Path) -> Seen:
    photo = decode.decode_file(path, min_side=detector.decode_side)
    size = (photo.facts.width, photo.facts.height)
    fov = fields.find(photo)
    if not fov.found:
        code = fov.reason or "no_disc"
        reason, remedy = NO_FIELD.get(code, NO_FIELD_OTHERWISE)
        return Seen(NO_RETINA, size, code=code, reason=reason, remedy=remedy)
    kinds = detector.manifest.classes
    unassessed = tuple(kind for kind in kinds if not detector.assesses(kind, fov))
    found, painted = detectors.with_maps(detector, photo, fov)
    boxes = {kind: of_kind(found, kind) for kind in kinds if kind not in unassessed}
    return Seen(READ, size, boxes, unassessed, painted)


def of_kind(found: tuple[Lesion, ...], kind: str) -> Boxes:
    """The boxes of one kind among lesions, best first; of a landmark the best alone, as an eye has
    one and a reading shows one."""
    chosen = sorted((one for one in found if one.kind == kind), key=lambda one: -one.score)
    chosen = chosen[:1] if kind in ANATOMY else chosen
    corners = np.array([one.box for one in chosen], np.float64).reshape(-1, 4)
    return Boxes(corners, np.array([one.score for one in chosen], np.float64))
