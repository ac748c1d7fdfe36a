"""The patients that are kept from every detector."""

import hashlib
from pathlib import Path

import pytest

from fundoscope.data import manifest
from fundoscope.data.manifest import Row
from fundoscope.data.reserved import is_reserved, with_reserved

REAL = Path(__file__).parents[3] / "more" / "all.csv"
REAL_RESERVED = "f14a4014d4c19083ce5336b96bbe59b864d5498a1fdd2bf9fa485a901254eeeb"
"""SHA-256 of the reserved photographs' names, one a line."""


def test_both_eyes_of_a_patient_are_on_one_side() -> None:
    for number in range(40):
        left, right = (Row(f"{number}_{eye}.jpg", 0, f"p{number}") for eye in ("left", "right"))
        assert is_reserved(left) == is_reserved(right)


def test_about_a_quarter_is_reserved() -> None:
    reserved = sum(is_reserved(Row("a.jpg", 0, f"patient {number}")) for number in range(4000))
    assert 900 < reserved < 1100


def test_without_a_patient_the_group_and_then_the_picture_decides() -> None:
    together = {is_reserved(Row(f"{n}.jpg", 0, "", group="g")) for n in range(40)}
    assert len(together) == 1
    assert {is_reserved(Row(f"{n}.jpg", 0, "")) for n in range(40)} == {True, False}


def test_the_folder_of_the_table_does_not_matter() -> None:
    for n in range(40):
        here, elsewhere = (Row(f"{folder}{n}.jpg", 0) for folder in ("", "../shared/set/"))
        assert is_reserved(here) == is_reserved(elsewhere)
    sources = {is_reserved(Row("1.jpg", 0, source=str(n))) for n in range(40)}
    assert sources == {True, False}


def test_a_duplicate_of_a_reserved_eye_goes_with_it() -> None:
    reserved, free = Row("a.jpg", 0, "26", group="g"), Row("b.jpg", 0, "1", group="g")
    assert [is_reserved(row) for row in (reserved, free)] == [True, False]
    other_eye, stranger = Row("c.jpg", 0, "1"), Row("d.jpg", 0, "2")
    rows = [reserved, free, other_eye, stranger]
    assert with_reserved(rows) == [True, True, True, False]
    assert with_reserved(rows[1:]) == [False, False, False]


def test_a_name_that_is_no_text() -> None:
    assert is_reserved(Row("\udce4.jpg", 0)) in (True, False)


@pytest.mark.parametrize("column", ["patient", "group"])
def test_who_is_reserved_has_not_changed(column: str) -> None:
    names = [str(n) for n in range(40) if is_reserved(Row(f"{n}.jpg", 0, **{column: str(n)}))]
    assert names == ["26", "31", "32"]


@pytest.mark.skipif(not REAL.is_file(), reason="the real data are not here")
def test_who_is_reserved_of_the_real_table_has_not_changed() -> None:
    rows = manifest.read(REAL).rows
    images = [row.image for row in rows if is_reserved(row)]
    assert len(images) == 3425
    assert hashlib.sha256("\n".join(images).encode()).hexdigest() == REAL_RESERVED
    assert with_reserved(rows) == [is_reserved(row) for row in rows]
