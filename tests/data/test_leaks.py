"""Nobody stands on both sides of a split, and no near-duplicate either."""

from __future__ import annotations

import pytest

from fundoscope.data.leaks import require_apart
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
    torn = rows(("a", "p1", "", "train"), ("a", "p2", "", "test"), ("a", "p1", "", "val"))
    with pytest.raises(TableError, match=r"labels\.csv: .*\(patient p1; 1 in all\)") as caught:
        require_apart(torn, "labels.csv")
    assert caught.value.exit_code == 2
    assert "put all of them into one split" in str(caught.value)


def test_a_group_counts_over_all_sources() -> None:
    with pytest.raises(TableError, match="group g7"):
        require_apart(rows(("a", "", "g7", "train"), ("b", "", "g7", "test")), "t")


def test_only_the_first_are_named_and_all_counted() -> None:
    many = [("a", f"p{i}", "", split) for i in range(9) for split in ("train", "test")]
    with pytest.raises(TableError, match=r"\(patient p0, patient p1, patient p2; 9 in all\)"):
        require_apart(rows(*many), "t")
