"""Leaving out the lesions of an eye that looks healthy as a whole.

A detector draws single boxes on healthy eyes, too. Raising the thresholds until it does not would
lose most lesions of sick eyes. So both opinions on the whole eye decide: the grade, and the grade
that all lesions together look like (:mod:`fundoscope.grading.lesion_grade`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

from fundoscope.grading.heads import REFERABLE_GRADE
from fundoscope.kinds import OF_RETINOPATHY
from fundoscope.lesions.summary import Findings
from fundoscope.models.lesion_grade import LesionGradeModel
from fundoscope.opinions import LesionGrade
from fundoscope.reading import Grade, LesionSummary

LIKELIER: Final = 0.5
"""Where the grader gives grade 2 or more, lesions are drawn if they make retinopathy at least this
likely. Of the healthy validation eyes that are graded so, half have less."""


def retinopathy_probability(by_lesions: LesionGrade) -> float:
    """The probability, by the lesions alone, that the eye has grade 1 or more."""
    return 1.0 - by_lesions.probabilities[0]


def are_drawn(referable: bool, probability: float, drawn_from: float) -> bool:
    """Whether the lesions of an eye are drawn.

    Args:
        referable: whether the grader gives grade 2 or more.
        probability: of grade 1 or more, by the lesions alone.
        drawn_from: the model's limit on it.
    """
    return probability >= drawn_from or (referable and probability >= LIKELIER)


def withhold(
    findings: Findings,
    grade: Grade,
    by_lesions: LesionGrade | None,
    model: LesionGradeModel | None,
) -> Findings:
    """Leave out lesions where both opinions see a healthy eye, and say how many.

    Args:
        findings: of a photograph.
        grade: of the photograph. From grade 2 on, less evidence is enough to draw lesions.
        by_lesions: the grade by its lesions; ``None`` if there is none: then nothing is left out.
        model: that gave it.

    Returns:
        The findings with ``withheld`` in the summary of each kind of retinopathy that was assessed.
        Other kinds, such as scars of laser treatment, are drawn whatever the eye looks like.
    """
    if by_lesions is None or model is None or model.drawn_from == 0:
        return findings
    referable = grade.icdr is not None and grade.icdr >= REFERABLE_GRADE
    drawn = are_drawn(referable, retinopathy_probability(by_lesions), model.drawn_from)
    doubtful = Counter(each.kind for each in findings.lesions if each.kind in OF_RETINOPATHY)
    return replace(
        findings,
        lesions=tuple(each for each in findings.lesions if drawn or each.kind not in doubtful),
        withheld=tuple(each for each in findings.lesions if not drawn and each.kind in doubtful),
        summary=tuple(
            _summary(each, 0 if drawn else doubtful[each.kind]) for each in findings.summary
        ),
    )


def _summary(of_kind: LesionSummary, withheld: int) -> LesionSummary:
    if not of_kind.assessed or of_kind.kind not in OF_RETINOPATHY:
        return of_kind
    if not withheld:
        return replace(of_kind, withheld=0)
    return replace(
        of_kind,
        count=0,
        box_area=0.0,
        box_area_discs=None if of_kind.box_area_discs is None else 0.0,
        withheld=withheld,
    )
