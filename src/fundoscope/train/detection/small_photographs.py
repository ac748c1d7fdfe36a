"""How well a detector finds each kind on smaller copies of the validation photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import simplejpeg
from PIL import Image

from fundoscope import limits
from fundoscope.data.annotations.pictures import picture_size
from fundoscope.evaluate.lesions import hits
from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.geometry import Affine
from fundoscope.kinds import LESIONS
from fundoscope.lesions import comparable, view
from fundoscope.lesions import detector as detectors
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.photo import decode, field
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView
from fundoscope.train.detection.views import operating
from fundoscope.train.detection.views.operating import Sizes
from fundoscope.train.detection.views.view import AnnotatedView

SCALES: Final = tuple(0.12 ** (step / 12) for step in range(13))
"""Sizes of the copies, as shares of full size: each is smaller than the one before by the same
factor."""
STORED_QUALITY: Final = 90
"""The copies are stored as JPEG of this quality with halved colour resolution, as small photographs
usually are. IDRiD's grading set has copies of 768 pixels of seven validation photographs. On them
the recall of microaneurysms is 0.43, of haemorrhages 0.25 and of hard exudates 0.46; on our copies
0.41, 0.25 and 0.50. Without JPEG, that of microaneurysms would be 0.62."""


@dataclass(frozen=True, slots=True)
class Copies:
    """What a detector finds on copies of the validation photographs, of one size.

    Attributes:
        radius: of their fields in pixels, the mean.
        halvings: how often that is smaller by half than the working scale's; 0 if it is larger.
        matched: the boxes on each copy, matched with its lesions, by kind.
    """

    radius: float
    halvings: float
    matched: Mapping[str, Sequence[Matched]]


def read(detector: Detector, val: Sequence[AnnotatedView]) -> list[Copies]:
    """Read smaller and smaller copies of photographs; the first are of full size.

    Args:
        detector: without thresholds, and without a correction of its scores by size.
        val: the validation photographs.
    """
    kinds = detector.manifest.classes
    scales = _scales(val)
    matched: dict[float, dict[str, list[Matched]]] = {scale: {} for scale in scales}
    radii = []
    for each in val:
        photo = decode.decode_file(each.photograph)
        fov = field.find(photo)
        radii.append(fov.radius or 0.0)
        for scale in scales:
            found = _read_smaller(detector, photo, fov, each, scale)
            for label, kind in enumerate(kinds, start=1):
                of_kind = found.labels == label
                truth = each.boxes[each.labels == label]
                boxes = hits.match(found.boxes[of_kind], found.scores[of_kind], truth)
                matched[scale].setdefault(kind, []).append(operating.counted(kind, boxes))
    full = float(np.mean(radii))
    return [
        Copies(
            full * scale,
            comparable.halvings(detector.manifest.radius / (full * scale)),
            matched[scale],
        )
        for scale in scales
    ]


def corrections(copies: Sequence[Copies], thresholds: Mapping[str, float]) -> dict[str, float]:
    """For each kind of lesion, the correction with which its threshold holds for all sizes.

    Args:
        copies: from :func:`read`.
        thresholds: for each kind, the score from which a box counts at full size.
    """
    return {
        kind: operating.size_correction(
            kind, threshold, [(each.halvings, each.matched[kind]) for each in copies]
        )
        for kind, threshold in thresholds.items()
        if kind in LESIONS
    }


def sizes(
    copies: Sequence[Copies], thresholds: Mapping[str, float], correction: Mapping[str, float]
) -> dict[str, Sizes]:
    """Precision and recall of each kind by the radius of the field.

    Args:
        copies: from :func:`read`.
        thresholds: for each kind, the score from which a box counts.
        correction: of the scores, from :func:`corrections`.
    """
    return {
        kind: {
            float(round(each.radius)): hits.at_threshold(
                _corrected(
                    hits.pooled(each.matched[kind]), correction.get(kind, 0.0), each.halvings
                ),
                threshold,
            )
            for each in copies
        }
        for kind, threshold in thresholds.items()
    }


def _corrected(matched: Matched, correction: float, halvings: float) -> Matched:
    scores = comparable.corrected(matched.scores, correction, halvings, operating.SIZE_EXPONENT)
    return replace(matched, scores=scores)


def _scales(val: Sequence[AnnotatedView]) -> list[float]:
    """The sizes at which no validation photograph is too small to be read."""
    side = min(min(picture_size(each.photograph)) for each in val)
    return [scale for scale in SCALES if scale == 1 or side * scale >= limits.MIN_SIDE]


def _read_smaller(
    detector: Detector, photo: Photo, fov: FieldOfView, each: AnnotatedView, scale: float
) -> DetectedBoxes:
    """The boxes found on a smaller copy of a photograph, in the pixels of its full-size view."""
    height, width = photo.pixels.shape[:2]
    size = (round(width * scale), round(height * scale))
    picture = Image.fromarray(photo.pixels)
    small = photo if scale == 1 else _stored(picture.resize(size, Image.Resampling.LANCZOS))
    shrunk = Affine.scale(size[0] / width, size[1] / height)
    made = view.make(small, _through(fov, shrunk), detector.manifest.radius)
    boxes = detectors.on_view(detector, made)
    back = made.to_view.inverse().then(shrunk.inverse()).then(each.view.to_view)
    moved = [back.box((box[0], box[1], box[2], box[3])) for box in boxes.boxes.tolist()]
    return replace(boxes, boxes=np.array(moved, np.float64).reshape(-1, 4))


def _stored(picture: Image.Image) -> Photo:
    """A picture after it was stored as JPEG."""
    content = simplejpeg.encode_jpeg(
        np.array(picture), quality=STORED_QUALITY, colorsubsampling="420"
    )
    return decode.decode(content)


def _through(fov: FieldOfView, shrunk: Affine) -> FieldOfView:
    """The field of view on a smaller copy."""
    if fov.centre is None or fov.radius is None:
        raise ValueError("no field of view was found")
    return replace(fov, centre=shrunk.point(*fov.centre), radius=fov.radius * shrunk.yy)
