"""Do the boxes fit the grade?"""

from __future__ import annotations

import pytest

from fundoscope.grading.contradictions import MANY, agreement, needs_reader
from fundoscope.kinds import LESIONS
from fundoscope.opinions import RuleGrade
from fundoscope.reading import AGREEMENTS, NEEDS_READER_REASONS, Grade, LesionSummary

UNLIKE = ("lesions_unlike_grade",)


def found(**counts: int) -> tuple[LesionSummary, ...]:
    """A summary in which the named kinds were assessed, and no others."""
    return tuple(
        LesionSummary(kind, True, None, counts[kind], 1.0)
        if kind in counts
        else LesionSummary(kind, False, "unknown_to_detector")
        for kind in LESIONS
    )


NONE = found(microaneurysm=0, haemorrhage=0, hard_exudate=0, soft_exudate=0)


@pytest.mark.parametrize(
    ("icdr", "summary", "codes"),
    [
        (0, found(haemorrhage=12), UNLIKE),
        (0, found(haemorrhage=4, hard_exudate=4, microaneurysm=4), UNLIKE),
        (0, found(microaneurysm=MANY), UNLIKE),
        (0, found(haemorrhage=MANY - 1), ()),
        (0, NONE, ()),
        (1, found(microaneurysm=40), ()),
        (1, found(microaneurysm=40, haemorrhage=12), UNLIKE),
        (2, found(haemorrhage=40), ()),
        (2, NONE, UNLIKE),
        (2, found(haemorrhage=0, hard_exudate=0, soft_exudate=0), ()),
        (2, found(microaneurysm=1, haemorrhage=0, hard_exudate=0, soft_exudate=0), ()),
        (3, NONE, UNLIKE),
        (4, NONE, UNLIKE),
        (3, found(haemorrhage=0, hard_exudate=1), ()),
        (3, found(hard_exudate=0), ()),
        (4, found(), ()),
        (None, found(haemorrhage=12), ()),
    ],
)
def test_boxes_that_do_not_fit_the_grade(
    icdr: int | None, summary: tuple[LesionSummary, ...], codes: tuple[str, ...]
) -> None:
    assert needs_reader(Grade(icdr), summary) == codes
    assert set(codes) <= set(NEEDS_READER_REASONS)


SAME, ONE_APART, TWO_APART = AGREEMENTS


@pytest.mark.parametrize(
    ("icdr", "supported", "summary", "expected"),
    [
        (0, 0, NONE, SAME),
        (0, 1, NONE, ONE_APART),
        (0, 2, NONE, TWO_APART),
        (0, 3, NONE, TWO_APART),
        (1, 0, NONE, ONE_APART),
        (1, 2, NONE, ONE_APART),
        (2, 2, NONE, SAME),
        (2, 1, NONE, ONE_APART),
        (2, 0, NONE, TWO_APART),
        (2, 0, found(haemorrhage=0), SAME),
        (3, 2, NONE, SAME),
        (4, 2, NONE, SAME),
        (4, 1, NONE, ONE_APART),
        (4, 0, NONE, TWO_APART),
        (None, 2, NONE, None),
    ],
)
def test_agreement_with_the_grade_that_lesions_support(
    icdr: int | None,
    supported: int,
    summary: tuple[LesionSummary, ...],
    expected: str | None,
) -> None:
    """Lesions give a lower bound: an eye of grade 4 may show two exudates only."""
    rules = (RuleGrade("icdr", "", 2003, str(supported), "", supported),)
    assert agreement(Grade(icdr), rules, summary) == expected


def test_without_rules_there_is_no_agreement() -> None:
    other = (RuleGrade("scotland-retinopathy", "", 2007, "R1", ""),)
    assert agreement(Grade(2), (), NONE) is None
    assert agreement(Grade(2), other, NONE) is None
