"""Masks are read: sizes, indexed masks, and bad input."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
)
from fundoscope.data.annotations.masks.components import Rules
from fundoscope.data.annotations.masks.read import read_masks
from fundoscope.data.annotations.masks.write import write_masks
from fundoscope.errors import PhotoError, TableError

from .drawn import EXPECTED, HEIGHT, TWO, WIDTH, Pixels, boxes, painted_on, saved

IDRID = Path(__file__).parents[4] / "shared" / "data" / "lesions" / "idrid"


def test_an_empty_mask_is_a_photograph_without_objects(tmp_path: Path) -> None:
    for number, make in enumerate((TWO & False, painted_on((0, 0, 0), (0, 0, 0)))):
        saved(tmp_path / f"{number}_MA.png", make)
    marked = read_masks(tmp_path)
    assert [photo.annotations for photo in marked.photos] == [(), ()]


def test_photographs_give_names_and_sizes(tmp_path: Path) -> None:
    saved(tmp_path / "photos" / "sub" / "IDRiD_01.JPG", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    saved(tmp_path / "photos" / "IDRiD_02.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    saved(tmp_path / "masks" / "IDRiD_01_MA.png", TWO)
    saved(tmp_path / "masks" / "IDRiD_02_MA.png", TWO)
    marked = read_masks(tmp_path / "masks", images=tmp_path / "photos")
    assert [photo.image for photo in marked.photos] == ["IDRiD_02.png", "sub/IDRiD_01.JPG"]
    assert marked.warnings == ()


def test_photographs_may_lie_inside_the_folder_of_masks(tmp_path: Path) -> None:
    saved(tmp_path / "photos" / "IDRiD_01.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    saved(tmp_path / "MA" / "IDRiD_01.png", TWO)
    marked = read_masks(tmp_path, images=tmp_path / "photos")
    assert [photo.image for photo in marked.photos] == ["IDRiD_01.png"]


def test_a_mask_of_another_size_than_its_photograph_is_an_error_with_both(tmp_path: Path) -> None:
    saved(tmp_path / "photos" / "a.jpg", np.zeros((18, 24, 3), np.uint8))
    saved(tmp_path / "masks" / "a_MA.png", TWO)
    with pytest.raises(TableError, match=r"has 12 x 9 pixels, the photograph a.jpg 24 x 18"):
        read_masks(tmp_path / "masks", images=tmp_path / "photos")


def test_photographs_beside_the_masks_are_found(tmp_path: Path) -> None:
    saved(tmp_path / "JPEGImages" / "a.jpeg", np.zeros((9, 12, 3), np.uint8))
    saved(tmp_path / "masks" / "a_MA.png", TWO)
    assert read_masks(tmp_path / "masks").photos[0].image == "a.jpeg"
    saved(tmp_path / "JPEGImages" / "a.jpeg", np.zeros((18, 24, 3), np.uint8))
    with pytest.raises(TableError, match=r"has 12 x 9 pixels, the photograph a.jpeg 24 x 18"):
        read_masks(tmp_path / "masks")


def test_masks_of_one_photograph_have_one_size(tmp_path: Path) -> None:
    saved(tmp_path / "a_HE.png", TWO)
    saved(tmp_path / "a_MA.png", TWO[:5])
    with pytest.raises(TableError, match=r"has 12 x 5 pixels, the mask .*a_HE.png 12 x 9"):
        read_masks(tmp_path)


def test_two_files_for_one_mask(tmp_path: Path) -> None:
    saved(tmp_path / "a_MA.png", TWO)
    saved(tmp_path / "a_MA.tif", TWO)
    with pytest.raises(TableError, match=r"both masks of microaneurysm of a.jpg"):
        read_masks(tmp_path)


@pytest.mark.parametrize("as_file", [False, True], ids=["argument", "file"])
@pytest.mark.parametrize("palette", [False, True])
def test_an_indexed_mask_with_stated_classes(as_file: bool, palette: bool, tmp_path: Path) -> None:
    values = TWO.astype(np.uint8) * 2
    values[8, 0] = 5
    image = Image.fromarray(values, mode="P" if palette else "L")
    if palette:
        image.putpalette(list(range(96)))
    image.save(tmp_path / "a.png")
    saved(tmp_path / "b.png", (values * 0).astype(np.uint16))
    if as_file:
        text = "\ufeff0 background\n# remark\n2: HE\r\n\n3,\tExudates\n"
        (tmp_path / "mask_classes.txt").write_bytes(text.encode())
    marked = read_masks(tmp_path, classes=None if as_file else {2: "HE", 3: "Exudates"})
    assert boxes(marked) == [
        ("a.jpg", "haemorrhage", EXPECTED[0]),
        ("a.jpg", "haemorrhage", EXPECTED[1]),
        ("a.jpg", "5", (0.0, 8.0, 1.0, 9.0)),
    ]
    assert [photo.image for photo in marked.photos] == ["a.jpg", "b.jpg"]


def test_numbers_of_two_classes_that_are_one_kind(tmp_path: Path) -> None:
    values = TWO.astype(np.uint8)
    values[6] *= 2
    saved(tmp_path / "a.png", values)
    marked = read_masks(tmp_path, classes={1: "NVD", 2: "NVE"})
    assert [(kind, box) for _, kind, box in boxes(marked)] == [
        ("neovascularisation", box) for box in EXPECTED
    ]


def test_folders_without_masks(tmp_path: Path) -> None:
    for folder, words in ((tmp_path, "holds no mask"), (tmp_path / "none", "is not a folder")):
        with pytest.raises(TableError, match=words):
            read_masks(folder)
    saved(tmp_path / ".hidden_MA.png", TWO)
    with pytest.raises(TableError, match="holds no mask"):
        read_masks(tmp_path)


def test_folders_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    saved(tmp_path / "a_MA.png", TWO)
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(TableError, match="cannot be opened"):
        read_masks(tmp_path)
    with pytest.raises(TableError, match="cannot be opened"):
        read_masks(tmp_path, images=tmp_path)


def test_specks_are_dropped_only_when_asked_and_reported(tmp_path: Path) -> None:
    saved(tmp_path / "a_MA.png", TWO)
    marked = read_masks(tmp_path, rules=Rules(min_pixels=3))
    assert [box for _, _, box in boxes(marked)] == EXPECTED[:1]
    assert marked.left_out == (Loss("specks", 1),)
    assert read_masks(tmp_path).left_out == ()


def photo(*items: Annotation, image: str = "a.jpg", source: str = "") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=WIDTH, height=HEIGHT, annotations=items, source=source)


def of_mask(kind: str, pixels: Pixels) -> Annotation:
    mask = Mask.of(pixels)
    return Annotation(kind=kind, box=mask.box, mask=mask)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("width", "many", "line 2: has no size in whole pixels"),
        ("width", "13", "has 12 x 9 pixels, a.jpg in masks.csv 13 x 9"),
        ("mask", "../../a.png", "a.png"),
    ],
)
def test_a_table_of_masks_that_is_wrong(
    column: str, value: str, words: str, tmp_path: Path
) -> None:
    write_masks(AnnotationSet(photos=(photo(of_mask("irma", TWO)),)), tmp_path)
    with (tmp_path / "masks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0][column] = value
    with (tmp_path / "masks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises((TableError, PhotoError), match=words):
        read_masks(tmp_path)


@pytest.mark.skipif(not IDRID.is_dir(), reason="needs ../shared/data")
@pytest.mark.slow
def test_idrid_photograph_01_gives_the_rows_of_its_table(tmp_path: Path) -> None:
    for path in (IDRID / "masks").glob("IDRiD_01_*.png"):
        (tmp_path / path.name).symlink_to(path)
    marked = read_masks(tmp_path)
    rows = sorted(
        (item.kind, int(item.box[0]) + 1, int(item.box[1]) + 1, int(item.box[2]), int(item.box[3]))
        for item in marked.photos[0].annotations
    )
    with (IDRID / "objects.csv").open(newline="") as file:
        table = [row for row in csv.DictReader(file) if row["image"] == "IDRiD_01"]
    assert rows == sorted(
        (row["class"], *(int(row[name]) for name in ("xmin", "ymin", "xmax", "ymax")))
        for row in table
    )
