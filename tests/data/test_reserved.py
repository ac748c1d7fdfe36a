"""The patients that are kept from every detector."""

from fundoscope.data.manifest import Row
from fundoscope.data.reserved import is_reserved


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
