"""Lesions placed on the retina, and macular oedema by exudates."""

from __future__ import annotations

import pytest

from fundoscope.grading import oedema
from fundoscope.grading.rules import places
from fundoscope.grading.rules.evidence import Evidence, PlacedLesion
from fundoscope.kinds import LESIONS
from fundoscope.lesions import anatomy as geometry
from fundoscope.opinions import MacularOedema
from fundoscope.reading import (
    Anatomy,
    FieldOfView,
    Fovea,
    Laterality,
    Lesion,
    LesionSummary,
    OpticDisc,
)

FIELD = FieldOfView(True, (500.0, 500.0), 480.0, 1.0)
DISC = OpticDisc(True, (700.0, 450.0, 800.0, 550.0), (750.0, 500.0), 100.0, 0.9)
SUMMARY = (
    LesionSummary("hard_exudate", True, None, 1, 100.0),
    LesionSummary("microaneurysm", False, "photograph_too_small"),
)


def test_a_lesion_is_placed() -> None:
    anatomy = Anatomy(DISC, Fovea("found", (480.0, 520.0), 0.9, 0.0), Laterality("right", "image"))
    lesion = Lesion("hard_exudate", (380.0, 500.0, 400.0, 520.0), 0.8)
    evidence = places.evidence([lesion], SUMMARY, anatomy, FIELD)
    (placed,) = evidence.lesions
    assert placed.quadrant == "superior_temporal"
    assert placed.distance == pytest.approx(0.8)
    assert placed.in_macula is True
    assert placed.area == pytest.approx(20 * 20 / (3.14159 / 4 * 100**2), rel=1e-4)
    assert evidence.assessed == {"hard_exudate"}
    assert len(evidence.quadrants_seen) == 4


def test_without_a_disc_nothing_has_a_place() -> None:
    anatomy = geometry.of_disc(OpticDisc(found=False), FIELD)
    lesion = Lesion("hard_exudate", (380.0, 500.0, 400.0, 520.0), 0.8)
    evidence = places.evidence([lesion], SUMMARY, anatomy, FIELD)
    assert evidence.lesions == (PlacedLesion("hard_exudate", 0, score=0.8),)
    assert evidence.quadrants_seen == frozenset()
    assert oedema.oedema(evidence) == MacularOedema("cannot_tell", None, "fovea")


ALL = frozenset(LESIONS)


@pytest.mark.parametrize(
    ("lesions", "assessed", "expected"),
    [
        ((), ALL, MacularOedema("no_exudates_near")),
        ((), frozenset({"haemorrhage"}), MacularOedema("cannot_tell", None, "not_assessed")),
        ((("hard_exudate", 0.4),), ALL, MacularOedema("possible", 0.4)),
        ((("hard_exudate", 3.0), ("hard_exudate", 1.0)), ALL, MacularOedema("possible", 1.0)),
        ((("hard_exudate", 1.5),), ALL, MacularOedema("no_exudates_near", 1.5)),
        ((("haemorrhage", 0.4),), ALL, MacularOedema("no_exudates_near")),
    ],
)
def test_macular_oedema(
    lesions: tuple[tuple[str, float], ...], assessed: frozenset[str], expected: MacularOedema
) -> None:
    placed = tuple(
        PlacedLesion(kind, index, None, distance) for index, (kind, distance) in enumerate(lesions)
    )
    assert oedema.oedema(Evidence(placed, assessed, macula_shown=1.0)) == expected


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (0.1, MacularOedema("cannot_tell", None, "withheld")),
        (3.0, MacularOedema("no_exudates_near")),
    ],
)
def test_withheld_exudates_near_the_fovea_leave_it_open(
    distance: float, expected: MacularOedema
) -> None:
    drawn = Evidence((), ALL, macula_shown=1.0)
    withheld = Evidence((PlacedLesion("hard_exudate", 0, None, distance),), ALL, macula_shown=1.0)
    assert oedema.oedema(drawn, withheld) == expected
