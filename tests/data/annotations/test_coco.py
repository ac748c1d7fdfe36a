"""COCO: boxes, polygons and run-length masks, several files, and bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fundoscope import limits
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
)
from fundoscope.data.annotations.coco import rle
from fundoscope.data.annotations.coco.read import read_coco
from fundoscope.data.annotations.coco.write import write_coco
from fundoscope.errors import OutputError, TableError

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))
PIXELS = arrays(np.bool_, SHAPES)


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


def items_of(found: AnnotationSet) -> list[Annotation]:
    return [item for photo in found.photos for item in photo.annotations]


def photo(image: str, *items: Annotation) -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=100, height=80, annotations=items)


def test_boxes_are_sums_of_decimals(save: Callable[..., Path]) -> None:
    found = read_coco(save(content({"bbox": [0.1, 2, 0.2, 3.5]})))
    assert items_of(found) == [Annotation(kind="hard_exudate", box=(0.1, 2, 0.3, 5.5))]
    assert found.kinds == ("drusen", "hard_exudate")


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
    found = AnnotationSet(
        photos=(photo("a b.jpg", *items), photo("sub/c.png")),
        kinds=("fovea", "irma", "玻璃膜疣", "venous_beading"),
        splits={"train": ("a b.jpg", "sub/c.png"), "val": ("a b.jpg",), "test": ()},
    )
    assert write_coco(found, tmp_path) == ()
    assert sorted(path.name for path in (tmp_path / "annotations").iterdir()) == [
        "instances_test.json",
        "instances_train.json",
        "instances_val.json",
    ]
    assert read_coco(tmp_path) == found
    assert write_coco(found, tmp_path / "one.json") == (Loss("splits", 3),)
    alone = read_coco(tmp_path / "one.json")
    assert (alone.photos, alone.kinds, alone.splits) == (found.photos, found.kinds, {})


def test_photographs_in_no_split_have_a_file_of_their_own(tmp_path: Path) -> None:
    found = AnnotationSet(photos=(photo("a.jpg"), photo("b.jpg")), splits={"val": ("b.jpg",)})
    write_coco(found, tmp_path)
    names = sorted(path.name for path in (tmp_path / "annotations").iterdir())
    assert names == ["instances.json", "instances_val.json"]
    assert read_coco(tmp_path) == found
    with pytest.raises(OutputError, match="is there already"):
        write_coco(found, tmp_path)


def test_one_shape_is_kept_where_an_object_has_two(tmp_path: Path) -> None:
    mask = Mask(98, 78, np.ones((5, 5), bool))
    outline = ((0.0, 0.0), (5.0, 0.0), (5.0, 5.0))
    items = (
        Annotation(kind="irma", box=(0.0, 0.0, 5.0, 5.0), outlines=(outline,), mask=mask),
        Annotation(kind="irma", box=mask.box, mask=mask),
    )
    found = AnnotationSet(photos=(photo("a.jpg", *items),), kinds=("irma",))
    assert write_coco(found, tmp_path / "a.json") == (Loss("masks", 2),)
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


def test_what_other_tools_write(save: Callable[..., Path]) -> None:
    found = read_coco(
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
    first, polygon, crowd, flipped = items_of(found)
    assert first.attributes == {"occluded": "0", "rotation": "0.5"}
    assert polygon.box == (1, 2, 8, 9)
    assert crowd.box == (0, 8, 1, 11)
    assert crowd.attributes == {"iscrowd": "1"}
    assert flipped.box == (5, 9, 9, 11)
    assert found.warnings == ("1 boxes of a.json had negative sizes, and were put right",)


def test_a_size_that_is_not_told_is_that_of_the_photograph(
    save: Callable[..., Path], save_eye: Callable[..., Path], tmp_path: Path
) -> None:
    images = [
        {"id": 7, "file_name": "photos\\a.jpg", "width": None},
        {"id": 8, "file_name": "gone.jpg", "width": 5, "height": 5},
    ]
    path = save(content({"bbox": [1, 1, 2, 2]}, images=images))
    with pytest.raises(TableError, match=r"image 7: says no size.* --images"):
        read_coco(path)
    save_eye(tmp_path / "p" / "photos" / "a.jpg", width=90, height=70)
    found = read_coco(path, images=tmp_path / "p")
    assert (found.photos[1].image, found.photos[1].width) == ("photos/a.jpg", 90)
    assert found.warnings == (f"1 annotated photographs are not in {tmp_path / 'p'}",)


def test_folders_of_files(save: Callable[..., Path], tmp_path: Path) -> None:
    save(content(), "annotations/captions_val.json")
    save(content(), "annotations/instances_val.json")
    assert read_coco(tmp_path).splits == {"val": ("a.jpg",)}
    for split in ("train", "valid"):
        save(content(), f"r/{split}/_annotations.coco.json")
    found = read_coco(tmp_path / "r")
    assert found.splits == {"train": ("train/a.jpg",), "valid": ("valid/a.jpg",)}
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
    with pytest.raises(TableError, match=r"annotates a.jpg otherwise than another file"):
        read_coco(tmp_path)


IMAGE = {"id": 7, "file_name": "a.jpg", "width": 100, "height": 80}
BOX = {"bbox": [1, 1, 2, 2]}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "does not exist|is empty"),
        ("{", "is not JSON"),
        ('{"images": [], "categories": [], "annotations": [NaN]}', "is not JSON"),
        ([BOX], "has another form"),
        (content(images=[IMAGE, IMAGE]), "images: two have the id 7"),
        (content(images=[IMAGE, IMAGE | {"id": 8}]), "a.jpg is listed twice"),
        (content(categories=[{"id": 1, "name": "a"}] * 2), "categories: two have the id 1"),
        (content(BOX, BOX | {"id": 0}), "annotations: two have the id 0"),
        (content(BOX | {"image_id": 1}), r"annotations\[0\] \(id 0\): is on image 1"),
        (content(BOX | {"category_id": 1}), r"annotations\[0\] \(id 0\): is of category 1"),
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


def test_the_place_of_a_wrong_type_is_told(save: Callable[..., Path]) -> None:
    with pytest.raises(TableError, match=r"at `\$\.annotations\[1\]\.bbox\[2\]`"):
        read_coco(save(content(BOX, {"bbox": [1, 2, True, 4]})))


def test_a_mask_larger_than_any_photograph_takes_no_memory(
    save: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_PIXELS", 7_999)
    runs = {"counts": [8000], "size": [80, 100]}
    with pytest.raises(TableError, match="more than 0 million pixels"):
        read_coco(save(content({"segmentation": runs})))


@given(PIXELS)
def test_runs_come_back(pixels: np.ndarray) -> None:
    height, width = pixels.shape
    if not pixels.any():
        assert rle.decode([width * height], width, height) is None
        return
    mask = Mask.of(pixels)
    counts = rle.encode(mask, width, height)
    assert counts.sum() == width * height
    np.testing.assert_array_equal(rle.decompress(rle.compress(counts)), counts)
    assert rle.decode(rle.compress(counts), width, height) == mask
    assert rle.decode(counts.tolist(), width, height) == mask


@given(st.lists(st.integers(0, 2**30), min_size=1, max_size=30))
def test_counts_of_any_size_come_back(counts: list[int]) -> None:
    assert rle.decompress(rle.compress(np.array(counts))).tolist() == counts


def test_an_empty_text_has_no_counts() -> None:
    assert rle.decompress("").tolist() == []


@given(PIXELS.filter(lambda pixels: bool(pixels.any())))
def test_runs_are_those_of_pycocotools(pixels: np.ndarray) -> None:
    reference = pytest.importorskip("pycocotools.mask")
    height, width = pixels.shape
    theirs = reference.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
    assert rle.compress(rle.encode(Mask.of(pixels), width, height)) == theirs
