"""Splits: nobody on two sides, every grade and source on each, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.data import manifest as manifests
from fundoscope.data.leaks import split_leaks
from fundoscope.data.manifest import Manifest, Row
from fundoscope.data.split import counts, into_folds, into_shares, together
from fundoscope.errors import UsageError

pytest.importorskip("sklearn")
REAL = Path(__file__).parents[3] / "shared" / "data" / "grading" / "grading.csv"


def table(rows: list[Row]) -> Manifest:
    return Manifest(Path("labels.csv"), ("image", "grade"), tuple(rows), "")


def people(count: int, sources: tuple[str, ...] = ("a", "b")) -> list[Row]:
    """Two eyes each, grades and sources in turn."""
    return [
        Row(f"{i}_{eye}.jpg", i % 5, patient=f"p{i}", source=sources[i // 5 % len(sources)])
        for i in range(count)
        for eye in ("left", "right")
    ]


def test_shares_by_patient_with_every_grade_and_source() -> None:
    drawn = into_shares(table(people(200)), test=0.2, val=0.1, seed=0)
    assert not split_leaks(drawn.rows)
    assert drawn.columns == ("image", "grade", "split")
    drawn_as = counts(drawn.rows)
    assert list(drawn_as) == ["train", "val", "test"]
    assert {split: sum(grades.values()) for split, grades in drawn_as.items()} == {
        "train": 280,
        "val": 40,
        "test": 80,
    }
    for grades in drawn_as.values():
        assert max(grades.values()) - min(grades.values()) <= 4
    for split in drawn_as:
        of_split = drawn.of_split(split)
        assert 0.4 <= np.mean([row.source == "a" for row in of_split]) <= 0.6


def test_a_photograph_that_is_listed_twice_stays_on_one_side() -> None:
    names = [(f"{i}.jpg", f"./{i}.jpg") for i in range(50)]
    rows = [Row(name, (i + k) % 5) for i, both in enumerate(names) for k, name in enumerate(both)]
    drawn = into_shares(table(rows), test=0.2, val=0.1, seed=0).rows
    assert all(drawn[i].split == drawn[i + 1].split for i in range(0, len(drawn), 2))


def test_the_same_twice_and_another_with_another_seed() -> None:
    rows = table(people(60))
    first = into_shares(rows, test=0.2, val=0.2, seed=7)
    assert into_shares(rows, test=0.2, val=0.2, seed=7) == first
    assert into_shares(rows, test=0.2, val=0.2, seed=8) != first


def test_without_validation() -> None:
    drawn = into_shares(table(people(40)), test=0.25, val=0, seed=0)
    assert {split: sum(c.values()) for split, c in counts(drawn.rows).items()} == {
        "train": 60,
        "test": 20,
    }


def test_folds() -> None:
    drawn = into_folds(table(people(50)), folds=5, seed=0)
    assert not split_leaks(drawn.rows)
    drawn_as = counts(drawn.rows)
    assert list(drawn_as) == ["fold1", "fold2", "fold3", "fold4", "fold5"]
    assert all(sum(grades.values()) == 20 and len(grades) == 5 for grades in drawn_as.values())


def test_excluded_rows_stay_and_other_splits_go() -> None:
    rows = people(40)
    twin = Row("twin.jpg", 4, patient="p0", source="a", split="excluded")
    drawn = into_shares(table([twin, *rows]), test=0.2, val=0.1, seed=0)
    assert drawn.rows[0] == twin
    assert set(counts(drawn.rows)) == {"train", "val", "test", "excluded"}


def test_patients_and_groups_chain() -> None:
    rows = [
        Row("a", 0, patient="1", source="x"),
        Row("b", 0, patient="1", source="x", group="g"),
        Row("c", 0, patient="2", source="y", group="g"),
        Row("d", 0, patient="1", source="z"),
        Row("e", 0),
        Row("f", 0, group="1"),
    ]
    drawn_as = together(rows).tolist()
    assert drawn_as[0] == drawn_as[1] == drawn_as[2]
    assert len({drawn_as[0], drawn_as[3], drawn_as[4], drawn_as[5]}) == 4


@pytest.mark.parametrize(
    ("rows", "test", "val", "reported"),
    [
        (people(40), 0.6, 0.4, "leave nothing to train on"),
        (people(40), 0.5, 0.49, "leave too little for the split train; give each split a share of"),
        (people(40), 0.98, 0, "leave too little for the split train"),
        (people(40), 0.02, 0.1, "leave too little for the split test"),
        (people(40), 0.2, 0.01, "leave too little for the split val"),
        (people(40), 0, 0, "leave nothing to train on, or hold nothing out"),
        (people(40), -0.1, 0.2, "leave nothing to train on, or hold nothing out"),
        (people(2), 0.2, 0.1, "has 2 patients or groups, too few for 10 parts"),
        ([Row(f"{i}", 0, group="g") for i in range(90)], 0.2, 0.1, "has 1 patients or groups"),
        ([Row(f"{i}", i % 5) for i in range(20)], 0.2, 0.1, "fewer than 10 photographs of each"),
        (
            [*people(40), Row("only", 3, patient="p0", source="a")][::-1][:1]
            + [Row(f"{i}", 0) for i in range(40)],
            0.2,
            0.1,
            "would have no photograph of grade 3",
        ),
    ],
)
def test_what_cannot_be_split(rows: list[Row], test: float, val: float, reported: str) -> None:
    with pytest.raises(UsageError) as caught:
        into_shares(table(rows), test=test, val=val, seed=0)
    assert reported in str(caught.value)


def test_what_cannot_be_folded() -> None:
    with pytest.raises(UsageError, match="out of bounds"):
        into_folds(table(people(40)), folds=1, seed=0)
    with pytest.raises(UsageError, match="has 4 patients or groups, too few for 5 parts"):
        into_folds(table(people(4)), folds=5, seed=0)


def test_many_small_sources_are_stratified_by_grade_alone() -> None:
    sources = tuple(f"s{i}" for i in range(20))
    drawn = into_shares(table(people(100, sources)), test=0.1, val=0.05, seed=0)
    assert all(len(grades) == 5 for grades in counts(drawn.rows).values())


NAMES = st.sampled_from(["", "1", "2", "3", "4", "5", "6", "7", "8", "9"])


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 4), NAMES, NAMES), min_size=20, max_size=60))
def test_nobody_ever_stands_on_two_sides(cells: list[tuple[int, str, str]]) -> None:
    rows = [
        Row(str(i), grade, patient=patient, group=group)
        for i, (grade, patient, group) in enumerate(cells)
    ]
    try:
        drawn = into_shares(table(rows), test=0.25, val=0.25, seed=0)
    except UsageError:
        return
    assert not split_leaks(drawn.rows)
    assert [row.image for row in drawn.rows] == [row.image for row in rows]


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="the real data are not here")
def test_the_real_table() -> None:
    drawn = into_shares(manifests.read(REAL), test=0.2, val=0.1, seed=0)
    assert not split_leaks(drawn.rows)
    drawn_as = counts(drawn.rows)
    whole = sum(sum(grades.values()) for split, grades in drawn_as.items() if split != "excluded")
    for split, share in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
        assert sum(drawn_as[split].values()) / whole == pytest.approx(share, abs=0.003)
        for grade in range(5):
            every = sum(grades[grade] for name, grades in drawn_as.items() if name != "excluded")
            assert drawn_as[split][grade] / every == pytest.approx(share, abs=0.02)
