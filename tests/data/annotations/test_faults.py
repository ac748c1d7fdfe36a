"""Faults of annotations that can be read."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from PIL import Image

from fundoscope.data.annotations import faults as module
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.faults import CODES, Fault, faults
from fundoscope.errors import TableError
from fundoscope.geometry import Box


def a_set(
    *items: Annotation, image: str = "a.jpg", size: tuple[int, int] = (100, 80)
) -> AnnotationSet:
    photo = AnnotatedPhoto(image=image, width=size[0], height=size[1], annotations=items)
    return AnnotationSet(photos=(photo,))


def a_box(*box: float, kind: str = "haemorrhage", **more: object) -> Annotation:
    x0, y0, x1, y1 = box
    return Annotation(kind=kind, box=(x0, y0, x1, y1), **more)  # type: ignore[arg-type]


def codes(marked: AnnotationSet, images: Path | None = None) -> list[tuple[int, str]]:
    return [(fault.number, fault.code) for fault in faults(marked, images)]


def a_picture(path: Path, size: tuple[int, int] = (100, 80)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def test_good_annotations_have_no_faults(tmp_path: Path) -> None:
    a_picture(tmp_path / "a.jpg")
    marked = a_set(a_box(0, 0, 100, 80), a_box(1.5, 2.5, 3, 4), a_box(1.5, 2.5, 3, 4, kind="irma"))
    assert faults(marked, tmp_path) == ()


@pytest.mark.parametrize(
    ("box", "code", "words"),
    [
        ((math.nan, 0, 1, 1), "not_finite", "not a finite number"),
        ((0, 0, math.inf, 1), "not_finite", "not a finite number"),
        ((5, 0, 1, 1), "swapped_corners", "swapped"),
        ((5, 9, 6, 1), "swapped_corners", "swapped"),
        ((5, 5, 5, 9), "empty_box", "empty"),
        ((100, 0, 110, 5), "outside", "lies outside the photograph of 100 x 80"),
        ((-9, 0, 0, 5), "outside", "lies outside"),
        ((90, 70, 101, 80), "outside", "reaches 1 pixels beyond"),
        ((0, -0.5, 1, 1), "outside", "reaches 0.5 pixels beyond"),
    ],
)
def test_faults_of_a_box(box: Box, code: str, words: str) -> None:
    (fault,) = faults(a_set(a_box(1, 1, 2, 2), a_box(*box)))
    assert (fault.image, fault.number, fault.code) == ("a.jpg", 2, code)
    assert words in fault.sentence


def test_what_rounding_leaves_beyond_the_edge_is_no_fault() -> None:
    assert codes(a_set(a_box(-1e-9, 0, 100 + 1e-9, 80))) == []


def test_a_corner_of_an_outline_that_is_no_number() -> None:
    item = a_box(0, 0, 2, 2, outlines=(((0.0, 0.0), (2.0, math.nan), (2.0, 2.0)),))
    assert codes(a_set(item)) == [(1, "not_finite")]


def test_the_same_object_twice_is_a_duplicate_but_not_of_another_author_or_a_detector() -> None:
    items = (
        a_box(1, 1, 2, 2, author="A"),
        a_box(1, 1, 2, 2, author="B"),
        a_box(1, 1, 2, 2, author="A", score=0.5),
        a_box(1, 1, 2, 2, author="A", kind="irma"),
        a_box(1, 1, 2, 2, author="A"),
    )
    (fault,) = faults(a_set(*items))
    assert (fault.number, fault.code) == (5, "duplicate")
    assert "object 1" in fault.sentence


def test_an_unknown_class_is_told_once_with_its_count_and_the_nearest_known_one() -> None:
    marked = a_set(a_box(1, 1, 2, 2, kind="microaneurism_"), a_box(2, 2, 3, 3, kind="haemorage"))
    photos = (*marked.photos, *a_set(a_box(2, 2, 3, 3, kind="haemorage"), image="b.jpg").photos)
    reported = {fault.sentence for fault in faults(AnnotationSet(photos=photos))}
    assert any("'haemorage'" in s and "2 objects" in s and "haemorrhage" in s for s in reported)
    assert len(reported) == 2


def test_an_unknown_class_that_is_like_none() -> None:
    (fault,) = faults(a_set(a_box(1, 1, 2, 2, kind="花")))
    assert fault == Fault("a.jpg", 1, "unknown_kind", "'花' is an unknown class (1 object)")


def test_sizes_that_disagree(tmp_path: Path) -> None:
    a_picture(tmp_path / "a.jpg", (80, 100))
    (fault,) = faults(a_set(a_box(1, 1, 2, 2)), tmp_path)
    assert fault.code == "other_size"
    assert "100 x 80" in fault.sentence
    assert "80 x 100" in fault.sentence
    assert "turned" in fault.sentence
    a_picture(tmp_path / "a.jpg", (50, 40))
    (fault,) = faults(a_set(a_box(1, 1, 2, 2)), tmp_path)
    assert "turned" not in fault.sentence


def test_the_size_that_counts_is_after_exif_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 100)).save(tmp_path / "a.jpg", exif=exif)
    assert codes(a_set(a_box(1, 1, 2, 2)), tmp_path) == []


def test_a_size_that_is_not_given() -> None:
    assert codes(a_set(a_box(1, 1, 2, 2), size=(0, 80))) == [(0, "no_size")]


def test_an_annotation_without_its_picture_and_the_reverse(tmp_path: Path) -> None:
    a_picture(tmp_path / "in" / "b.png")
    a_picture(tmp_path / ".hidden" / "c.png")
    marked = faults(a_set(a_box(1, 1, 2, 2)), tmp_path)
    assert [(fault.image, fault.code) for fault in marked] == [
        ("a.jpg", "no_picture"),
        ("in/b.png", "no_annotation"),
    ]


def test_a_picture_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    assert codes(a_set(a_box(1, 1, 2, 2)), tmp_path) == [(0, "unreadable_picture")]


def test_a_folder_of_photographs_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="is not a folder"):
        faults(a_set(), tmp_path / "none")


def test_every_code_is_listed_once() -> None:
    constants = [value for name, value in vars(module).items() if name.isupper()]
    assert sorted(CODES) == sorted(value for value in constants if isinstance(value, str))
