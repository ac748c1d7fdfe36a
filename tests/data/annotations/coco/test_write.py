"""COCO is written, and read again as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
)
from fundoscope.data.annotations.coco.read import read_coco
from fundoscope.data.annotations.coco.write import write_coco
from fundoscope.errors import OutputError


def items_of(annotated: AnnotationSet) -> list[Annotation]:
    return [item for photo in annotated.photos for item in photo.annotations]


def photo(image: str, *items: Annotation) -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=100, height=80, annotations=items)


def test_everything_comes_back(tmp_path: Path) -> None:
    mask = Mask(3, 4, np.array([[True, False], [True, True]]))
    items = (
        Annotation(kind="irma", box=(0.1, 0.2, 0.3, 79.9), score=0.25, author="A", difficult=True),
        Annotation(kind="玻璃膜疣", box=mask.box, mask=mask, attributes={"iscrowd": "1", "x": "y"}),
        Annotation(
            kind="fovea", box=(1.0, 1.0, 5.0, 5.0), outlines=(((1.0, 1.0), (5.0, 1.5), (2.2, 5.0)),)
        ),
        Annotation(kind="fovea", box=(-3.0, 5.0, -3.0, 5.0)),
    )
    annotated = AnnotationSet(
        photos=(photo("a b.jpg", *items), photo("sub/c.png")),
        kinds=("fovea", "irma", "玻璃膜疣", "venous_beading"),
        splits={"train": ("a b.jpg", "sub/c.png"), "val": ("a b.jpg",), "test": ()},
    )
    assert write_coco(annotated, tmp_path) == ()
    assert sorted(path.name for path in (tmp_path / "annotations").iterdir()) == [
        "instances_test.json",
        "instances_train.json",
        "instances_val.json",
    ]
    assert read_coco(tmp_path) == annotated
    assert write_coco(annotated, tmp_path / "one.json") == (Loss("splits", 3),)
    alone = read_coco(tmp_path / "one.json")
    assert (alone.photos, alone.kinds, alone.splits) == (annotated.photos, annotated.kinds, {})


def test_photographs_in_no_split_have_a_file_of_their_own(tmp_path: Path) -> None:
    annotated = AnnotationSet(photos=(photo("a.jpg"), photo("b.jpg")), splits={"val": ("b.jpg",)})
    write_coco(annotated, tmp_path)
    names = sorted(path.name for path in (tmp_path / "annotations").iterdir())
    assert names == ["instances.json", "instances_val.json"]
    assert read_coco(tmp_path) == annotated
    with pytest.raises(OutputError, match="exists already"):
        write_coco(annotated, tmp_path)


def test_one_shape_is_kept_where_an_object_has_two(tmp_path: Path) -> None:
    mask = Mask(98, 78, np.ones((5, 5), bool))
    outline = ((0.0, 0.0), (5.0, 0.0), (5.0, 5.0))
    items = (
        Annotation(kind="irma", box=(0.0, 0.0, 5.0, 5.0), outlines=(outline,), mask=mask),
        Annotation(kind="irma", box=mask.box, mask=mask),
    )
    annotated = AnnotationSet(photos=(photo("a.jpg", *items),), kinds=("irma",))
    assert write_coco(annotated, tmp_path / "a.json") == (Loss("masks", 2),)
    both, beyond = items_of(read_coco(tmp_path / "a.json"))
    assert (both.outlines, both.mask) == ((outline,), None)
    assert (beyond.box, beyond.mask) == (mask.box, None)


def test_areas_are_those_of_the_shapes(tmp_path: Path) -> None:
    items = (
        Annotation(kind="irma", box=(0.0, 0.0, 5.0, 4.0)),
        Annotation(
            kind="irma", box=(0.0, 0.0, 5.0, 4.0), outlines=(((0.0, 0.0), (5.0, 0.0), (5.0, 4.0)),)
        ),
        Annotation(kind="irma", box=(0.0, 0.0, 2.0, 2.0), mask=Mask(0, 0, np.eye(2, dtype=bool))),
    )
    write_coco(AnnotationSet(photos=(photo("a.jpg", *items),)), tmp_path / "a.json")
    written = json.loads((tmp_path / "a.json").read_text())["annotations"]
    assert [item["area"] for item in written] == [20, 10, 2]
    assert [item["bbox"] for item in written] == [[0, 0, 5, 4], [0, 0, 5, 4], [0, 0, 2, 2]]
