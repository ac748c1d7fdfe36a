"""What follows from a grade, and why."""

from __future__ import annotations

import pytest

from fundoscope.grading.next_step import next_step, with_abstention
from fundoscope.reading import Grade, Quality, Referable
from fundoscope.report.languages import language

GOOD, POOR, UNKNOWN = Quality(gradable=True), Quality(gradable=False), Quality()


def grade(positive: bool = False, plausible: tuple[int, ...] | None = (0, 1)) -> Grade:
    p = (0.6, 0.2, 0.1, 0.05, 0.05)
    return Grade(0, p, 0.75, Referable(0.2, positive, 0.4), plausible, 0.9)


@pytest.mark.parametrize(
    ("given", "quality", "familiar", "codes", "step", "reason"),
    [
        (grade(), UNKNOWN, None, (), "routine_recall", "not_referable"),
        (grade(positive=True), GOOD, True, (), "refer", "referable"),
        (grade(plausible=(0, 1, 2)), GOOD, True, (), "reader", "wide_set"),
        (grade(positive=True), GOOD, False, (), "reader", "unfamiliar"),
        (grade(), UNKNOWN, None, ("lesions_unlike_grade",), "reader", "lesions_unlike_grade"),
        (grade(), UNKNOWN, None, ("of_a_later_version",), "reader", "of_a_later_version"),
        (grade(positive=True), POOR, False, (), "retake", "not_gradable"),
        (Grade(), UNKNOWN, None, (), "retake", "not_graded"),
        (grade(plausible=None), UNKNOWN, None, (), "routine_recall", "not_referable"),
    ],
)
def test_the_next_step_has_a_reason(given, quality, familiar, codes, step, reason) -> None:
    following = next_step(given, quality, familiar, codes)
    assert (following.step, following.reason) == (step, reason)
    assert following.words


@pytest.mark.parametrize(
    ("given", "codes", "step", "reason"),
    [
        (grade(), (), "reader", "possible_oedema"),
        (grade(positive=True), (), "refer", "referable"),
        (grade(), ("lesions_unlike_grade",), "reader", "lesions_unlike_grade"),
        (Grade(), (), "retake", "not_graded"),
    ],
)
def test_possible_oedema_is_not_left_to_a_routine_recall(given, codes, step, reason) -> None:
    following = next_step(given, UNKNOWN, None, codes, oedema_possible=True)
    assert (following.step, following.reason) == (step, reason)


def test_an_overexposed_eye_is_not_left_to_a_routine_recall() -> None:
    following = next_step(grade(), GOOD, True, overexposed=True)
    assert (following.step, following.reason) == ("retake", "overexposed")
    assert language().say("why.overexposed") == following.words
    assert next_step(grade(positive=True), GOOD, True, overexposed=True).step == "refer"


def test_an_eye_below_the_threshold_is_not_said_to_be_mild() -> None:
    p = (0.2, 0.15, 0.6, 0.05, 0.0)
    moderate = Grade(2, p, 1.5, Referable(0.65, False, 0.8), (1, 2), 0.9)
    following = next_step(moderate, GOOD, True)
    assert (following.step, following.reason) == ("routine_recall", "not_referable")
    assert following.words == "more than mild retinopathy is not likely enough"
    assert language().say("why.not_referable") == following.words


def test_a_grade_stays_when_the_grader_abstains() -> None:
    wide = grade(plausible=(0, 1, 2))
    assert with_abstention(wide, UNKNOWN, None).abstained is True
    assert with_abstention(wide, UNKNOWN, None).icdr == 0
    assert with_abstention(grade(), UNKNOWN, None).abstained is False
    assert with_abstention(grade(), GOOD, False).abstained is True
    assert with_abstention(grade(), POOR, True).abstained is True


def test_without_anything_to_decide_by_nothing_is_said() -> None:
    assert with_abstention(grade(plausible=None), UNKNOWN, None).abstained is None
    assert with_abstention(Grade(), POOR, None) == Grade()
