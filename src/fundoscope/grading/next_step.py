"""What to do next with a photograph, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fundoscope.quality import Quality
from fundoscope.reading import NEXT_STEPS, Grade, NextStep

REFER, ROUTINE_RECALL, RETAKE, READER = NEXT_STEPS
WIDEST: Final = 2
"""Grades of a set that is narrow enough. Of validation photographs with a wider one, only about
half had the right grade (docs/explanation/certainty.md)."""

NOT_ASSESSED: Final = Quality()
NOT_GRADABLE: Final = NextStep(RETAKE, "not_gradable", "the photograph is too poor to be graded")
NOT_GRADED: Final = NextStep(RETAKE, "not_graded", "the photograph could not be graded")
UNFAMILIAR: Final = NextStep(
    READER, "unfamiliar", "the photograph is unlike those that the grader learnt from"
)
WIDE_SET: Final = "wide_set"
CONTRADICTED: Final = "lesions_unlike_grade"
POSITIVE: Final = NextStep(REFER, "referable", "more than mild retinopathy is likely enough")
POSSIBLE_OEDEMA: Final = NextStep(
    READER, "possible_oedema", "macular oedema is possible: hard exudates near the fovea"
)
OVEREXPOSED: Final = NextStep(RETAKE, "overexposed", "the photograph is overexposed")
NEGATIVE: Final = NextStep(
    ROUTINE_RECALL, "not_referable", "more than mild retinopathy is not likely enough"
)
FURTHER: Final = "a person should look at this photograph"
WORDS: Final = {CONTRADICTED: "the lesions do not fit the grade"}
"""Words for codes of :data:`fundoscope.reading.NEEDS_READER_REASONS`."""


def with_abstention(grade: Grade, quality: Quality, familiar: bool | None) -> Grade:
    """The grade, with ``abstained`` if there is a grade and anything to decide it by.

    Args:
        grade: of the photograph, with its set if the bundle has sets.
        quality: of the photograph; an ungradable one was graded because the user forced it.
        familiar: whether it is like those that the grader learnt from; ``None`` if unknown.
    """
    known = grade.set is not None or quality.gradable is not None or familiar is not None
    if grade.icdr is None or not known:
        return grade
    doubtful = quality.gradable is False or familiar is False
    return replace(grade, abstained=doubtful or _is_wide(grade))


def next_step(
    grade: Grade,
    quality: Quality = NOT_ASSESSED,
    familiar: bool | None = None,
    needs_reader: Sequence[str] = (),
    *,
    oedema_possible: bool = False,
    overexposed: bool = False,
) -> NextStep:
    """The next step, and the first reason that leads to it.

    A photograph that is too poor or was not graded is retaken. One that the grader is unsure of, or
    whose boxes contradict the grade, goes to a reader. For all others "referable" decides. An eye
    that is not referable goes to a reader, too, if macular oedema is possible; its photograph is
    retaken if it is so bright that no lesion could be looked for.

    Args:
        grade: of the photograph.
        quality: of the photograph; ``gradable`` is ``None`` where it was not assessed.
        familiar: whether it is like those that the grader learnt from; ``None`` if unknown.
        needs_reader: codes of :data:`fundoscope.reading.NEEDS_READER_REASONS`.
        oedema_possible: whether hard exudates lie near the fovea.
        overexposed: whether lesions were not assessed because the photograph is overexposed.
    """
    if quality.gradable is False:
        return NOT_GRADABLE
    if grade.icdr is None or grade.referable is None:
        return NOT_GRADED
    if familiar is False:
        return UNFAMILIAR
    if _is_wide(grade):
        return NextStep(READER, WIDE_SET, _too_wide(grade.set or ()))
    if needs_reader:
        code = needs_reader[0]
        return NextStep(READER, code, WORDS.get(code, FURTHER))
    if grade.referable.positive:
        return POSITIVE
    if oedema_possible:
        return POSSIBLE_OEDEMA
    return OVEREXPOSED if overexposed else NEGATIVE


def _is_wide(grade: Grade) -> bool:
    return len(grade.set or ()) > WIDEST


def _too_wide(grades: Sequence[int]) -> str:
    return f"the grade is uncertain: {grades[0]} to {grades[-1]} are plausible"
