"""What the lesions of a photograph say, in numbers from which a grade is learnt.

Weak boxes count, too: a model that has seen many healthy eyes knows how much they say. So do boxes
of kinds that are "not assessed" at this size. They are too unreliable to be shown one by one, but
their number still differs between healthy and sick eyes; that a kind is not assessed is a feature
of its own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from fundoscope.grading.rules.evidence import Evidence, PlacedLesion
from fundoscope.lesions import presence

KINDS: Final = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
"""The kinds that diabetic retinopathy of grade 1 to 3 has and the detectors know."""
FLOORS: Final = (presence.WEAKEST, 0.3, 0.5, 0.7)
"""Lowest scores of the boxes that are counted, for each of four counts."""
CLEAR: Final = 0.3
"""Lowest score of a box whose area and place count."""
AREA_UNIT: Final = 10.0
"""Areas in tenths of a disc area, so that one small lesion makes a difference."""
HARD_EXUDATE: Final = "hard_exudate"
NEAR_FOVEA: Final = "hard_exudate near the fovea"
RADIUS: Final = "logarithm of the field's radius"

Features = Mapping[str, float | None]
"""The value of each feature of :data:`NAMES`; ``None`` where it is missing."""


def features(evidence: Evidence, radius: float) -> Features:
    """The features of one photograph.

    Args:
        evidence: with all possible boxes from a score of
            :data:`fundoscope.lesions.presence.WEAKEST` on, each with its score, not
            only with those that reach the thresholds.
        radius: of the field of view in pixels of the photograph.
    """
    values: dict[str, float | None] = {}
    for kind in KINDS:
        boxes = [each for each in evidence.lesions if each.kind == kind]
        for name, value in _of_kind(boxes, evidence):
            values[_named(kind, name)] = value
        values[_named(kind, "assessed")] = float(kind in evidence.assessed)
    exudates = [each for each in evidence.lesions if each.kind == HARD_EXUDATE and _clear(each)]
    values[NEAR_FOVEA] = _nearness(exudates)
    values[RADIUS] = math.log(radius)
    return values


def vector(features: Features, names: Sequence[str]) -> list[float]:
    """The values of some features, NaN where one is missing.

    Args:
        features: of a photograph.
        names: of the wanted ones, in the wanted order.
    """
    return [math.nan if (value := features[name]) is None else value for name in names]


def _of_kind(
    boxes: Sequence[PlacedLesion], evidence: Evidence
) -> Iterator[tuple[str, float | None]]:
    scores = [each.score or 0.0 for each in boxes]
    yield "highest score", presence.features(scores, presence.WEAKEST)[0]
    for floor in FLOORS:
        yield f"boxes from {floor:g}", presence.features(scores, floor)[1]
    clear = [each for each in boxes if _clear(each)]
    areas = [each.area for each in clear if each.area is not None]
    known = len(areas) == len(clear)
    yield "area", math.log1p(AREA_UNIT * sum(areas)) if known else None
    by_quadrant = Counter(each.quadrant for each in clear if each.quadrant)
    placed = bool(evidence.quadrants_seen)
    yield "quadrants", float(len(by_quadrant)) if placed else None
    fullest = max(by_quadrant.values(), default=0)
    yield "fullest quadrant", math.log1p(fullest) if placed else None


def _clear(lesion: PlacedLesion) -> bool:
    return (lesion.score or 0.0) >= CLEAR


def _nearness(exudates: Sequence[PlacedLesion]) -> float | None:
    """1 at the fovea, 1/2 one disc diameter away, 0 without an exudate; ``None`` if unknown."""
    distances = [each.distance for each in exudates if each.distance is not None]
    if len(distances) < len(exudates):
        return None
    return 1.0 / (1.0 + min(distances)) if distances else 0.0


def _named(kind: str, name: str) -> str:
    return f"{kind}: {name}"


NAMES: Final = tuple(features(Evidence(), 1.0))
"""The names of all features, in the order in which a model takes them."""
