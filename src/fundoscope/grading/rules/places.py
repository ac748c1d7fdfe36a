"""The evidence for rules, from what was read on a photograph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fundoscope.grading.rules.evidence import Evidence, PlacedLesion
from fundoscope.lesions import anatomy as geometry
from fundoscope.reading import Anatomy, FieldOfView, Lesion, LesionSummary


def evidence(
    lesions: Sequence[Lesion],
    summary: Sequence[LesionSummary],
    anatomy: Anatomy,
    fov: FieldOfView,
    *,
    acuity: float | None = None,
    facts: Mapping[str, bool] | None = None,
) -> Evidence:
    """Place the lesions of a photograph.

    Args:
        lesions: of the Reading, in its order.
        summary: for the kinds that were assessed.
        anatomy: of the photograph.
        fov: its field of view, found.
        acuity: best corrected, as a decimal fraction; ``None`` if not given.
        facts: what a person told, by the keys of a rule set's ``facts``.
    """
    return Evidence(
        tuple(_placed(index, lesion, anatomy, fov) for index, lesion in enumerate(lesions)),
        frozenset(each.kind for each in summary if each.assessed),
        geometry.quadrants_seen(anatomy, fov),
        acuity,
        facts or {},
    )


def _placed(index: int, lesion: Lesion, anatomy: Anatomy, fov: FieldOfView) -> PlacedLesion:
    x0, y0, x1, y1 = lesion.box
    centre = ((x0 + x1) / 2, (y0 + y1) / 2)
    fovea, disc = anatomy.fovea, anatomy.disc
    distance = area = None
    if fovea.centre is not None:
        distance = geometry.distance(lesion.box, fovea.centre, disc, fov)
    if disc.diameter:
        in_disc_squares = (x1 - x0) * (fov.stretch or 1.0) * (y1 - y0) / disc.diameter**2
        area = in_disc_squares / (math.pi / 4)
    return PlacedLesion(
        lesion.kind,
        index,
        geometry.quadrant(centre, anatomy),
        distance,
        fovea.error or 0.0,
        geometry.in_macula(centre, anatomy, fov),
        area,
    )
