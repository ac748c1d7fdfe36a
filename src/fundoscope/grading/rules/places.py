"""The evidence for rules, from what was read on a photograph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from fundoscope.grading.rules.evidence import Evidence, PlacedLesion
from fundoscope.lesions import anatomy as geometry
from fundoscope.lesions.anatomy import Size
from fundoscope.reading import (
    FOUND,
    NOT_FOUND,
    Anatomy,
    FieldOfView,
    Fovea,
    Laterality,
    Lesion,
    LesionSummary,
)


def evidence(
    lesions: Sequence[Lesion],
    summary: Sequence[LesionSummary],
    anatomy: Anatomy,
    fov: FieldOfView,
    *,
    size: Size | None = None,
    withheld: Sequence[Lesion] = (),
    acuity: float | None = None,
    facts: Mapping[str, bool] | None = None,
) -> Evidence:
    """Place the lesions of a photograph.

    Args:
        lesions: of the Reading, in its order.
        summary: for the kinds that were assessed.
        anatomy: of the photograph.
        fov: its field of view, found.
        size: width and height of the photograph, in pixels; ``None``: the whole field is on it.
        withheld: lesions that are not drawn.
        acuity: best corrected, as a decimal fraction; ``None`` if not given.
        facts: what a person answered, by the keys of a rule set's ``facts``.
    """
    anatomy = uncontradicted(anatomy)
    return Evidence(
        tuple(_placed(index, lesion, anatomy, fov) for index, lesion in enumerate(lesions)),
        frozenset(each.kind for each in summary if each.assessed),
        geometry.quadrants_seen(anatomy, fov, size),
        acuity,
        facts or {},
        _macula_shown(anatomy, fov, size),
        {
            each.kind: each.presence_probability
            for each in summary
            if each.presence_probability is not None
        },
        anatomy.fovea.state == FOUND,
        tuple(_placed(-1, lesion, anatomy, fov) for lesion in withheld),
        _has_ruler(anatomy),
    )


def not_drawn(summary: Sequence[LesionSummary]) -> tuple[PlacedLesion, ...]:
    """The lesions that a Reading counts and does not draw: nobody knows their places.

    Args:
        summary: of the Reading.
    """
    return tuple(PlacedLesion(each.kind, -1) for each in summary for _ in range(each.withheld or 0))


def uncontradicted(anatomy: Anatomy) -> Anatomy:
    """Leave out what follows from the side of the eye, if the photograph shows the other eye.

    Then the given side or the photograph is wrong. A fovea that was found stays. One that was seen
    faintly does not: the photograph may seem to show the other eye because that place is no fovea.

    Args:
        anatomy: of the photograph.
    """
    if not anatomy.laterality.contradiction:
        return anatomy
    seen = anatomy.fovea.state == FOUND
    fovea = anatomy.fovea if seen else Fovea(NOT_FOUND)
    return replace(anatomy, fovea=fovea, laterality=Laterality(contradiction=True))


def _has_ruler(anatomy: Anatomy) -> bool:
    """Whether distances are known: an estimated disc may be another bright place of any size."""
    return bool(anatomy.disc.found and anatomy.disc.diameter)


def _macula_shown(anatomy: Anatomy, fov: FieldOfView, size: Size | None) -> float:
    """How far around the fovea's centre the retina is shown in every direction, in disc diameters.

    It ends with the field of view, and with the photograph where that cuts the field off.
    """
    fovea, diameter = anatomy.fovea, anatomy.disc.diameter
    if fovea.centre is None or not diameter or not _has_ruler(anatomy) or fov.radius is None:
        return 0.0
    x, y = fovea.centre
    to_edge = (1.0 - math.hypot(*fov.to_unit().point(x, y))) * fov.radius
    if size is not None:
        across = min(x, size[0] - x) * (fov.stretch or 1.0)
        to_edge = min(to_edge, across, y, size[1] - y)
    return max(0.0, to_edge / diameter - (fovea.error or 0.0))


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
        lesion.score,
    )
