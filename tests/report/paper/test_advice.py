"""The next step of a patient and its interval."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fundoscope.opinions import MacularOedema, RuleGrade
from fundoscope.reading import (
    Anatomy,
    FieldOfView,
    Grade,
    Laterality,
    NextStep,
    PhotoFacts,
    Quality,
    Reading,
    Referable,
)
from fundoscope.report.languages import language
from fundoscope.report.paper import advice

ENGLISH = language()


def reading(icdr: int | None, step: str | None) -> Reading:
    """A reading with a grade and a next step."""
    grade = Grade()
    if icdr is not None:
        shares = [0.05] * 5
        shares[icdr] = 0.8
        p = (shares[0], shares[1], shares[2], shares[3], shares[4])
        grade = Grade(icdr, p, float(icdr), Referable(sum(p[2:]), icdr > 1, 0.4))
    return Reading(
        PhotoFacts("eye.jpg", "ab" * 32, 800, 600),
        FieldOfView(True, (400.0, 300.0), 280.0, 1.0),
        Quality(),
        grade,
        (),
        (),
        (),
        "fundoscope test",
        next_step=None if step is None else NextStep(step, "a_reason", "a reason"),
    )


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (("routine_recall", "routine_recall"), "routine_recall"),
        (("routine_recall", "retake"), "retake"),
        (("retake", "reader"), "reader"),
        (("reader", "refer"), "refer"),
        (("routine_recall", "refer"), "refer"),
        ((None, None), None),
        ((None, "routine_recall"), None),
    ],
)
def test_the_most_urgent_step_of_any_photograph_is_that_of_the_patient(
    steps: tuple[str | None, str | None], expected: str | None
) -> None:
    eyes = [("right", reading(0, steps[0])), ("left", reading(0, steps[1]))]
    for order in (eyes, eyes[::-1]):
        assert advice.of(order, ENGLISH).step == expected


def test_a_file_that_cannot_be_read_never_ends_in_a_routine_recall() -> None:
    eyes = [("right", reading(0, "routine_recall")), ("left", None)]
    given = advice.of(eyes, ENGLISH)
    assert given.step == "retake"
    assert "Left eye: The photograph could not be read" in given.lines


def test_an_interval_is_that_of_the_worse_eye_and_names_its_source() -> None:
    eyes = [("right", reading(1, "routine_recall")), ("left", reading(0, "routine_recall"))]
    assert advice.of(eyes, ENGLISH).interval == (
        "Interval: 6 to 12 months (mild NPDR). Source: International Council of Ophthalmology,"
        " Guidelines for Diabetic Eye Care, 2017.",
    )


def test_an_eye_that_is_referred_has_the_interval_of_moderate_at_least() -> None:
    eyes = [("right", reading(1, "refer")), ("left", reading(0, "routine_recall"))]
    (line,) = advice.of(eyes, ENGLISH).interval
    assert "3 to 6 months (moderate NPDR)" in line


@pytest.mark.parametrize("step", ["retake", "reader", None])
def test_without_a_decision_there_is_no_interval(step: str | None) -> None:
    eyes = [("right", reading(3, step)), ("left", reading(0, step))]
    (line,) = advice.of(eyes, ENGLISH).interval
    retake = "_retake" if step == "retake" else ""
    assert line == ENGLISH.say(f"paper.no_interval{retake}")


@pytest.mark.parametrize("left", [reading(2, "reader"), reading(None, "retake"), None])
def test_an_eye_that_nobody_has_decided_on_leaves_the_interval_open(left: Reading | None) -> None:
    """The undecided eye may need a doctor within weeks, whatever the referred one needs."""
    given = advice.of([("right", reading(2, "refer")), ("left", left)], ENGLISH)
    assert given.step == "refer"
    assert given.interval == (ENGLISH.say("paper.no_interval"),)


def test_the_rule_set_that_the_user_chose_gives_the_interval() -> None:
    ada = RuleGrade("ada-recall", "ADA", 2017, "0", "none", recall="1 to 2 years")
    own = RuleGrade("our-programme", "Ours", 2026, "0", "none", recall="9 months")
    chosen = replace(reading(1, "routine_recall"), rules=(own, ada))
    (line,) = advice.of([("right", chosen), ("left", chosen)], ENGLISH).interval
    assert "Interval: 1 year (mild NPDR). Source: Solomon et al." in line


def test_possible_oedema_names_its_shorter_interval() -> None:
    swollen = replace(reading(2, "refer"), oedema=MacularOedema("possible", 0.5))
    assert len(advice.of([("right", swollen), ("left", swollen)], ENGLISH).interval) == 2


def test_intervals_for_oedema_are_those_of_the_guideline_that_is_named() -> None:
    ada = RuleGrade("ada-recall", "ADA", 2017, "2", "moderate", recall="3 to 6 months")
    swollen = replace(reading(2, "refer"), oedema=MacularOedema("possible", 0.5), rules=(ada,))
    first, second = advice.of([("right", swollen), ("left", swollen)], ENGLISH).interval
    assert "Solomon" in first
    assert second == "Macular oedema has intervals of its own."


def test_an_eye_without_a_photograph_is_named() -> None:
    assert advice.of([("left", reading(0, "routine_recall"))], ENGLISH).lines[-1] == (
        "No photograph of the right eye was read."
    )


@pytest.mark.parametrize("eye", ["left", None])
def test_nobody_is_recalled_as_usual_by_one_eye(eye: str | None) -> None:
    given = advice.of([(eye, reading(0, "routine_recall"))], ENGLISH)
    assert given.title == ENGLISH.say("step.one_eye")
    assert given.interval == (ENGLISH.say("paper.interval_one_eye"),)


def test_the_interval_of_a_referred_patient_waits_for_the_other_eye() -> None:
    """It may be the worse one."""
    given = advice.of([("right", reading(2, "refer"))], ENGLISH)
    assert given.title == ENGLISH.say("step.refer")
    assert given.interval == (ENGLISH.say("paper.interval_one_eye"),)


def test_a_photograph_that_shows_the_other_eye_is_not_one_of_this_eye() -> None:
    swapped = replace(
        reading(0, "routine_recall"),
        anatomy=Anatomy(laterality=Laterality("left", "given", contradiction=True)),
    )
    eyes = [("right", reading(0, "routine_recall")), ("left", swapped)]
    given = advice.of(eyes, ENGLISH)
    assert given.title == ENGLISH.say("step.one_eye")
    assert given.lines[-1] == "The photograph of the left eye may show the other eye."


def test_a_further_photograph_of_an_unknown_eye_changes_nothing() -> None:
    eyes = [(eye, reading(0, "routine_recall")) for eye in ("right", "left", None)]
    given = advice.of(eyes, ENGLISH)
    assert given.title == ENGLISH.say("step.routine_recall")
    assert "1 to 2 years" in given.interval[0]


def test_an_unknown_eye_is_to_be_checked() -> None:
    assert advice.of([(None, reading(0, "routine_recall"))], ENGLISH).lines[-1] == (
        "Which eye it is, is not known: check before filing."
    )
