"""What was not seen is never clear: the macula, the side of the eye, and the far retina."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fundoscope.grading import oedema
from fundoscope.grading.rules import engine, places, rulesets
from fundoscope.grading.rules.evidence import QUADRANTS, Evidence, PlacedLesion
from fundoscope.kinds import LESIONS
from fundoscope.lesions import anatomy as geometry
from fundoscope.reading import (
    Anatomy,
    FieldOfView,
    Fovea,
    Laterality,
    Lesion,
    LesionSummary,
    MacularOedema,
    OpticDisc,
)

FIELD = FieldOfView(True, (500.0, 500.0), 480.0, 1.0)
DISC = OpticDisc(True, (700.0, 450.0, 800.0, 550.0), (750.0, 500.0), 100.0, 0.9, "found")
NO_DISC = geometry.of_disc(OpticDisc(found=False), FIELD)
NO_EXUDATES = (LesionSummary("hard_exudate", True, None, 0, 0.0),)
ALL = Evidence((), frozenset(LESIONS), frozenset(QUADRANTS), 1.0)
"""Everything was looked for, and the place of the fovea is not known."""


def fovea_at(x: float, error: float = 0.0) -> Anatomy:
    return Anatomy(
        DISC,
        Fovea("estimated" if error else "found", (x, 500.0), 0.9, error),
        Laterality("right", "image"),
    )


@pytest.mark.parametrize(
    ("anatomy", "shown"),
    [
        (fovea_at(500.0), 4.8),
        (fovea_at(500.0, error=0.8), 4.0),
        (fovea_at(60.0), 0.4),
        (fovea_at(60.0, error=0.8), 0.0),
        (fovea_at(0.0), 0.0),
        (Anatomy(DISC, Fovea("not_found"), Laterality("right", "image")), 0.0),
        (Anatomy(OpticDisc(found=False), Fovea("found", (500.0, 500.0), 0.9, 0.0)), 0.0),
        (Anatomy(), 0.0),
    ],
)
def test_how_far_around_the_fovea_a_photograph_shows(anatomy: Anatomy, shown: float) -> None:
    evidence = places.evidence([], NO_EXUDATES, anatomy, FIELD)
    assert evidence.macula_shown == pytest.approx(shown)


@pytest.mark.parametrize(
    ("anatomy", "expected"),
    [
        (fovea_at(500.0), MacularOedema("no_exudates_near")),
        (fovea_at(60.0), MacularOedema("cannot_tell", None, "edge")),
        (fovea_at(60.0, error=0.8), MacularOedema("cannot_tell", None, "fovea")),
        (NO_DISC, MacularOedema("cannot_tell", None, "fovea")),
        (Anatomy(), MacularOedema("cannot_tell", None, "fovea")),
    ],
)
def test_a_macula_that_was_not_seen_is_not_free_of_exudates(
    anatomy: Anatomy, expected: MacularOedema
) -> None:
    assert oedema.oedema(places.evidence([], NO_EXUDATES, anatomy, FIELD)) == expected


@pytest.mark.parametrize(
    ("name", "highest"),
    [
        ("oedema-risk", "2"),
        ("scotland-maculopathy", "M2"),
        ("nhs-england-maculopathy", "M1"),
        ("mtmdr", "yes"),
    ],
)
def test_without_a_fovea_maculopathy_is_not_excluded(name: str, highest: str) -> None:
    outcome = engine.apply(rulesets.shipped(name), ALL)
    assert outcome.level == rulesets.shipped(name).levels[0]
    assert outcome.highest.id == highest
    assert all("fovea" in missing for _, missing in outcome.open)


@pytest.mark.parametrize(
    ("shown", "highest"), [(0.99, "M2"), (1.0, "M1"), (1.99, "M1"), (2.0, "M0")]
)
def test_distances_are_excluded_as_far_as_the_photograph_shows(shown: float, highest: str) -> None:
    evidence = replace(ALL, macula_shown=shown)
    assert engine.apply(rulesets.shipped("scotland-maculopathy"), evidence).highest.id == highest


@pytest.mark.parametrize(("shown", "highest"), [(1.99, "M1"), (2.0, "M0")])
def test_a_group_of_exudates_needs_the_whole_macula(shown: float, highest: str) -> None:
    evidence = replace(ALL, macula_shown=shown)
    assert engine.apply(rulesets.shipped("nhs-england-maculopathy"), evidence).highest.id == highest


@pytest.mark.parametrize(
    ("name", "highest"),
    [
        ("icdr", "3"),
        ("etdrs-us", "very-severe"),
        ("vtdr", "yes"),
        ("ico-recall", "3"),
        ("ico-recall-low-resource", "3"),
        ("ada-recall", "3"),
    ],
)
def test_one_photograph_never_excludes_severe_retinopathy(name: str, highest: str) -> None:
    """Even where every kind is assessed and there is no lesion."""
    outcome = engine.apply(rulesets.shipped(name), replace(ALL, macula_shown=3.0))
    assert outcome.highest.id == highest


def test_a_side_that_the_picture_contradicts_gives_no_place() -> None:
    anatomy = geometry.of_disc(DISC, FIELD, "left")
    assert anatomy.laterality.contradiction
    lesion = Lesion("hard_exudate", (880.0, 500.0, 890.0, 510.0), 0.8)
    evidence = places.evidence([lesion], NO_EXUDATES, anatomy, FIELD)
    assert evidence.quadrants_seen == frozenset()
    (placed,) = evidence.lesions
    assert (placed.quadrant, placed.distance) == (None, None)
    assert oedema.oedema(evidence) == MacularOedema("cannot_tell", None, "fovea")


def test_a_fovea_that_was_seen_stands_whatever_side_was_given() -> None:
    anatomy = replace(fovea_at(500.0), laterality=Laterality("left", "given", contradiction=True))
    lesion = Lesion("hard_exudate", (540.0, 495.0, 550.0, 505.0), 0.8)
    evidence = places.evidence([lesion], NO_EXUDATES, anatomy, FIELD)
    assert evidence.lesions[0].quadrant is None
    assert oedema.oedema(evidence) == MacularOedema("possible", pytest.approx(0.4))


def test_a_venous_loop_is_background_in_england() -> None:
    evidence = replace(ALL, facts={"venous_loop": True})
    outcome = engine.apply(rulesets.shipped("nhs-england-retinopathy"), evidence)
    assert outcome.level.id == "R1"


def test_none_assessed_supports_nothing_and_two_thousand_without_a_place_are_moderate() -> None:
    icdr = rulesets.shipped("icdr")
    nothing = engine.apply(icdr, Evidence())
    assert (nothing.level.id, nothing.highest.id, nothing.fired) == ("0", "4", ())
    lesions = tuple(PlacedLesion("haemorrhage", index) for index in range(2000))
    many = engine.apply(icdr, replace(ALL, lesions=lesions))
    assert (many.level.id, many.highest.id) == ("2", "3")
