"""YOLO is written, and read again as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
)
from fundoscope.data.annotations.yolo.read import read_yolo
from fundoscope.data.annotations.yolo.write import write_yolo
from fundoscope.errors import OutputError


@pytest.fixture
def eyes(tmp_path: Path, save_eye: Callable[..., Path]) -> Path:
    """A folder of YOLO with two photographs of 200 x 100 pixels and class names."""
    for name in ("a.jpg", "sub/b.png"):
        save_eye(tmp_path / "set" / "images" / name, width=200, height=100)
    (tmp_path / "set" / "data.yaml").write_text("names: [MA, drusen]\n")
    return tmp_path / "set"


def test_everything_that_yolo_holds_comes_back(eyes: Path, tmp_path: Path) -> None:
    outline = ((1.5, 2.0), (30.25, 2.0), (30.25, 40.0))
    photos = (
        AnnotatedPhoto(
            image="a.jpg",
            width=200,
            height=100,
            annotations=(
                Annotation(kind="irma", box=(0.1, 0.2, 199.9, 100.0), score=0.3),
                Annotation(kind="新: #1", box=(1.5, 2.0, 30.25, 40.0), outlines=(outline,)),
            ),
        ),
        AnnotatedPhoto(image="sub/b.png", width=200, height=100),
    )
    annotated = AnnotationSet(
        photos=photos,
        kinds=("新: #1", "fovea", "irma"),
        splits={"train": ("sub/b.png", "a.jpg"), "holdout": ("a.jpg",), "val": ()},
    )
    losses = write_yolo(annotated, tmp_path / "out")
    assert losses == (Loss("size", 2),)
    assert read_yolo(tmp_path / "out", images=eyes / "images") == annotated
    assert (tmp_path / "out" / "train.txt").read_text() == "./images/sub/b.png\n./images/a.jpg\n"
    with pytest.raises(OutputError, match="exists already"):
        write_yolo(annotated, tmp_path / "out")


def test_what_yolo_cannot_hold_is_reported(tmp_path: Path) -> None:
    twice = ((0.0, 0.0), (5.0, 0.0), (5.0, 5.0))
    items = (
        Annotation(kind="irma", box=(0.0, 0.0, 5.0, 5.0), outlines=(twice, twice)),
        Annotation(kind="irma", box=(0.0, 0.0, 6.0, 5.0), outlines=(twice,)),
        Annotation(kind="irma", box=(-20.0, 5.0, 10.0, 130.0), difficult=True, author="A"),
        Annotation(kind="irma", box=(-20.0, 5.0, -10.0, 10.0), attributes={"x": "y"}),
        Annotation(kind="irma", box=(-20.0, 5.0, 30.0, 10.0)),
    )
    photo = AnnotatedPhoto(image="a.jpg", width=100, height=80, annotations=items, source="S")
    losses = write_yolo(AnnotationSet(photos=(photo,)), tmp_path)
    assert {loss.what: loss.count for loss in losses} == {
        "difficult": 1,
        "author": 1,
        "attributes": 1,
        "source": 1,
        "size": 1,
        "outlines": 2,
        "boxes beyond the photograph (cut off)": 2,
    }
    lines = (tmp_path / "labels" / "a.txt").read_text().splitlines()
    assert lines[2] == "0 0.050000 0.531250 0.100000 0.937500"
    assert len(lines) == 4
    assert lines[3].split()[1] == "0.050000"
