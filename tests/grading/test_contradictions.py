"""Do the boxes fit the grade?"""

from __future__ import annotations

import pytest

from fundoscope.grading.contradictions import MANY, agreement, needs_reader
from fundoscope.kinds import LESIONS
from fundoscope.opinions import LesionGrade, RuleGrade
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


def by_lesions(icdr: int, referable: float) -> LesionGrade:
    return LesionGrade(icdr, (0.2, 0.2, 0.2, 0.2, 0.2), referable)


@pytest.mark.parametrize(
    ("icdr", "lesions", "expected"),
    [(0, 0, SAME), (0, 1, ONE_APART), (0, 2, TWO_APART), (4, 2, TWO_APART), (3, 2, ONE_APART)],
)
def test_a_grade_by_lesions_is_compared_in_place_of_the_rules(
    icdr: int, lesions: int, expected: str
) -> None:
    """Rules would call the false boxes of a healthy eye moderate."""
    rules = (RuleGrade("icdr", "", 2003, "2", "", 2),)
    graded = by_lesions(lesions, 0.3)
    assert agreement(Grade(icdr), rules, NONE, graded) == expected
    assert agreement(Grade(icdr), (), NONE, graded) == expected


@pytest.mark.parametrize(
    ("icdr", "referable", "unlike"),
    [
        (0, 0.49, False),
        (0, 0.5, True),
        (1, 0.9, True),
        (2, 0.2, False),
        (2, 0.19, True),
        (4, 0.1, True),
    ],
)
def test_a_grade_that_the_lesions_make_unlikely_needs_a_reader(
    icdr: int, referable: float, unlike: bool
) -> None:
    many = found(haemorrhage=30)
    codes = needs_reader(Grade(icdr), many, by_lesions(2, referable))
    assert codes == (("lesions_unlike_grade",) if unlike else ())
