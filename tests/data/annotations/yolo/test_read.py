"""YOLO is read: its lines, its folders, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
)
from fundoscope.data.annotations.yolo.read import read_yolo
from fundoscope.errors import TableError


@pytest.fixture
def eyes(tmp_path: Path, save_eye: Callable[..., Path]) -> Path:
    """A folder of YOLO with two photographs of 200 x 100 pixels and class names."""
    for name in ("a.jpg", "sub/b.png"):
        save_eye(tmp_path / "set" / "images" / name, width=200, height=100)
    (tmp_path / "set" / "data.yaml").write_text("names: [MA, drusen]\n")
    return tmp_path / "set"


def label(folder: Path, text: str, name: str = "a") -> Path:
    path = folder / "labels" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def items_of(annotated: AnnotationSet) -> list[Annotation]:
    return [item for photo in annotated.photos for item in photo.annotations]


def test_lines_of_every_length(eyes: Path) -> None:
    label(eyes, "0 0.5 0.5 0.1 0.2\n\n1.0 0.5 0.5 0.1 0.2 0.875\r\n")
    label(eyes, "0 0.1 0.1 0.2 0.1 0.2 0.3\n1 .1 .1 2e-1 .1 .2 .3 .5\n", "sub/b")
    box, scored, polygon, scored_polygon = items_of(read_yolo(eyes))
    assert box == Annotation(kind="microaneurysm", box=(90, 40, 110, 60))
    assert scored == Annotation(kind="drusen", box=(90, 40, 110, 60), score=0.875)
    outline = ((20, 10), (40, 10), (40, 30))
    assert polygon == Annotation(kind="microaneurysm", box=(20, 10, 40, 30), outlines=(outline,))
    assert (scored_polygon.outlines, scored_polygon.score) == ((outline,), 0.5)


def test_an_empty_file_means_that_somebody_looked(eyes: Path) -> None:
    label(eyes, "")
    annotated = read_yolo(eyes / "data.yaml")
    assert annotated.photos == (AnnotatedPhoto(image="a.jpg", width=200, height=100),)
    assert annotated.warnings == (f"1 photographs in {eyes / 'images'} have no label file",)


def test_folders_of_splits(eyes: Path, save_eye: Callable[..., Path]) -> None:
    save_eye(eyes / "images" / "train" / "c.jpg")
    label(eyes, "0 0.5 0.5 0.1 0.1\n", "train/c")
    label(eyes, "", "a")
    (eyes / "data.yaml").write_text(
        "path: ../datasets/eyes  # not there\ntrain: images/train\nval: [images/sub, gone]\n"
        "test: list.txt\nnames:\n  0: EX\n"
    )
    (eyes / "list.txt").write_text("./images/a.jpg\n/elsewhere/images/none.jpg\n")
    annotated = read_yolo(eyes)
    assert annotated.splits == {"train": ("train/c.jpg",), "val": (), "test": ("a.jpg",)}
    assert "test names 1 photographs without a label file" in annotated.warnings
    (eyes / "list.txt").unlink()
    with pytest.raises(TableError, match=r"list.txt: does not exist"):
        read_yolo(eyes)


def test_roboflows_folders(tmp_path: Path, save_eye: Callable[..., Path]) -> None:
    for split in ("train", "valid"):
        save_eye(tmp_path / split / "images" / f"{split}.jpg", width=200, height=100)
        (tmp_path / split / "labels").mkdir()
        (tmp_path / split / "labels" / f"{split}.txt").write_text("0 0.5 0.5 0.1 0.2\n")
    (tmp_path / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['HE']\n"
        "roboflow:\n  workspace: x\n"
    )
    annotated = read_yolo(tmp_path)
    assert annotated.splits == {
        "train": ("train/images/train.jpg",),
        "val": ("valid/images/valid.jpg",),
    }
    assert [item.box for item in items_of(annotated)] == [(90, 40, 110, 60)] * 2


def test_labelimgs_folder(tmp_path: Path, save_eye: Callable[..., Path]) -> None:
    save_eye(tmp_path / "a.jpg", width=200, height=100)
    (tmp_path / "a.txt").write_text("1 0.500000 0.500000 0.100000 0.200000\n")
    (tmp_path / "classes.txt").write_text("dog\n出血\n")
    annotated = read_yolo(tmp_path)
    assert items_of(annotated) == [Annotation(kind="haemorrhage", box=(90, 40, 110, 60))]
    assert annotated.kinds == ("dog", "haemorrhage")
    assert read_yolo(tmp_path).warnings == ()


def test_the_folder_of_labels_alone(eyes: Path) -> None:
    label(eyes, "0 0.5 0.5 0.1 0.2\n")
    (eyes / "labels" / "classes.txt").write_text("\ufeffMA\n")
    assert items_of(read_yolo(eyes / "labels"))[0].box == (90, 40, 110, 60)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 0.1", r"a.txt, line 2: has 4 numbers; give class, centre x"),
        ("0 nan 0.5 0.1 0.1", "nan.* is not a finite number|NaN is not a finite number"),
        ("0 0.5 -0.5 0.1 0.1", "line 2: -0.5 is not from 0 to 1"),
        ("0 0.5 0.5 0.1 1.5", "line 2: 1.5 is not from 0 to 1"),
        (
            "0 0.5 0.5 0.1 0.1 7",
            "line 2: (its score )?7 is not from 0 to 1",
        ),
        ("0 0.5 0.5 0.1 1e-999999999", "too many decimals"),
        ("0 0.5 0.5 0.1 x", "'x' is not a number"),
        ("2 0.5 0.5 0.1 0.1", "is of class 2, where 2 classes have a name"),
        ("-1 0.5 0.5 0.1 0.1", "is of class -1"),
        ("0.5 0.5 0.5 0.1 0.1", "is of class 0.5"),
        ("MA 0.5 0.5 0.1 0.1", "its class: 'MA' is not a number"),
    ],
)
def test_a_bad_line_is_reported_with_its_place(eyes: Path, line: str, said: str) -> None:
    label(eyes, f"0 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises(TableError, match=said):
        read_yolo(eyes)


def test_two_files_for_one_photograph(tmp_path: Path, save_eye: Callable[..., Path]) -> None:
    save_eye(tmp_path / "images" / "sub" / "b.png")
    label(tmp_path, "", "b")
    label(tmp_path, "", "sub/b")
    with pytest.raises(TableError, match=r"is a second file for sub/b.png"):
        read_yolo(tmp_path)


def test_labels_without_photograph_names_or_text(eyes: Path, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="has no YOLO labels"):
        read_yolo(eyes)
    path = label(eyes, "", "gone")
    with pytest.raises(TableError, match=r"gone.txt: its photograph is not found .*--images"):
        read_yolo(eyes)
    path.unlink()
    label(eyes, "0 0.5 0.5 0.1 0.1\n").write_bytes("出".encode("gb2312"))
    with pytest.raises(TableError, match="is not UTF-8"):
        read_yolo(eyes)
    label(eyes, "0 0.5 0.5 0.1 0.1\n")
    (eyes / "data.yaml").unlink()
    with pytest.raises(TableError, match="where 0 classes have a name; name the classes in data"):
        read_yolo(eyes)
