from __future__ import annotations

from pathlib import Path

import pytest

from fundoscope.data.annotations.annotation import AnnotatedPhoto
from fundoscope.errors import TableError
from fundoscope.train.detection.views.photo_names import ListedNames, read_names, stem


def names_of(*images):
    photos = [AnnotatedPhoto(image=image, width=1, height=1) for image in images]
    return ListedNames(photos, Path("set"))


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("a.jpg", "a.jpg"),
        ("a", "a.jpg"),
        ("a.xml", "a.jpg"),
        ("a.png", "a.jpg"),
        ("JPEGImages/a", "a.jpg"),
        ("b.v2", "left/b.v2.png"),
        ("left/b.v2.png", "left/b.v2.png"),
        ("data\\left\\b.v2", "left/b.v2.png"),
        ("nothing", None),
        ("left/a", "a.jpg"),
    ],
)
def test_names_as_people_write_them(name, image):
    assert names_of("a.jpg", "left/b.v2.png").image_of(name, "train.txt") == image


def test_a_name_of_several_photographs_is_rejected_unless_one_fits_exactly():
    names = names_of("left/a.png", "right/a.png", "c.png", "deep/c.png")
    assert names.image_of("left/a", "train.txt") == "left/a.png"
    assert names.image_of("c", "train.txt") == "c.png"
    with pytest.raises(TableError, match=r"train\.txt: names a, and 2 photographs have that name"):
        names.image_of("a", "train.txt")


def test_names_that_are_not_there_are_listed():
    names = names_of("a.png")
    assert names.find(["a", "a.png"], "train.txt") == ["a.png"]
    with pytest.raises(TableError, match=r"not annotated in set: x0, .*x11 … \(20 in all\)"):
        names.find(["a", *(f"x{i}" for i in range(20))], "train.txt")


def test_a_list_of_names(tmp_path):
    path = tmp_path / "train.txt"
    path.write_bytes("\ufeffa\r\n\r\n with blank \nb\na\n".encode())
    assert read_names(str(path)) == ["a", "with blank", "b"]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(TableError, match="is not UTF-8"):
        read_names(str(path))
    with pytest.raises(TableError):
        read_names(str(tmp_path / "none.txt"))


def test_stems():
    assert [stem(n) for n in ("a/b.JPG", "b.v2", "c.xml", "d")] == ["b", "b.v2", "c", "d"]
