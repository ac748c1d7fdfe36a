"""Leaving out the lesions of an eye that looks healthy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fundoscope.grading.withholding import retinopathy_probability, withhold
from fundoscope.lesions.summary import Findings
from fundoscope.models.lesion_grade import LesionGradeModel
from fundoscope.opinions import LesionGrade
from fundoscope.reading import Grade, Lesion, LesionSummary

MODEL = LesionGradeModel(
    features=("haemorrhage: area",),
    centre=(0.0,),
    spread=(1.0,),
    weights=(1.0,),
    missing=(0.0,),
    intercepts=(1.0, 0.0, -1.0, -2.0),
    drawn_from=0.6,
)
HEALTHY = LesionGrade(0, (0.5, 0.3, 0.2, 0.0, 0.0), 0.2)
DISEASED = LesionGrade(2, (0.4, 0.1, 0.5, 0.0, 0.0), 0.5)
FINDINGS = Findings(
    lesions=(
        Lesion("haemorrhage", (1.0, 1.0, 9.0, 9.0), 0.8),
        Lesion("laser_scar", (20.0, 1.0, 40.0, 30.0), 0.7),
        Lesion("haemorrhage", (50.0, 1.0, 60.0, 9.0), 0.6),
    ),
    summary=(
        LesionSummary("haemorrhage", True, None, 2, 144.0, 0.1, 0.9, True),
        LesionSummary("hard_exudate", True, None, 0, 0.0, None),
        LesionSummary("soft_exudate", False, "photograph_too_small"),
        LesionSummary("laser_scar", True, None, 1, 580.0, 0.3),
    ),
    seen=(Lesion("haemorrhage", (1.0, 1.0, 9.0, 9.0), 0.8),),
)


def test_the_lesions_of_an_eye_that_looks_healthy_are_counted_and_not_drawn() -> None:
    left = withhold(FINDINGS, Grade(1), HEALTHY, MODEL)
    assert [lesion.kind for lesion in left.lesions] == ["laser_scar"]
    haemorrhages, exudates, small, scars = left.summary
    assert haemorrhages == LesionSummary(
        "haemorrhage", True, None, 0, 0.0, 0.0, 0.9, True, withheld=2
    )
    assert (exudates.count, exudates.withheld) == (0, 0)
    assert small == FINDINGS.summary[2]
    assert scars == FINDINGS.summary[3]
    assert left.seen == FINDINGS.seen


def test_the_lesions_of_a_sick_eye_are_drawn() -> None:
    left = withhold(FINDINGS, Grade(0), DISEASED, MODEL)
    assert left.lesions == FINDINGS.lesions
    assert [each.count for each in left.summary] == [2, 0, None, 1]
    assert left.summary[0].withheld == 0
    assert left.summary[0].present is True


@pytest.mark.parametrize("icdr", [2, 3, 4])
def test_where_the_grader_sees_disease_less_evidence_is_enough(icdr: int) -> None:
    assert withhold(FINDINGS, Grade(icdr), HEALTHY, MODEL).lesions == FINDINGS.lesions
    assert withhold(FINDINGS, Grade(1), HEALTHY, MODEL).lesions != FINDINGS.lesions


def test_the_grade_alone_draws_nothing() -> None:
    clear = LesionGrade(0, (0.9, 0.1, 0.0, 0.0, 0.0), 0.0)
    assert withhold(FINDINGS, Grade(2), clear, MODEL).summary[0].withheld == 2


def test_the_limit_itself_is_enough() -> None:
    at_limit = replace(MODEL, drawn_from=retinopathy_probability(DISEASED))
    assert withhold(FINDINGS, Grade(), DISEASED, at_limit).lesions == FINDINGS.lesions


@pytest.mark.parametrize(
    ("grade", "model"),
    [(None, MODEL), (HEALTHY, None), (HEALTHY, replace(MODEL, drawn_from=0.0))],
    ids=["no grade", "no model", "an older bundle"],
)
def test_nothing_is_withheld_without_a_limit(
    grade: LesionGrade | None, model: LesionGradeModel | None
) -> None:
    assert withhold(FINDINGS, Grade(0), grade, model) is FINDINGS
