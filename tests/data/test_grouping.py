from __future__ import annotations

from pathlib import Path

from fundoscope.data.check import Duplicates, Member
from fundoscope.data.grouping import with_groups
from fundoscope.data.manifest import Manifest, Row


def table(*rows, columns=("image", "grade")):
    return Manifest(Path("labels.csv"), columns, tuple(Row(i, 0, group=g) for i, g in rows), "0")


def twins(*images):
    return Duplicates(tuple(Member(image) for image in images), True, (), False)


def grouped(before, *found):
    return [(row.image, row.group) for row in with_groups(before, found).rows]


def test_found_ones_are_called_after_the_first():
    before = table(("a", ""), ("b", ""), ("c", ""))
    assert grouped(before, twins("a", "c")) == [("a", "a"), ("b", ""), ("c", "a")]
    assert with_groups(before, [twins("a", "c")]).columns == ("image", "grade", "group")


def test_declared_ones_are_joined_by_what_is_found():
    before = table(("a", "1"), ("b", "1"), ("c", "2"), ("d", "2"), ("e", ""), ("f", "3"))
    after = grouped(before, twins("b", "d"), twins("a", "e"))
    assert after == [("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1"), ("f", "3")]


def test_a_photograph_that_is_listed_twice():
    assert grouped(table(("a", ""), ("a", "")), twins("a", "a")) == [("a", "a"), ("a", "a")]


def test_nothing_found_changes_nothing():
    before = table(("a", "1"), ("b", ""), columns=("image", "group", "grade"))
    assert with_groups(before, []) == before
