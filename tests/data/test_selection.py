from __future__ import annotations

from pathlib import Path

import pytest

from fundoscope.data.manifest import Manifest, Row
from fundoscope.data.selection import select
from fundoscope.errors import UsageError

ROWS = (
    Row("a", 0, split="train", source="idrid", gradable=True),
    Row("b", 1, split="test", source="idrid", gradable=False),
    Row("c", 2, split="test", source="aptos", gradable=True),
    Row("d", 2, split="excluded", source="aptos"),
)
TABLE = Manifest(Path("t.csv"), ("image", "grade", "split", "source", "gradable"), ROWS, "")


def chosen(**more):
    return "".join(row.image for row in select(TABLE, **more))


@pytest.mark.parametrize(
    ("asked", "images"),
    [
        ({}, "abc"),
        ({"split": "test"}, "bc"),
        ({"split": "excluded"}, "d"),
        ({"where": ["split=excluded"]}, "d"),
        ({"where": ["source=idrid"]}, "ab"),
        ({"where": ["source=idrid", "gradable=1"]}, "a"),
        ({"where": ["source=idrid", "source=aptos"]}, "abc"),
        ({"where": ["source!=idrid"]}, "c"),
        ({"where": ["gradable!="]}, "abc"),
        ({"where": ["split!=test"]}, "a"),
        ({"split": "test", "where": [" grade = 2 "]}, "c"),
        ({"split": "excluded", "where": ["gradable="]}, "d"),
    ],
)
def test_conditions_narrow_and_values_of_one_column_widen(asked, images):
    assert chosen(**asked) == images


@pytest.mark.parametrize(
    ("asked", "reported"),
    [
        ({"split": "tset"}, "no row where split is tset (it has: excluded, test, train)"),
        ({"where": ["source=drive"]}, "it has: aptos, idrid"),
        ({"where": ["camera=x"]}, "has no column 'camera'; name one of: image, grade"),
        ({"where": ["source"]}, "has no equals sign"),
        ({"where": ["source!=idrid", "source!=aptos"]}, "where source is not aptos or idrid"),
        ({"split": "test", "where": ["split=train"]}, "no row where split is train"),
    ],
)
def test_what_cannot_be_met_is_misuse(asked, reported):
    with pytest.raises(UsageError) as raised:
        select(TABLE, **asked)
    assert reported in str(raised.value)


def test_a_message_lists_few_of_many_values():
    rows = tuple(Row(f"{i:03}", 0) for i in range(500))
    many = Manifest(Path("t.csv"), ("image", "grade"), rows, "")
    with pytest.raises(UsageError, match=r"011, …") as raised:
        select(many, where=["image=x"])
    assert len(str(raised.value)) < 300


def test_a_split_needs_its_column():
    plain = Manifest(Path("t.csv"), ("image", "grade"), (Row("a", 0),), "")
    with pytest.raises(UsageError, match="no column 'split'"):
        select(plain, split="test")
