"""Names of photographs: matched with those that are known."""

from __future__ import annotations

import pytest

from fundoscope.data.annotations.names import PhotographNames, kind_key, without_suffix

NAMES = PhotographNames(
    ["a.jpg", "left/b.png", "right/b.png", "left/c.v2.tif", "deep/left/d.jpg", "e.JPG", "e.png"]
)
CAFE = "caf\u00e9.jpg"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.jpg", "a.jpg"),
        ("photos/a.jpg", "a.jpg"),
        ("a.png", None),
        ("left/b.png", "left/b.png"),
        ("b.png", None),
        ("left/d.jpg", "deep/left/d.jpg"),
        ("other/d.jpg", None),
    ],
)
def test_a_name_with_its_suffix_is_found(name: str, found: str | None) -> None:
    assert NAMES.find(name) == found


def test_composed_and_decomposed_letters_are_equal() -> None:
    assert PhotographNames([CAFE]).find("cafe\u0301.jpg") == CAFE


@pytest.mark.parametrize(
    ("stem", "found"), [("a", "a.jpg"), ("left/c.v2", "left/c.v2.tif"), ("b", None), ("e", None)]
)
def test_a_name_without_its_suffix_must_be_unique(stem: str, found: str | None) -> None:
    assert NAMES.with_stem(stem) == found


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("a", ("a.jpg",)),
        ("JPEGImages/a.jpg", ("a.jpg",)),
        ("a.xml", ("a.jpg",)),
        ("left\\b", ("left/b.png",)),
        ("b", ("left/b.png", "right/b.png")),
        ("other/d", ("deep/left/d.jpg",)),
        ("e.png", ("e.png",)),
        ("e", ("e.JPG", "e.png")),
        ("c.v2", ("left/c.v2.tif",)),
        ("nothing", ()),
    ],
)
def test_names_of_a_list_may_lack_folders_and_suffix(
    name: str, candidates: tuple[str, ...]
) -> None:
    assert NAMES.candidates(name) == candidates


def test_parts_of_names() -> None:
    assert without_suffix("left/c.v2.tif") == "left/c.v2"
    assert kind_key("Hard Exudates") == "hard_exudate"
    assert kind_key("car") == "car"
