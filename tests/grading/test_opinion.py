"""What the grader says of a photograph: when it is sure of a healthy eye."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fundoscope.grading.judge import Verdict
from fundoscope.grading.opinion import Opinion
from fundoscope.quality import Quality
from fundoscope.reading import FieldOfView, Grade, Referable

HEALTHY = Grade(0, (0.96, 0.02, 0.01, 0.01, 0.0), 0.1, Referable(0.02, False, 0.28), (0,), 0.9)
SURE = Opinion(FieldOfView(True, (500.0, 500.0), 480.0, 1.0), HEALTHY, Verdict(True, Quality(True)))


def test_0_as_the_only_plausible_grade_is_sure() -> None:
    assert SURE.is_sure_of_grade_0
    assert not replace(SURE, grade=replace(HEALTHY, set=(0, 1))).is_sure_of_grade_0


@pytest.mark.parametrize(
    "doubtful",
    [
        replace(SURE, verdict=Verdict(True, Quality(True), familiar=False)),
        replace(SURE, verdict=Verdict(True, Quality(False, ("too_dark",)))),
        replace(SURE, grade=replace(HEALTHY, referable=Referable(0.13, True, 0.1))),
    ],
    ids=["unlike the familiar ones", "graded by force", "referable at a lower threshold"],
)
def test_a_photograph_that_the_grader_cannot_judge_is_never_sure(doubtful: Opinion) -> None:
    assert not doubtful.is_sure_of_grade_0
