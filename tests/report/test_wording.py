"""Readings in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.reading import (
    NO_FIELD_REASONS,
    FieldOfView,
    Grade,
    ModelUsed,
    PhotoFacts,
    Quality,
    Reading,
    Referable,
)
from fundoscope.report.wording import (
    certainty,
    not_assessed,
    printable,
    summary,
    why_not_graded,
)

GRADED = Reading(
    PhotoFacts("a.jpg", "0" * 64, 100, 100),
    FieldOfView(True, (50.0, 50.0), 45.0, 1.0),
    Quality(),
    Grade(2, (0.1, 0.1, 0.61, 0.1, 0.09), 1.9, Referable(0.8, True, 0.4)),
    (),
    (ModelUsed("grading", "g", "0" * 64),),
    (),
    "fundoscope test",
)
UNGRADED = replace(GRADED, grade=Grade())


def test_a_graded_reading_on_one_line() -> None:
    assert summary(GRADED) == "2 moderate NPDR, certainty 61 %, referable (probability 0.80)"
    assert why_not_graded(GRADED) is None


def test_warnings_stand_behind() -> None:
    assert summary(replace(GRADED, warnings=("first", "sec\nond"))).endswith("; first; sec\\nond")


def test_not_referable_is_said() -> None:
    grade = replace(GRADED.grade, icdr=0, referable=Referable(0.05, False, 0.4))
    assert "0 no apparent retinopathy" in summary(replace(GRADED, grade=grade))
    assert "not referable (probability 0.05)" in summary(replace(GRADED, grade=grade))


def test_certainty_is_the_probability_of_the_grade_that_was_given() -> None:
    assert certainty(GRADED.grade) == 0.61
    assert certainty(Grade()) is None
    assert certainty(Grade(icdr=2)) is None


@pytest.mark.parametrize("reason", [*NO_FIELD_REASONS, None, "a_new_one"])
def test_every_reason_for_no_field_has_a_sentence_and_a_remedy(reason: str | None) -> None:
    cause = why_not_graded(replace(UNGRADED, field=FieldOfView(False, reason=reason)))
    assert cause is not None
    assert cause.code == (reason or "no_disc")
    assert cause.reason
    assert cause.remedy


def test_low_quality_and_other_causes() -> None:
    blurred = why_not_graded(replace(UNGRADED, quality=Quality(False, ("blurred", "dark"))))
    assert blurred is not None
    assert (blurred.code, blurred.reason) == ("not_gradable", "cannot be judged (blurred, dark)")
    small = why_not_graded(replace(UNGRADED, warnings=("too small",)))
    assert small is not None
    assert (small.code, small.reason) == ("no_grade", "was given no grade (too small)")
    unsaid = why_not_graded(UNGRADED)
    assert unsaid is not None
    assert unsaid.reason == "was given no grade"


def test_what_was_not_assessed() -> None:
    assert not_assessed(GRADED) == ("image quality", "single lesions", "macular oedema")
    seen = replace(
        GRADED, quality=Quality(True, ()), models=(ModelUsed("detection", "d", "0" * 64),)
    )
    assert not_assessed(seen) == ("macular oedema",)


@given(st.text())
def test_printable_is_one_line_that_steers_no_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    if text.isprintable():
        assert shown == text
