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
    ("name", "found"),
    [
        ("IMG_1.JPG", "Visit/img_1.jpg"),
        ("visit/Img_1.jpg", "Visit/img_1.jpg"),
        ("C:/export/VISIT/IMG_1.JPG", "Visit/img_1.jpg"),
        ("a.jpg", "a.jpg"),
        ("A.jpg", "A.jpg"),
        ("other/b.PNG", None),
        ("C.TIF", None),
    ],
)
def test_capitals_do_not_matter_where_a_name_is_clear(name: str, found: str | None) -> None:
    # Windows does not tell them apart, so exports write either.
    names = PhotographNames(
        ["Visit/img_1.jpg", "img_1.jpg/x.jpg", "a.jpg", "A.jpg", "1/b.png", "c.tif", "C.tif"]
    )
    assert names.find(name) == found


def test_a_stem_as_it_is_written_wins_over_one_in_capitals() -> None:
    names = PhotographNames(["a.jpg", "A.png", "B.tif"])
    assert [names.with_stem(stem) for stem in ("a", "A", "b")] == ["a.jpg", "A.png", "B.tif"]


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
