"""Lesions placed on the retina, and macular oedema by exudates."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fundoscope.grading import oedema
from fundoscope.grading.rules import engine, places, rulesets
from fundoscope.grading.rules.evidence import QUADRANTS, Evidence, PlacedLesion
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
DISC = OpticDisc(True, (700.0, 450.0, 800.0, 550.0), (750.0, 500.0), 100.0, 0.9, "found")
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
    ("distance", "error", "expected"),
    [
        (0.1, 0.0, MacularOedema("cannot_tell", None, "withheld")),
        (3.0, 0.0, MacularOedema("no_exudates_near")),
        (0.1, 0.8, MacularOedema("cannot_tell", None, "withheld")),
        (0.5, 0.8, MacularOedema("cannot_tell", None, "withheld")),
        (1.5, 0.8, MacularOedema("cannot_tell", None, "withheld")),
        (3.0, 0.8, MacularOedema("no_exudates_near")),
        (None, 0.0, MacularOedema("cannot_tell", None, "withheld")),
    ],
)
def test_withheld_exudates_that_may_lie_near_the_fovea_leave_it_open(
    distance: float | None, error: float, expected: MacularOedema
) -> None:
    exudate = PlacedLesion("hard_exudate", -1, None, distance, error)
    evidence = Evidence((), ALL, macula_shown=1.0, withheld=(exudate,))
    assert oedema.oedema(evidence) == expected


def test_rules_do_not_exclude_what_withheld_lesions_would_meet() -> None:
    near = PlacedLesion("hard_exudate", -1, None, 0.4)
    evidence = Evidence((), ALL, macula_shown=3.0, withheld=(near,))
    outcome = engine.apply(rulesets.shipped("nhs-england-maculopathy"), evidence)
    assert (outcome.level.id, outcome.highest.id) == ("M0", "M1")
    assert any(missing == {"withheld"} for _, missing in outcome.open)
    far = replace(evidence, withheld=(replace(near, distance=4.0, in_macula=False),))
    outcome = engine.apply(rulesets.shipped("nhs-england-maculopathy"), far)
    assert outcome.highest.id == "M0"


def test_a_withheld_exudate_that_is_too_small_for_a_group_leaves_nothing_open() -> None:
    tiny = PlacedLesion("hard_exudate", -1, None, 1.6, 0.0, True, 0.001)
    evidence = Evidence((), ALL, macula_shown=3.0, withheld=(tiny,))
    outcome = engine.apply(rulesets.shipped("nhs-england-maculopathy"), evidence)
    assert outcome.highest.id == "M0"
    large = replace(evidence, withheld=(replace(tiny, area=2.0),))
    outcome = engine.apply(rulesets.shipped("nhs-england-maculopathy"), large)
    assert outcome.highest.id == "M1"


def test_a_fovea_without_a_disc_has_no_distances() -> None:
    anatomy = Anatomy(OpticDisc(found=False), Fovea("found", (500.0, 500.0), 0.9, 0.0))
    evidence = places.evidence([], SUMMARY, anatomy, FIELD)
    assert oedema.oedema(evidence) == MacularOedema("cannot_tell", None, "optic_disc")


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((588.0, 495.0, 600.0, 505.0), MacularOedema("cannot_tell", None, "optic_disc")),
        ((560.0, 495.0, 600.0, 505.0), MacularOedema("cannot_tell", None, "optic_disc")),
        ((470.0, 495.0, 500.0, 505.0), MacularOedema("possible", 0.0)),
    ],
)
def test_a_disc_that_is_only_estimated_is_no_ruler(
    box: tuple[float, float, float, float], expected: MacularOedema
) -> None:
    """A bright spot taken for the disc has any diameter; an exudate on the fovea is near by any."""
    faint = OpticDisc(False, None, (750.0, 500.0), 100.0, 0.3, "estimated")
    anatomy = Anatomy(faint, Fovea("found", (480.0, 500.0), 0.9, 0.0), Laterality("right", "image"))
    evidence = places.evidence([Lesion("hard_exudate", box, 0.8)], SUMMARY, anatomy, FIELD)
    assert evidence.macula_shown == 0.0
    assert oedema.oedema(evidence) == expected
    outcome = engine.apply(rulesets.shipped("nhs-england-maculopathy"), evidence)
    assert outcome.highest.id == "M1"


def test_withheld_haemorrhages_count_in_every_quadrant_that_they_may_lie_in() -> None:
    seen = frozenset(QUADRANTS)

    def excluded(withheld: tuple[PlacedLesion, ...]) -> bool:
        evidence = Evidence((), ALL, seen, macula_shown=3.0, withheld=withheld)
        outcome = engine.apply(rulesets.shipped("icdr"), evidence)
        return "4-haemorrhages" not in {rule.id for rule, _ in outcome.open}

    few = tuple(PlacedLesion("haemorrhage", -1, quadrant) for quadrant in QUADRANTS)
    assert excluded(few)
    assert not excluded(few * 21)
    assert not excluded((PlacedLesion("haemorrhage", -1),) * 21)
    assert excluded((PlacedLesion("haemorrhage", -1, QUADRANTS[0]),) * 84)


def test_the_withheld_lesions_of_a_stored_reading_may_lie_anywhere() -> None:
    of_kinds = (LesionSummary("hard_exudate", True, None, 0, withheld=2), LesionSummary("x", True))
    assert places.not_drawn(of_kinds) == (PlacedLesion("hard_exudate", -1),) * 2


def test_a_photograph_that_cuts_the_field_off_does_not_show_what_lies_beyond() -> None:
    """A 3:2 camera shows a disc of retina without its upper and lower part."""
    anatomy = Anatomy(
        OpticDisc(True, None, (800.0, 900.0), 200.0, 0.9, "found"),
        Fovea("found", (400.0, 900.0), 0.9, 0.0),
        Laterality("right", "image"),
    )
    whole = places.evidence([], SUMMARY, anatomy, FIELD)
    cut_off = places.evidence([], SUMMARY, anatomy, FIELD, size=(1000, 950))
    assert oedema.oedema(cut_off) == MacularOedema("cannot_tell", None, "edge")
    assert cut_off.macula_shown == pytest.approx(0.25)
    assert whole.macula_shown > cut_off.macula_shown
    assert cut_off.quadrants_seen == {"superior_temporal", "superior_nasal"}
