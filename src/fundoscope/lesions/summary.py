"""Summing lesions up: counts and areas by kind, and the optic disc."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from fundoscope.geometry import Box
from fundoscope.kinds import LESIONS, OPTIC_DISC
from fundoscope.lesions import anatomy as geometry
from fundoscope.lesions import cleaning, discs, exposure, laterality, presence
from fundoscope.lesions.detector import Detector, accepted
from fundoscope.models.presence import PresenceModel
from fundoscope.photo.decode import Photo
from fundoscope.reading import (
    FOUND,
    NOT_FOUND,
    Anatomy,
    FieldOfView,
    Lesion,
    LesionSummary,
    OpticDisc,
)

NO_DETECTOR: Final = tuple(LesionSummary(kind, False, "no_detector") for kind in LESIONS)
"""The summary of a photograph on which lesions were not looked for."""
NO_FIELD: Final = tuple(LesionSummary(kind, False, "no_field") for kind in LESIONS)
"""The summary of a photograph without a field of view."""
NOT_GRADABLE: Final = tuple(LesionSummary(kind, False, "not_gradable") for kind in LESIONS)
"""The summary of a photograph that is too poor to be graded."""
SURE_OF_GRADE_0: Final = tuple(LesionSummary(kind, False, "sure_of_grade_0") for kind in LESIONS)
"""The summary of a photograph on which lesions were left out, as the grader is sure of grade 0."""
OVEREXPOSED: Final = tuple(LesionSummary(kind, False, "overexposed") for kind in LESIONS)
"""The summary of a photograph too much of which is washed out."""
OVEREXPOSED_WARNING: Final = (
    "the photograph is overexposed, so lesions were not assessed; retake it with less flash"
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found on the retina of a photograph.

    Attributes:
        lesions: without landmarks, highest score first.
        summary: an entry for every kind, in the order of :data:`fundoscope.kinds.LESIONS`.
        anatomy: the landmarks.
        warnings: sentences about anything unusual.
        seen: all boxes that can be a lesion, from a score of
            :data:`fundoscope.lesions.presence.WEAKEST` on; kinds that were not assessed, too.
        withheld: lesions that are not drawn (:mod:`fundoscope.grading.withholding`).
        readable: whether the boxes of ``seen`` together say something about the eye: the detector
            read the photograph, and it is not overexposed. This may be so at a size at which no
            single kind is assessed.
    """

    lesions: tuple[Lesion, ...] = ()
    summary: tuple[LesionSummary, ...] = ()
    anatomy: Anatomy = field(default_factory=Anatomy)
    warnings: tuple[str, ...] = ()
    seen: tuple[Lesion, ...] = ()
    withheld: tuple[Lesion, ...] = ()
    readable: bool = False


def findings(
    boxes: Sequence[Lesion],
    detector: Detector,
    photo: Photo,
    fov: FieldOfView,
    *,
    placed: Anatomy | None = None,
    eye: str | None = None,
) -> Findings:
    """Separate landmarks from lesions, remove what cannot be one, and sum up.

    Args:
        boxes: everything that the detector saw, whatever its score, highest score first.
        detector: for its thresholds and the kinds that it assesses.
        photo: decoded at any scale.
        fov: its field of view, found.
        placed: the landmarks, from a landmark network; ``None``: the detector's disc is taken.
        eye: which eye it is, if that was given.
    """
    detections = accepted(detector, boxes, fov)
    anatomy = _of_detector(detections, detector, photo, fov, eye) if placed is None else placed
    notes = discs.warnings(anatomy.disc, fov) + laterality.warnings(anatomy.laterality)
    seen = possible(boxes, anatomy.disc, fov)
    if exposure.is_overexposed(photo, fov):
        return Findings((), OVEREXPOSED, anatomy, (*notes, OVEREXPOSED_WARNING), seen)
    found = [item for item in detections if item.kind in LESIONS]
    lesions = cleaning.lesions_only(found, anatomy.disc, fov)
    of_kinds = summarise(lesions, anatomy, detector, fov)
    of_kinds = with_presence(of_kinds, seen, detector)
    return Findings(lesions, of_kinds, anatomy, notes, seen, readable=detector.reads(fov))


def possible(boxes: Sequence[Lesion], disc: OpticDisc, fov: FieldOfView) -> tuple[Lesion, ...]:
    """The boxes that can be a lesion, from a score of :data:`presence.WEAKEST` on, in their order.

    Args:
        boxes: everything that the detector saw.
        disc: found or not.
        fov: of the photograph, found.
    """
    return tuple(
        box
        for box in boxes
        if box.kind in LESIONS
        and box.score >= presence.WEAKEST
        and cleaning.possible(box, disc, fov)
    )


def _of_detector(
    detections: Sequence[Lesion],
    detector: Detector,
    photo: Photo,
    fov: FieldOfView,
    eye: str | None,
) -> Anatomy:
    """The landmarks that follow from a detector's disc; ``eye`` as for :func:`findings`."""
    anatomy, _ = anatomy_of(_likely(detections, photo, fov), detector, fov)
    if anatomy.disc.found is None:  # so the fovea was not looked for either
        return replace(anatomy, laterality=laterality.of(anatomy.disc, anatomy.fovea, fov, eye))
    return geometry.of_disc(anatomy.disc, fov, eye)


