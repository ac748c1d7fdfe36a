"""The sets of lesions: small trees of their documented layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.data.annotations.annotation import AnnotationSet
from fundoscope.data.importers import ddr, diaretdb1, e_ophtha
from fundoscope.errors import TableError

Plant = Callable[..., Path]
Draw = Callable[..., None]
DOCUMENT = """<annotation><filename>{name}</filename>
<size><width>12</width><height>8</height><depth>3</depth></size>
<object><name>ex</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>5</xmax><ymax>6</ymax></bndbox>
</object></annotation>"""


def boxes(imported: AnnotationSet | None) -> dict[str, list[tuple[str, tuple[float, ...]]]]:
    assert imported is not None
    return {
        photo.image: sorted((item.kind, item.box) for item in photo.annotations)
        for photo in imported.photos
    }


def test_ddr_grades(plant: Plant) -> None:
    folder = plant(
        "DR_grading/train/007-0004-000.jpg", "DR_grading/valid/a b.jpg", "DR_grading/test/c.jpg"
    )
    (folder / "DR_grading" / "train.txt").write_text("007-0004-000.jpg 2\n\n")
    (folder / "DR_grading" / "valid.txt").write_text("a b.jpg 0\r\n")
    (folder / "DR_grading" / "test.txt").write_text("c.jpg 5\n")
    imported = ddr.read(folder)
    assert imported.table is not None
    assert [(row.image, row.grade, row.split) for row in imported.table.rows] == [
        ("DR_grading/test/c.jpg", 5, "test"),
        ("DR_grading/train/007-0004-000.jpg", 2, "train"),
        ("DR_grading/valid/a b.jpg", 0, "val"),
    ][1:]
    assert imported.notes == ("1 photographs were left out: they were not graded",)
    assert imported.annotations is None


@pytest.mark.parametrize(
    ("text", "reported"),
    [("a.jpg\n", "train.txt, line 1: is not a name and a grade"), ("a.jpg 9\n", "line 1: is '9'")],
)
def test_a_wrong_list_of_ddr(plant: Plant, text: str, reported: str) -> None:
    folder = plant("DR_grading/train/a.jpg")
    (folder / "DR_grading" / "train.txt").write_text(text)
    with pytest.raises(TableError) as caught:
        ddr.read(folder)
    assert reported in str(caught.value)


def test_ddr_masks(tmp_path: Path, draw: Draw) -> None:
    for split in ("train", "valid"):
        base = tmp_path / "lesion_segmentation" / split
        draw(base / "image" / f"{split}.jpg")
        labels = "label" if split == "train" else "segmentation label"
        draw(base / labels / "MA" / f"{split}.tif", (1, 1, 3, 3))
        draw(base / labels / "HE" / f"{split}.tif")
    (tmp_path / "lesion_detection" / "train").mkdir(parents=True)
    imported = ddr.read(tmp_path)
    box = [("microaneurysm", (1.0, 1.0, 3.0, 3.0))]
    assert boxes(imported.annotations) == {
        "lesion_segmentation/train/image/train.jpg": box,
        "lesion_segmentation/valid/image/valid.jpg": box,
    }
    assert imported.annotations is not None
    assert set(imported.annotations.splits) == {"train", "val"}
    assert imported.table is None
    assert "the boxes of lesion_detection were left out" in imported.notes[0]


def test_ddr_boxes_where_there_are_no_masks(tmp_path: Path, draw: Draw) -> None:
    draw(tmp_path / "lesion_segmentation" / "test" / "image" / "a.jpg")
    detection = tmp_path / "lesion_detection" / "test"
    detection.mkdir(parents=True)
    (detection / "a.xml").write_text(DOCUMENT.format(name="a.jpg"))
    assert boxes(ddr.read(tmp_path).annotations) == {
        "lesion_segmentation/test/image/a.jpg": [("hard_exudate", (1.0, 2.0, 5.0, 6.0))]
    }


def plant_diaretdb1(folder: Path, draw: Draw) -> None:
    images = folder / "resources" / "images"
    for name in ("image001.png", "image002.png"):
        draw(images / "ddb1_fundusimages" / name)
    agreement = np.zeros((8, 12), np.uint8)
    agreement[1:4, 1:4] = 126  # two experts: each adds 63
    agreement[2:3, 2:4] = 189
    agreement[6:8, 8:10] = 252
    for kind in ("redsmalldots", "softexudates"):
        path = images / "ddb1_groundtruth" / kind / "image001.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(agreement if kind == "redsmalldots" else 0 * agreement).save(path)
    for file, name in (
        ("traindatasets/trainset", "image002"),
        ("testdatasets/testset", "image001"),
    ):
        path = folder / "resources" / f"{file}.txt"
        path.parent.mkdir(parents=True)
        path.write_text(f"{name}.png\r\n")


def test_diaretdb1_takes_what_three_of_four_experts_marked(tmp_path: Path, draw: Draw) -> None:
    plant_diaretdb1(tmp_path, draw)
    imported = diaretdb1.read(tmp_path)
    folder = "resources/images/ddb1_fundusimages"
    assert boxes(imported.annotations) == {
        f"{folder}/image001.png": [
            ("microaneurysm", (2.0, 2.0, 4.0, 3.0)),
            ("microaneurysm", (8.0, 6.0, 10.0, 8.0)),
        ],
        f"{folder}/image002.png": [],
    }
    assert imported.annotations is not None
    assert imported.annotations.splits == {
        "train": (f"{folder}/image002.png",),
        "test": (f"{folder}/image001.png",),
    }
    assert imported.table is None
    assert imported.notes == ("the photographs have no grades",)


def test_diaretdb1_of_another_size(tmp_path: Path, draw: Draw) -> None:
    plant_diaretdb1(tmp_path, draw)
    truth = next(tmp_path.rglob("redsmalldots/image001.png"))
    Image.new("L", (11, 8)).save(truth)
    with pytest.raises(TableError, match="has 11x8 pixels, its photograph has 12x8"):
        diaretdb1.read(tmp_path)


def test_e_ophtha(tmp_path: Path, draw: Draw) -> None:
    exudates, aneurysms = tmp_path / "e_optha_EX", tmp_path / "e_optha_MA"
    draw(exudates / "EX" / "E0019457" / "C0001273.jpg")
    draw(exudates / "Annotation_EX" / "E0019457" / "C0001273_EX.png", (1, 1, 3, 3))
    draw(exudates / "healthy" / "E0000404" / "C0000887.jpg")
    draw(aneurysms / "MA" / "E0000043" / "C0000001.JPG")
    draw(aneurysms / "Annotation_MA" / "E0000043" / "C0000001.png", (5, 5, 7, 7))
    (aneurysms / "MA" / "E0000043" / "Thumbs.db").touch()
    draw(aneurysms / "MA" / "E0000043" / "no-mask.jpg")
    imported = e_ophtha.read(tmp_path)
    assert boxes(imported.annotations) == {
        "e_optha_EX/EX/E0019457/C0001273.jpg": [("hard_exudate", (1.0, 1.0, 3.0, 3.0))],
        "e_optha_EX/healthy/E0000404/C0000887.jpg": [],
        "e_optha_MA/MA/E0000043/C0000001.JPG": [("microaneurysm", (5.0, 5.0, 7.0, 7.0))],
    }
    assert imported.table is None
    assert imported.notes == (
        "the photographs have no grades",
        "1 photographs of MA were left out: they have no mask",
        e_ophtha.ONE_KIND,
    )
    assert e_ophtha.ONE_KIND not in e_ophtha.read(aneurysms).notes
