"""The evidence of a photograph as numbers, for a model that grades from lesions.

The vector has the same length and order for every photograph. What was not assessed is ``None``,
never 0: a model has to know the difference. Boxes are larger than lesions, and so are their areas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from fundoscope.grading.rules.evidence import QUADRANTS, Evidence, PlacedLesion

KINDS: Final = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
"""The kinds that detectors here are trained for."""
OF_KIND: Final = (
    "assessed",
    "presence",
    "count",
    "area",
    "highest_score",
    "mean_score",
    "nearest",
    *(f"count_{quadrant}" for quadrant in QUADRANTS),
)
"""Features of one kind: whether it was assessed (0 or 1); the probability that the eye has it; the
number of boxes; the sum of their areas, in disc areas; their highest and mean score; the distance
of the nearest to the fovea, in disc diameters; and the number in each quadrant that is seen."""
OF_PHOTOGRAPH: Final = ("macula_shown", *(f"seen_{quadrant}" for quadrant in QUADRANTS))
"""Features of the photograph: how far around the fovea it shows the retina, in disc diameters, and
whether it shows each quadrant (0 or 1)."""
NAMES: Final = (*(f"{kind}_{name}" for kind in KINDS for name in OF_KIND), *OF_PHOTOGRAPH)
"""The name of each number of :func:`features`."""


def features(evidence: Evidence) -> tuple[float | None, ...]:
    """The numbers of a photograph, in the order of :data:`NAMES`.

    Args:
        evidence: of one photograph.

    Returns:
        ``None`` where something was not assessed, has no place, or is undefined because there is
        no box of that kind.
    """
    seen = (float(quadrant in evidence.quadrants_seen) for quadrant in QUADRANTS)
    of_kinds = (value for kind in KINDS for value in _of_kind(kind, evidence))
    return (*of_kinds, evidence.macula_shown, *seen)


def _of_kind(kind: str, evidence: Evidence) -> Iterator[float | None]:
    """The numbers of one kind, in the order of :data:`OF_KIND`."""
    if kind not in evidence.assessed:
        yield 0.0
        yield from [None] * (len(OF_KIND) - 1)
        return
    lesions = [lesion for lesion in evidence.lesions if lesion.kind == kind]
    scores = [lesion.score for lesion in lesions if lesion.score is not None]
    distances = [lesion.distance for lesion in lesions if lesion.distance is not None]
    yield 1.0
    yield evidence.presence.get(kind)
    yield float(len(lesions))
    yield _area(lesions)
    yield max(scores, default=None)
    yield sum(scores) / len(scores) if scores else None
    yield min(distances, default=None)
    for quadrant in QUADRANTS:
        inside = sum(lesion.quadrant == quadrant for lesion in lesions)
        yield float(inside) if quadrant in evidence.quadrants_seen else None


def _area(lesions: Sequence[PlacedLesion]) -> float | None:
    """The sum of the areas; ``None`` if one is not known, for want of a disc."""
    areas = [lesion.area for lesion in lesions if lesion.area is not None]
    return sum(areas) if len(areas) == len(lesions) else None
