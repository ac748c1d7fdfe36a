"""Figures per eye and per patient: the worst photograph decides."""

from __future__ import annotations

from fundoscope.evaluate.grading.evaluation import scores_of_grades
from fundoscope.evaluate.grading.figures import NOT_GRADED, UNKNOWN
from fundoscope.evaluate.report.eyes import worst_of
from fundoscope.reading import Grade, Referable


def given(icdr: int) -> Grade:
    return Grade(icdr, referable=Referable(icdr / 4, icdr >= 2, 0.5))


ONLY_A_PROBABILITY = Grade(referable=Referable(0.3, False, 0.5))


def test_a_photograph_without_a_grade_does_not_take_the_grade_of_another() -> None:
    grades = [given(4), Grade(), given(0), given(1), Grade(), ONLY_A_PROBABILITY, given(3)]
    keys = ["right", "right", "left", "left", "dark", "other", "other"]
    eyes = worst_of(scores_of_grades([4, 4, 0, 1, 2, 0, 3], grades), keys)
    assert eyes.label.tolist() == [4, 1, 2, 3]
    assert eyes.given.tolist() == [4, 1, NOT_GRADED, UNKNOWN]
    # Whoever has a photograph without a grade is referred.
    assert eyes.positive.tolist() == [True, False, True, True]
    assert eyes.referable.tolist() == [1.0, 0.25, 1.0, 0.75]


def test_photographs_of_nobody_are_left_out() -> None:
    eyes = worst_of(scores_of_grades([0, 1], [given(0), Grade()]), ["a", None])
    assert (eyes.label.tolist(), eyes.given.tolist()) == ([0], [0])
