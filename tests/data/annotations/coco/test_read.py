"""COCO is read: other tools' files, and bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope import limits
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
)
from fundoscope.data.annotations.coco.read import read_coco
from fundoscope.errors import TableError


def content(*annotations: dict[str, Any], **replaced: Any) -> dict[str, Any]:
    """A document with one photograph of 100 x 80 pixels and two categories."""
    full = [{"id": n, "image_id": 7, "category_id": 3} | a for n, a in enumerate(annotations)]
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 80}],
        "categories": [{"id": 9, "name": "drusen"}, {"id": 3, "name": "Hard Exudates"}],
        "annotations": full,
    } | replaced


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(document: object, name: str = "a.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return write


def items_of(annotated: AnnotationSet) -> list[Annotation]:
    return [item for photo in annotated.photos for item in photo.annotations]


def photo(image: str, *items: Annotation) -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=100, height=80, annotations=items)


def test_boxes_are_sums_of_decimals(save: Callable[..., Path]) -> None:
    annotated = read_coco(save(content({"bbox": [0.1, 2, 0.2, 3.5]})))
    assert items_of(annotated) == [Annotation(kind="hard_exudate", box=(0.1, 2, 0.3, 5.5))]
    assert annotated.kinds == ("drusen", "hard_exudate")


def test_ids_written_as_text_in_one_place_are_the_same(save: Callable[..., Path]) -> None:
    box = {"bbox": [1, 2, 3, 4]}
    as_text = read_coco(save(content(box | {"image_id": "7", "category_id": "3"})))
    assert as_text == read_coco(save(content(box), "b.json"))
    images = [{"id": "7", "file_name": "a.jpg", "width": 100, "height": 80}]
    assert as_text == read_coco(save(content(box, images=images), "c.json"))


def test_a_number_and_its_text_are_two_ids_where_both_are_listed(save: Callable[..., Path]) -> None:
    images = [
        {"id": 7, "file_name": "a.jpg", "width": 100, "height": 80},
        {"id": "7", "file_name": "b.jpg", "width": 100, "height": 80},
    ]
    annotated = read_coco(save(content({"bbox": [1, 2, 3, 4], "image_id": "7"}, images=images)))
    assert [(each.image, len(each.annotations)) for each in annotated.photos] == [
        ("a.jpg", 0),
        ("b.jpg", 1),
    ]


def test_what_other_tools_write(save: Callable[..., Path]) -> None:
    annotated = read_coco(
        save(
            content(
                {"bbox": [1, 2, 3, 4], "attributes": {"occluded": False, "rotation": 0.5}},
                {"segmentation": [[1, 2, 8, 2, 8, 9]], "iscrowd": 0, "bbox": []},
                {"segmentation": {"counts": [8, 3, 8000 - 11], "size": [80, 100]}, "iscrowd": 1},
                {"bbox": [9, 9, -4, 2]},
                info={"year": 2026},
                licenses=None,
            )
        )
    )
    first, polygon, crowd, flipped = items_of(annotated)
    assert first.attributes == {"occluded": "0", "rotation": "0.5"}
    assert polygon.box == (1, 2, 8, 9)
    assert crowd.box == (0, 8, 1, 11)
    assert crowd.attributes == {"iscrowd": "1"}
    assert flipped.box == (5, 9, 9, 11)
    assert annotated.warnings == ("1 boxes of a.json had negative sizes, which were corrected",)


def test_a_size_that_is_not_told_is_that_of_the_photograph(
    save: Callable[..., Path], save_eye: Callable[..., Path], tmp_path: Path
) -> None:
    images = [
        {"id": 7, "file_name": "photos\\a.jpg", "width": None},
        {"id": 8, "file_name": "gone.jpg", "width": 5, "height": 5},
    ]
    path = save(content({"bbox": [1, 1, 2, 2]}, images=images))
    with pytest.raises(TableError, match=r"image 7: has no size.* --images"):
        read_coco(path)
    save_eye(tmp_path / "p" / "photos" / "a.jpg", width=90, height=70)
    annotated = read_coco(path, images=tmp_path / "p")
    assert (annotated.photos[1].image, annotated.photos[1].width) == ("photos/a.jpg", 90)
    assert annotated.warnings == (f"1 annotated photographs are not in {tmp_path / 'p'}",)


def test_folders_of_files(save: Callable[..., Path], tmp_path: Path) -> None:
    save(content(), "annotations/captions_val.json")
    save(content(), "annotations/instances_val.json")
    assert read_coco(tmp_path).splits == {"val": ("a.jpg",)}
    for split in ("train", "valid"):
        save(content(), f"r/{split}/_annotations.coco.json")
    annotated = read_coco(tmp_path / "r")
    assert annotated.splits == {"train": ("train/a.jpg",), "valid": ("valid/a.jpg",)}
    save(content(), "plain/annotations.json")
    assert read_coco(tmp_path / "plain").splits == {}
    with pytest.raises(TableError, match="has no COCO files"):
        read_coco(_empty(tmp_path))


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_one_photograph_with_two_contents_is_refused(
    save: Callable[..., Path], tmp_path: Path
) -> None:
    save(content(), "instances_train.json")
    save(content({"bbox": [1, 1, 2, 2]}), "instances_val.json")
    with pytest.raises(TableError, match=r"annotates a.jpg differently from another file"):
        read_coco(tmp_path)


IMAGE = {"id": 7, "file_name": "a.jpg", "width": 100, "height": 80}


BOX = {"bbox": [1, 1, 2, 2]}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "does not exist|is empty"),
        ("{", "is not JSON"),
        ('{"images": [], "categories": [], "annotations": [NaN]}', "is not JSON"),
        ([BOX], "does not have the structure of this format"),
        (content(images=[IMAGE, IMAGE]), "images: two have the id 7"),
        (content(images=[IMAGE, IMAGE | {"id": 8}]), "a.jpg is listed twice"),
        (content(categories=[{"id": 1, "name": "a"}] * 2), "categories: two have the id 1"),
        (content(BOX, BOX | {"id": 0}), "annotations: two have the id 0"),
        (content(BOX | {"image_id": 1}), r"annotations\[0\] \(id 0\): refers to image 1"),
        (content(BOX | {"category_id": 1}), r"annotations\[0\] \(id 0\): refers to category 1"),
        (content({"bbox": [1, 2, 3]}), "a bbox of 3 numbers instead of four"),
        (content({"bbox": [1, 2, "NaN", 4]}), "NaN is not a finite number"),
        (content({"bbox": [1, 2, 1e300, 4]}), "too large"),
        (content({}), "has neither bbox nor segmentation"),
        (content({"segmentation": [[1, 2, 3, 4]]}), "has a polygon of 4 numbers"),
        (content({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}), "has a polygon of 7 numbers"),
        (content(BOX | {"score": 1.5}), "the score 1.5, which is not from 0 to 1"),
        (content({"segmentation": {"counts": "0", "size": [5, 5]}}), "a mask of 5 x 5 pixels"),
        (content({"segmentation": {"counts": [1], "size": [80, 100]}}), "covers 1 pixels, where"),
        (content({"segmentation": {"counts": [9000], "size": [80, 100]}}), "a run that is longer"),
        (content({"segmentation": {"counts": [-1], "size": [80, 100]}}), "or negative"),
        (content({"segmentation": {"counts": "é", "size": [80, 100]}}), "has characters"),
        (content({"segmentation": {"counts": "P", "size": [80, 100]}}), "in the middle of a count"),
        (content({"segmentation": {"counts": "P" * 9 + "0", "size": [80, 100]}}), "too many bits"),
    ],
)  # fmt: skip
def test_bad_files_are_named_with_what_is_wrong(
    save: Callable[..., Path], document: object, said: str
) -> None:
    with pytest.raises(TableError, match=said):
        read_coco(save(document))


def test_the_place_of_a_wrong_type_is_reported(save: Callable[..., Path]) -> None:
    with pytest.raises(TableError, match=r"at `\$\.annotations\[1\]\.bbox\[2\]`"):
        read_coco(save(content(BOX, {"bbox": [1, 2, True, 4]})))


def test_a_mask_larger_than_any_photograph_takes_no_memory(
    save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_PIXELS", 7_999)
    runs = {"counts": [8000], "size": [80, 100]}
    with pytest.raises(TableError, match="more than 0 million pixels"):
        read_coco(save(content({"segmentation": runs})))
