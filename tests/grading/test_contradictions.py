"""Do the boxes fit the grade?"""

from __future__ import annotations

import pytest

from fundoscope.grading.contradictions import MANY, needs_reader
from fundoscope.kinds import LESIONS
from fundoscope.reading import NEEDS_READER_REASONS, Grade, LesionSummary

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
        (2, NONE, ()),
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
