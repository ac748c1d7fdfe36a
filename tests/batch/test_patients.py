"""From eyes to patients: the worse eye decides; what could not be graded counts as positive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fundoscope.batch import page
from fundoscope.batch.inputs import Input
from fundoscope.batch.ledger.patients import (
    BY_GAP,
    BY_GRADE,
    COLUMNS,
    NONE,
    ONE_EYE,
    UNREAD,
    Patient,
)
from fundoscope.batch.ledger.record import record
from fundoscope.batch.ledger.tally import Tally
from fundoscope.batch.outcome import Outcome, row
from fundoscope.errors import PhotoError
from fundoscope.reading import (
    FieldOfView,
    Grade,
    NextStep,
    PhotoFacts,
    Quality,
    Reading,
    Referable,
)


def graded(icdr: int | None, eye: str = "", *, positive: bool | None = None) -> Outcome:
    """A photograph of an eye with a grade, or with none."""
    grade = Grade()
    if icdr is not None:
        positive = icdr >= 2 if positive is None else positive
        grade = Grade(
            icdr, (0.2, 0.2, 0.2, 0.2, 0.2), float(icdr), Referable(icdr / 4, positive, 0.4)
        )
    facts = PhotoFacts("a.jpg", "0" * 64, 10, 10)
    reading = Reading(facts, FieldOfView(True), Quality(True, ("sharp",)), grade, (), (), (), "t")
    return Outcome(Input("a.jpg", Path("a.jpg"), patient="P", eye=eye), reading)


REFUSED = Outcome(
    Input("b.jpg", Path("b.jpg"), patient="P", eye="left"),
    refusal=PhotoError("b.jpg", "is empty", "copy it", code="empty"),
)


def patient(*outcomes: Outcome) -> dict[str, str]:
    one = Patient("P")
    for number, outcome in enumerate(outcomes, 1):
        one.add(record(outcome, number).facts)
    cells = one.row()
    assert tuple(cells) == COLUMNS
    return cells


def test_the_worse_eye_decides() -> None:
    cells = patient(graded(1, "left"), graded(3, "right"), graded(2, "left"))
    assert (cells["icdr"], cells["grade"]) == ("3", "3 severe NPDR")
    assert (cells["worse_eye"], cells["referable"], cells["because"]) == ("right", "true", BY_GRADE)
    assert cells["referable_probability"] == "0.750000"
    assert (cells["photographs"], cells["read"]) == ("3", "3")


def test_two_eyes_of_one_grade_are_both_the_worse_one() -> None:
    right, left = graded(2, "right"), graded(2, "left")
    assert patient(right, left)["worse_eye"] == patient(left, right)["worse_eye"] == "both"
    assert patient(right, right)["worse_eye"] == "right"
    assert patient(right, left, graded(3, "left"))["worse_eye"] == "left"


def test_two_healthy_eyes() -> None:
    cells = patient(graded(0, "left"), graded(0, "right"))
    assert (cells["icdr"], cells["referable"], cells["because"]) == ("0", "false", NONE)


def test_one_eye_alone_is_not_a_healthy_patient() -> None:
    cells = patient(graded(0, "left"), graded(1, "OS"), graded(0, "L"))
    assert (cells["eyes_read"], cells["because"]) == ("left", ONE_EYE)


def test_without_eyes_nobody_knows_that_both_were_read() -> None:
    assert patient(graded(0), graded(0))["because"] == ONE_EYE


def test_a_doubt_about_an_eye_reaches_the_patient() -> None:
    """patients.csv used to say "none is referable" where a person should look."""
    doubtful = graded(0, "right")
    assert doubtful.reading is not None
    doubtful = replace(doubtful, reading=replace(doubtful.reading, needs_reader=("unfamiliar",)))
    assert "unlike" in patient(graded(0, "left"), doubtful)["look_at"]
    assert patient(graded(0, "left"))["look_at"] == ""


@pytest.mark.parametrize("lacking", [graded(None, "left"), REFUSED])
def test_what_could_not_be_graded_counts_as_positive(lacking: Outcome) -> None:
    cells = patient(graded(0, "right"), lacking)
    assert (cells["icdr"], cells["referable"], cells["because"]) == ("0", "true", BY_GAP)
    assert (cells["eyes_read"], cells["eyes_not_read"]) == ("right", "left")


def test_a_patient_of_whom_a_photograph_is_left_is_not_healthy() -> None:
    one = Patient("P")
    for number, outcome in enumerate((graded(0, "left"), graded(0, "right")), 1):
        one.add(record(outcome, number).facts)
    one.add_unread("OD")
    one.add_unread("")
    cells = one.row()
    assert (cells["referable"], cells["because"]) == ("true", UNREAD)
    assert (cells["eyes_read"], cells["eyes_not_read"]) == ("left; right", "")
    assert (cells["photographs"], cells["read"]) == ("2", "2")


def test_an_eye_counts_as_read_when_one_of_its_photographs_was() -> None:
    cells = patient(REFUSED, graded(0, "left"))
    assert (cells["eyes_read"], cells["eyes_not_read"], cells["refused"]) == ("left", "", "1")


def test_without_a_grade_the_grade_is_missing() -> None:
    cells = patient(REFUSED)
    assert (cells["icdr"], cells["referable_probability"], cells["referable"]) == ("", "", "true")


def test_an_overexposed_eye_without_retinopathy_is_one_to_look_at() -> None:
    """No lesion was looked for, so grade 0 is not to be relied on."""
    bright = graded(0, "right")
    step = NextStep("retake", "overexposed", "the photograph is overexposed")
    bright = replace(bright, reading=replace(bright.reading, next_step=step))
    words = "the photograph is overexposed: take another photograph"
    assert patient(bright, graded(0, "left"))["look_at"] == words
    facts = record(bright, 1).facts
    counted = Tally(1)
    counted.add(facts)
    listed = "".join(page.lines(counted, lambda: [(1, facts)]))
    assert "A person should look at these, too (1)" in listed
    assert words in listed


def test_a_grade_below_2_can_be_referable_by_its_probability() -> None:
    assert patient(graded(1, positive=True))["because"] == BY_GRADE


def test_a_row_says_what_is_known_of_quality_and_field() -> None:
    cells = row(graded(1))
    assert (cells["gradable"], cells["quality_reasons"]) == ("true", "sharp")
    assert (cells["field_found"], "field_x" in cells) == ("true", False)


def test_without_a_grade_a_photograph_is_referable() -> None:
    assert REFUSED.referable
    assert graded(None).referable
    assert not graded(0).referable
