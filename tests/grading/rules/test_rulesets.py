"""Every line of every rule set that ships, at its boundary and beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from fundoscope.grading.rules import engine, rulesets
from fundoscope.grading.rules.evidence import QUADRANTS, Evidence, PlacedLesion
from fundoscope.kinds import LESIONS

NOTHING = Evidence((), frozenset(LESIONS), frozenset(QUADRANTS), 1.0, {}, 3.0)
"""Every kind was looked for, every quadrant and the macula are seen, and there is no lesion."""


def eye(*groups: tuple[str, int, str | None, float | None], **fields: object) -> Evidence:
    """An eye with groups of lesions: kind, number, quadrant, distance from the fovea."""
    lesions: list[PlacedLesion] = []
    for kind, number, quadrant, distance in groups:
        lesions += [
            PlacedLesion(kind, len(lesions) + place, quadrant, distance) for place in range(number)
        ]
    return replace(NOTHING, lesions=tuple(lesions), **fields)


def everywhere(kind: str, number: int, quadrants: Iterable[str] = QUADRANTS) -> Evidence:
    """An eye with a number of lesions in each of some quadrants."""
    return eye(*((kind, number, quadrant, 3.0) for quadrant in quadrants))


def level(name: str, evidence: Evidence) -> str:
    return engine.apply(rulesets.shipped(name), evidence).level.id


def spot(kind: str, number: int = 1, distance: float | None = 3.0) -> Evidence:
    return eye((kind, number, QUADRANTS[0], distance))


ST, SN, IT, IN = QUADRANTS


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (NOTHING, "0"),
        (spot("microaneurysm"), "1"),
        (spot("microaneurysm", 500), "1"),
        (spot("haemorrhage"), "2"),
        (spot("hard_exudate"), "2"),
        (spot("soft_exudate"), "2"),
        (spot("soft_exudate", 400), "2"),
        (everywhere("soft_exudate", 30), "2"),
        (everywhere("hard_exudate", 30), "2"),
        (spot("haemorrhage", 20), "2"),
        (spot("haemorrhage", 84), "2"),
        (everywhere("haemorrhage", 20), "2"),
        (everywhere("haemorrhage", 21, (ST, SN, IT)), "2"),
        (everywhere("haemorrhage", 21), "3"),
        (everywhere("microaneurysm", 21), "1"),
        (spot("venous_beading"), "2"),
        (everywhere("venous_beading", 1, (ST, IT)), "3"),
        (spot("irma"), "3"),
        (spot("neovascularisation"), "4"),
        (spot("vitreous_haemorrhage"), "4"),
        (spot("preretinal_haemorrhage"), "4"),
        (spot("fibrous_proliferation"), "4"),
        (spot("laser_scar", 300), "0"),
    ],
)
def test_international_scale(evidence: Evidence, expected: str) -> None:
    assert level("icdr", evidence) == expected


def test_twenty_one_in_three_quadrants_and_twenty_in_the_fourth_are_not_severe() -> None:
    evidence = eye(*(("haemorrhage", 21, quadrant, 3.0) for quadrant in (ST, SN, IT)),
                   ("haemorrhage", 20, IN, 3.0))  # fmt: skip
    assert level("icdr", evidence) == "2"


FACTS = ("standard_2a_in_four_quadrants", "standard_8a_in_one_quadrant")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (NOTHING, "none"),
        (spot("microaneurysm"), "mild"),
        *((spot(kind), "moderate") for kind in ("haemorrhage", "hard_exudate", "soft_exudate",
                                                "venous_beading", "irma")),
        (everywhere("haemorrhage", 50), "moderate"),
        (replace(NOTHING, facts={FACTS[0]: True}), "severe"),
        (replace(NOTHING, facts={FACTS[0]: False}), "none"),
        (replace(NOTHING, facts={FACTS[1]: True}), "severe"),
        (everywhere("venous_beading", 1, (SN, IN)), "severe"),
        (everywhere("venous_beading", 9, (SN,)), "moderate"),
        (replace(NOTHING, facts=dict.fromkeys(FACTS, True)), "very-severe"),
        (replace(everywhere("venous_beading", 1, (SN, IN)), facts={FACTS[0]: True}), "very-severe"),
        (replace(everywhere("venous_beading", 1, (SN, IN)), facts={FACTS[1]: True}), "very-severe"),
        *((spot(kind), "proliferative") for kind in (
            "neovascularisation", "vitreous_haemorrhage", "preretinal_haemorrhage")),
    ],
)  # fmt: skip
def test_united_states(evidence: Evidence, expected: str) -> None:
    """Haemorrhages are compared with a standard photograph; no number of them is severe."""
    assert level("etdrs-us", evidence) == expected


def test_what_a_standard_photograph_would_tell_stays_open() -> None:
    outcome = engine.apply(rulesets.shipped("etdrs-us"), everywhere("haemorrhage", 50))
    assert {rule.id for rule, _ in outcome.open} >= {"4-standard-2a", "1-standard-8a"}
    assert outcome.highest.id == "very-severe"


BLOT, STABLE, REDUPLICATION = (
    "multiple_blot_haemorrhages", "stable_after_treatment", "venous_reduplication",
)  # fmt: skip


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (NOTHING, "R0"),
        (spot("soft_exudate", 5), "R0"),
        (eye(("soft_exudate", 1, ST, 3.0), ("microaneurysm", 1, IN, 3.0)), "R1"),
        (eye(("soft_exudate", 1, ST, 3.0), ("haemorrhage", 1, IN, 3.0)), "R1"),
        *((spot(kind), "R1") for kind in ("microaneurysm", "haemorrhage", "hard_exudate")),
        (spot("venous_beading"), "R2"),
        (spot("irma"), "R2"),
        (replace(NOTHING, facts={REDUPLICATION: True}), "R2"),
        (replace(spot("haemorrhage", 1), facts={BLOT: True}), "R1"),
        (replace(spot("haemorrhage", 2), facts={BLOT: True}), "R2"),
        (replace(spot("haemorrhage", 2), facts={BLOT: False}), "R1"),
        (spot("laser_scar"), "R0"),
        (replace(spot("laser_scar"), facts={STABLE: True}), "R3S"),
        (replace(NOTHING, facts={STABLE: True}), "R0"),
        *((spot(kind), "R3A") for kind in (
            "neovascularisation", "preretinal_haemorrhage", "vitreous_haemorrhage",
            "fibrous_proliferation")),
    ],
)  # fmt: skip
def test_england_retinopathy(evidence: Evidence, expected: str) -> None:
    assert level("nhs-england-retinopathy", evidence) == expected


def group(area: float) -> Evidence:
    lesion = PlacedLesion("hard_exudate", 0, ST, 1.5, in_macula=True, area=area)
    return replace(NOTHING, lesions=(lesion,))


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (NOTHING, "M0"),
        (spot("hard_exudate", distance=1.0), "M1"),
        (spot("hard_exudate", distance=1.01), "M0"),
        (replace(spot("haemorrhage", distance=1.0), acuity=0.5), "M1"),
        (replace(spot("haemorrhage", distance=1.0), acuity=0.51), "M0"),
        (replace(spot("haemorrhage", distance=1.01), acuity=0.1), "M0"),
        (replace(spot("microaneurysm", distance=0.2), acuity=0.5), "M1"),
        (replace(spot("haemorrhage", distance=1.0), acuity=None), "M0"),
    ],
)
def test_england_maculopathy(evidence: Evidence, expected: str) -> None:
    assert level("nhs-england-maculopathy", evidence) == expected


def test_without_acuity_england_cannot_tell() -> None:
    evidence = replace(spot("haemorrhage", distance=0.5), acuity=None)
    outcome = engine.apply(rulesets.shipped("nhs-england-maculopathy"), evidence)
    assert [(rule.id, missing) for rule, missing in outcome.open] == [("acuity", {"acuity"})]
    assert outcome.highest.id == "M1"


@pytest.mark.parametrize(("area", "open_rules"), [(0.49, []), (0.5, ["group-of-exudates"])])
def test_a_large_group_of_boxes_is_for_a_person(area: float, open_rules: list[str]) -> None:
    """Boxes are larger than exudates: their area excludes a group, and cannot confirm one."""
    outcome = engine.apply(rulesets.shipped("nhs-england-maculopathy"), group(area))
    assert [rule.id for rule, _ in outcome.open] == open_rules
    assert outcome.level.id == "M0"


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (NOTHING, "R0"),
        *((spot(kind), "R1") for kind in (
            "microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")),
        (eye(("haemorrhage", 3, ST, 3.0)), "R1"),
        (eye(("haemorrhage", 4, ST, 3.0)), "R2"),
        (eye(("haemorrhage", 2, ST, 3.0), ("haemorrhage", 2, SN, 3.0)), "R2"),
        (eye(("haemorrhage", 2, ST, 3.0), ("haemorrhage", 2, IT, 3.0)), "R1"),
        (eye(("haemorrhage", 4, ST, 3.0), ("haemorrhage", 3, IN, 3.0)), "R2"),
        (eye(("haemorrhage", 4, ST, 3.0), ("haemorrhage", 4, IN, 3.0)), "R3"),
        (spot("venous_beading"), "R3"),
        (spot("irma"), "R3"),
        (spot("neovascularisation"), "R4"),
        (spot("vitreous_haemorrhage"), "R4"),
    ],
)  # fmt: skip
def test_scotland_retinopathy(evidence: Evidence, expected: str) -> None:
    assert level("scotland-retinopathy", evidence) == expected


@pytest.mark.parametrize(
    ("distance", "scotland", "risk"),
    [(0.0, "M2", "2"), (1.0, "M2", "2"), (1.01, "M1", "1"), (2.0, "M1", "1"), (2.01, "M0", "1")],
)
def test_exudates_by_distance(distance: float, scotland: str, risk: str) -> None:
    evidence = spot("hard_exudate", distance=distance)
    assert level("scotland-maculopathy", evidence) == scotland
    assert level("oedema-risk", evidence) == risk


def test_no_exudate_is_no_risk() -> None:
    assert level("scotland-maculopathy", NOTHING) == "M0"
    assert level("oedema-risk", spot("haemorrhage", distance=0.1)) == "0"


@pytest.mark.parametrize(
    ("evidence", "more_than_mild", "threatening"),
    [
        (NOTHING, "no", "no"),
        (spot("microaneurysm"), "no", "no"),
        (spot("haemorrhage"), "yes", "no"),
        (spot("hard_exudate", distance=1.0), "yes", "no"),
        (everywhere("haemorrhage", 20), "yes", "no"),
        (everywhere("haemorrhage", 21), "yes", "yes"),
        (spot("neovascularisation"), "yes", "yes"),
        (replace(NOTHING, facts={"centre_involved_oedema": True}), "no", "yes"),
        (replace(NOTHING, facts={"centre_involved_oedema": False}), "no", "no"),
    ],
)
def test_decisions(evidence: Evidence, more_than_mild: str, threatening: str) -> None:
    assert level("mtmdr", evidence) == more_than_mild
    assert level("vtdr", evidence) == threatening


@pytest.mark.parametrize(
    ("evidence", "ico", "low", "ada"),
    [
        (NOTHING, "1 to 2 years", "1 to 2 years", "1 to 2 years"),
        (spot("microaneurysm"), "6 to 12 months", "1 to 2 years", "1 year"),
        (spot("haemorrhage"), "3 to 6 months", "6 to 12 months", "3 to 6 months"),
        (everywhere("haemorrhage", 21), "under 3 months", "under 3 months", "at once"),
        (spot("neovascularisation"), "under 1 month", "under 1 month", "at once"),
    ],
)
def test_recall(evidence: Evidence, ico: str, low: str, ada: str) -> None:
    """The intervals of docs: ICO 2017 for high and low resources, ADA 2017."""
    names = ("ico-recall", "ico-recall-low-resource", "ada-recall")
    given = [engine.apply(rulesets.shipped(name), evidence).level for name in names]
    assert [each.recall for each in given] == [ico, low, ada]
    assert [each.refer for each in given] == [level("icdr", evidence) >= "2"] * 3


@pytest.mark.parametrize("name", rulesets.names())
def test_every_rule_can_fire_and_every_set_names_its_source(name: str) -> None:
    ruleset = rulesets.shipped(name)
    assert ruleset.id == name
    assert ruleset.year > 1980
    assert len(ruleset.citation) > 10
    assert level(name, NOTHING) == ruleset.levels[0].id
    assert {rule.level for rule in ruleset.rules} == {each.id for each in ruleset.levels[1:]}
    everything = Evidence(
        tuple(
            PlacedLesion(kind, number, QUADRANTS[number % 4], 0.5 if number % 2 else 1.5)
            for number, kind in enumerate(kind for kind in LESIONS for _ in range(200))
        ),
        frozenset(LESIONS), frozenset(QUADRANTS), 0.1, dict.fromkeys(ruleset.facts, True),
    )  # fmt: skip
    outcome = engine.apply(ruleset, everything)
    fired = {rule.id for rule, _ in outcome.fired}
    assert fired >= {rule.id for rule in ruleset.rules} - {"group-of-exudates"}
    assert outcome.level == outcome.highest == ruleset.levels[-1]


@pytest.mark.parametrize("name", rulesets.names())
def test_without_any_evidence_nothing_fires_and_nothing_is_excluded(name: str) -> None:
    ruleset = rulesets.shipped(name)
    outcome = engine.apply(ruleset, Evidence())
    assert outcome.fired == ()
    assert outcome.level == ruleset.levels[0]
    assert outcome.highest == ruleset.levels[-1]
    assert outcome.open
    assert all(missing for _, missing in outcome.open)


@pytest.mark.parametrize("name", rulesets.names())
@pytest.mark.parametrize("kind", sorted(set(LESIONS) - {"laser_scar"}))
def test_no_set_calls_an_eye_with_a_lesion_free_of_retinopathy(name: str, kind: str) -> None:
    """Laser scars are treated retinopathy; sets of the macula alone have no grade of the scale."""
    outcome = engine.apply(rulesets.shipped(name), spot(kind))
    assert outcome.level.icdr != 0
