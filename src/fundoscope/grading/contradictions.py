"""Whether the lesions fit the grade. They come from two networks that know nothing of each other.

Where the detector's bundle grades by lesions (:mod:`fundoscope.grading.lesion_grade`), that grade
is compared: it knows how many false boxes a healthy eye has. Else the boxes are taken as they are.
On the International Clinical scale an eye of grade 0 has no lesion, one of grade 1 microaneurysms
only, and one of a higher grade always has lesions (Wilkinson et al., Ophthalmology 2003;110:1677).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fundoscope.kinds import LESIONS, OF_RETINOPATHY
from fundoscope.opinions import LesionGrade, RuleGrade
from fundoscope.reading import AGREEMENTS, NEEDS_READER_REASONS, Grade, LesionSummary

LESIONS_UNLIKE_GRADE: Final = NEEDS_READER_REASONS[0]
MICROANEURYSM, HAEMORRHAGE = "microaneurysm", "haemorrhage"
MANY: Final = 10
"""Boxes that contradict a grade. The detector draws a few on healthy eyes, too
(docs/decisions/0011-withheld-lesions.md)."""
TELLING: Final = frozenset(OF_RETINOPATHY)
LIKELY, UNLIKELY = 0.5, 0.2
"""Probabilities by the lesions alone that an eye is referable. From the first on they contradict a
grade of 0 or 1, below the second one of 2 or more. On validation the grade is wrong 1.4 times as
often there as elsewhere (`bench/opinions.py`)."""
INTERNATIONAL: Final = "icdr"
"""The rule set of the International scale."""
MILD, MODERATE, SEVERE = 1, 2, 3


def needs_reader(
    grade: Grade, summary: Sequence[LesionSummary], by_lesions: LesionGrade | None = None
) -> tuple[str, ...]:
    """The reasons why a person should look at a photograph, codes of ``NEEDS_READER_REASONS``.

    Args:
        grade: of the photograph.
        summary: what was found of each kind of lesion.
        by_lesions: the grade by the lesions alone, where there is one.
    """
    if grade.icdr is None:
        return ()
    if by_lesions is None:
        fits = _fits(grade.icdr, summary)
    else:
        fits = _is_likely(grade.icdr, by_lesions.referable_probability)
    return () if fits else (LESIONS_UNLIKE_GRADE,)


def _is_likely(icdr: int, referable: float) -> bool:
    """Whether the lesions leave a grade likely enough."""
    return referable >= UNLIKELY if icdr > MILD else referable < LIKELY


def agreement(
    grade: Grade,
    rules: Sequence[RuleGrade],
    summary: Sequence[LesionSummary],
    by_lesions: LesionGrade | None = None,
) -> str | None:
    """How far the grade and the International grade of the lesions lie apart.

    Without a grade by lesions, that of the rules is taken. It is a lower bound: a grade of 2 or
    more agrees with any lesion beyond microaneurysms, and a grade is too high only if all kinds
    of :data:`TELLING` were assessed.

    Args:
        grade: of the photograph.
        rules: what the rule sets give.
        summary: for the kinds that were assessed.
        by_lesions: the grade by the lesions alone, where there is one.

    Returns:
        One of :data:`fundoscope.reading.AGREEMENTS`; ``None`` without a grade, or where neither a
        grade by lesions nor one by the rules of the International scale is there.
    """
    if grade.icdr is not None and by_lesions is not None:
        return AGREEMENTS[min(abs(grade.icdr - by_lesions.icdr), len(AGREEMENTS) - 1)]
    supported = next((each.icdr for each in rules if each.ruleset == INTERNATIONAL), None)
    if grade.icdr is None or supported is None:
        return None
    assessed = {each.kind for each in summary if each.assessed}
    expected = min(grade.icdr, MODERATE) if assessed >= TELLING else 0
    apart = max(supported - grade.icdr, expected - supported, 0)
    return AGREEMENTS[min(apart, len(AGREEMENTS) - 1)]


def _fits(icdr: int, summary: Sequence[LesionSummary]) -> bool:
    """Whether a grade fits what was found; kinds that were not assessed contradict nothing."""
    counts = {each.kind: each.count or 0 for each in summary if each.assessed}
    if icdr >= SEVERE:
        return HAEMORRHAGE not in counts or sum(counts.values()) > 0
    if icdr > MILD:
        return not counts.keys() >= TELLING or sum(counts.values()) > 0
    allowed = {MICROANEURYSM} if icdr == MILD else set()
    return sum(counts[kind] for kind in LESIONS if kind in counts and kind not in allowed) < MANY