def _likely(detections: Sequence[Lesion], photo: Photo, fov: FieldOfView) -> list[Lesion]:
    """Detections with at most one disc."""
    candidates = [item for item in detections if item.kind == OPTIC_DISC.key]
    disc = discs.best(candidates, photo, fov) if candidates else None
    others = [item for item in detections if item.kind != OPTIC_DISC.key]
    return [*others, *([disc] if disc else [])]


def with_presence(
    of_kinds: Sequence[LesionSummary], seen: Sequence[Lesion], detector: Detector
) -> tuple[LesionSummary, ...]:
    """Add whether each assessed kind is in the eye at all, where the bundle has a model of it.

    Args:
        of_kinds: from :func:`summarise`.
        seen: all boxes that can be a lesion, weak ones too.
        detector: for its presence models.
    """
    models = detector.manifest.presence
    scores: Mapping[str, list[float]] = {kind: [] for kind in models}
    for box in seen:
        if box.kind in scores:
            scores[box.kind].append(box.score)
    return tuple(
        _with_presence(each, models[each.kind], scores[each.kind])
        if each.assessed and each.kind in models
        else each
        for each in of_kinds
    )


def _with_presence(
    of_kind: LesionSummary, model: PresenceModel, scores: Sequence[float]
) -> LesionSummary:
    probability = presence.probability(model, scores)
    return replace(of_kind, presence_probability=probability, present=probability >= model.limit)


def summarise(
    lesions: Sequence[Lesion], anatomy: Anatomy, detector: Detector, fov: FieldOfView
) -> tuple[LesionSummary, ...]:
    """An entry for every kind of lesion, in the order of :data:`fundoscope.kinds.LESIONS`.

    Args:
        lesions: what the detector found.
        anatomy: for the area of the disc.
        detector: for the kinds that it assesses.
        fov: of the photograph, found.
    """
    disc = _disc_area(anatomy.disc, fov)
    return tuple(_of_kind(kind, lesions, disc, detector, fov) for kind in LESIONS)


def _of_kind(
    kind: str,
    lesions: Sequence[Lesion],
    disc: float | None,
    detector: Detector,
    fov: FieldOfView,
) -> LesionSummary:
    if kind not in detector.manifest.minimum_radius:
        return LesionSummary(kind, False, "unknown_to_detector")
    if not detector.assesses(kind, fov):
        return LesionSummary(kind, False, "photograph_too_small")
    boxes = [lesion.box for lesion in lesions if lesion.kind == kind]
    area = union_area(boxes)
    return LesionSummary(kind, True, None, len(boxes), area, None if disc is None else area / disc)


def anatomy_of(
    detections: Sequence[Lesion], detector: Detector, fov: FieldOfView
) -> tuple[Anatomy, tuple[Lesion, ...]]:
    """Separate landmarks from lesions.

    Args:
        detections: what the detector found; of several discs the likeliest is taken.
        detector: for the kinds that it assesses.
        fov: of the photograph, found.

    Returns:
        The landmarks, and the lesions without them.
    """
    lesions = tuple(item for item in detections if item.kind in LESIONS)
    if not detector.assesses(OPTIC_DISC.key, fov):
        return Anatomy(), lesions
    candidates = [item for item in detections if item.kind == OPTIC_DISC.key]
    if not candidates:
        return geometry.of_disc(OpticDisc(found=False, state=NOT_FOUND), fov), lesions
    best = max(candidates, key=lambda disc: disc.score)
    x0, y0, x1, y1 = best.box
    centre = ((x0 + x1) / 2, (y0 + y1) / 2)
    disc = OpticDisc(True, best.box, centre, discs.diameter(best.box, fov), best.score, FOUND)
    return geometry.of_disc(disc, fov), lesions


def _disc_area(disc: OpticDisc, fov: FieldOfView) -> float | None:
    """Area of a circle of one disc diameter, in square pixels of the photograph."""
    if disc.diameter is None:
        return None
    return math.pi / 4 * disc.diameter**2 / (fov.stretch or 1.0)


def union_area(boxes: Sequence[Box]) -> float:
    """The area of the union of boxes."""
    if not boxes:
        return 0.0
    corners = np.array(boxes, np.float64)
    xs, ys = np.unique(corners[:, [0, 2]]), np.unique(corners[:, [1, 3]])
    covered = np.zeros((len(ys), len(xs)), np.int32)
    # All edges make a grid. Count the boxes that begin and end at each of its corners; the
    # cumulative sum along both axes is then the number of boxes over each cell.
    left, right = np.searchsorted(xs, corners[:, 0]), np.searchsorted(xs, corners[:, 2])
    top, bottom = np.searchsorted(ys, corners[:, 1]), np.searchsorted(ys, corners[:, 3])
    for rows, columns, value in (
        (top, left, 1),
        (bottom, right, 1),
        (top, right, -1),
        (bottom, left, -1),
    ):
        np.add.at(covered, (rows, columns), value)
    over = covered.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0
    return float((np.diff(ys)[:, None] * np.diff(xs)[None] * over).sum())
