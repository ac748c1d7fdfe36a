"""Nobody stands on both sides of a split, and no near-duplicate either."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.data.leaks import keys, require_apart, split_leaks
from fundoscope.data.manifest import Row
from fundoscope.errors import TableError


def rows(*cells: tuple[str, str, str, str]) -> list[Row]:
    """Rows of (source, patient, group, split)."""
    return [
        Row(f"{i}.png", 0, source=source, patient=patient, group=group, split=split)
        for i, (source, patient, group, split) in enumerate(cells)
    ]


@pytest.mark.parametrize(
    "cells",
    [
        [("a", "p1", "", "train"), ("a", "p1", "", "train"), ("a", "p2", "", "val")],
        [("a", "p1", "", "train"), ("b", "p1", "", "val")],
        [("a", "p1", "", "train"), ("a", "p1", "", "excluded")],
        [("a", "", "g1", "train"), ("a", "", "g1", "")],
        [("a", "", "", "train"), ("a", "", "", "val")],
        [("a", "x", "", "train"), ("a", "", "x", "val")],
        [],
    ],
)
def test_who_is_apart(cells: list[tuple[str, str, str, str]]) -> None:
    require_apart(rows(*cells), "labels.csv")


def test_a_patient_on_both_sides_is_named() -> None:
    leaking = rows(("a", "p1", "", "train"), ("a", "p2", "", "test"), ("a", "p1", "", "val"))
    with pytest.raises(TableError, match=r"labels\.csv: .*\(patient p1; 1 in all\)") as caught:
        require_apart(leaking, "labels.csv")
    assert caught.value.exit_code == 2
    assert "put all of them into one split" in str(caught.value)


def test_a_group_counts_over_all_sources() -> None:
    with pytest.raises(TableError, match="group g7"):
        require_apart(rows(("a", "", "g7", "train"), ("b", "", "g7", "test")), "t")


def test_only_the_first_are_named_and_all_counted() -> None:
    many = [("a", f"p{i}", "", split) for i in range(9) for split in ("train", "test")]
    with pytest.raises(TableError, match=r"\(patient p0, patient p1, patient p2; 9 in all\)"):
        require_apart(rows(*many), "t")


def test_rows_that_share_a_patient_or_a_group_share_a_key() -> None:
    one, same_patient, same_group, other = (
        Row("a", 0, source="s", patient="1", group="g"),
        Row("b", 0, source="s", patient="1"),
        Row("c", 0, source="t", patient="1", group="g"),
        Row("d", 0, source="t", patient="g", group="1"),
    )
    assert set(keys(one)) & set(keys(same_patient))
    assert set(keys(one)) & set(keys(same_group))
    assert not set(keys(one)) & set(keys(other))
    assert list(keys(Row("x/../e", 0, source="s"))) == [("image", "e")]


def test_one_file_on_both_sides_is_named() -> None:
    twice = [Row("a/1.png", 0, split="train"), Row("a/./1.png", 0, split="test")]
    with pytest.raises(TableError, match=r"in several splits \(image a/1\.png; 1 in all\)"):
        require_apart(twice, "labels.csv")
    require_apart([twice[0], Row("b/1.png", 0, split="test")], "labels.csv")


def test_the_students_fault_one_eye_on_both_sides() -> None:
    """A photograph was sorted by hand into training, its near-duplicate into validation."""
    one_eye = [
        Row("train/2/000c1434d8d7.png", 2, group="17", split="train"),
        Row("val/3/9ebea5f5fbb1.png", 3, group="17", split="val"),
    ]
    with pytest.raises(TableError, match="group 17; 1 in all"):
        require_apart(one_eye, "labels.csv")
    assert [one.splits for one in split_leaks(one_eye)] == [("train", "val")]


@given(st.lists(st.tuples(*[st.sampled_from(["", "1", "2"])] * 4), max_size=12))
def test_apart_means_that_no_two_rows_of_two_splits_share_a_key(
    cells: list[tuple[str, str, str, str]],
) -> None:
    drawn = rows(*cells)
    clash = any(
        one.split and other.split and one.split != other.split and set(keys(one)) & set(keys(other))
        for one in drawn
        for other in drawn
    )
    assert bool(split_leaks(drawn)) == clash
