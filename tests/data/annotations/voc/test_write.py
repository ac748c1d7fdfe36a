"""Pascal VOC is written, and read again as it was."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
)
from fundoscope.data.annotations.voc.read import read_voc
from fundoscope.data.annotations.voc.write import write_voc
from fundoscope.errors import OutputError


def single(*items: Annotation, image: str = "a.jpg", source: str = "") -> AnnotationSet:
    photo = AnnotatedPhoto(image=image, width=100, height=80, annotations=items, source=source)
    return AnnotationSet(photos=(photo,), kinds=tuple(sorted({item.kind for item in items})))


def test_whole_pixels_are_written_whole_and_others_keep_their_decimals(tmp_path: Path) -> None:
    annotated = single(
        Annotation(kind="irma", box=(0.0, 9.0, 20.0, 30.0)),
        Annotation(kind="irma", box=(0.1, 9.25, 20.7, 30.123456789)),
    )
    assert write_voc(annotated, tmp_path) == ()
    text = (tmp_path / "Annotations" / "a.xml").read_text()
    assert re.findall(r"<[xy]m\w+>(.*)<", text)[:4] == ["1", "10", "20", "30"]
    assert re.findall(r"<[xy]m\w+>(.*)<", text)[4:] == ["1.1", "10.25", "20.7", "30.123456789"]
    assert read_voc(tmp_path) == annotated


def test_everything_that_voc_holds_comes_back(tmp_path: Path) -> None:
    item = Annotation(
        kind="drusen <&> 玻璃膜疣",
        box=(1.5, 2.0, 30.0, 40.0),
        outlines=(((1.5, 2.0), (30.0, 2.0), (30.0, 40.0)), ((2.0, 3.0), (9.1, 3.0), (9.0, 7.0))),
        score=0.1 + 0.2,
        difficult=True,
        author="Dr. Ä",
        attributes={"truncated": "1", "pose": "Left", "occluded": "1", "my own": "x > y"},
    )
    looked = AnnotatedPhoto(image="b c/出血 1.png", width=9, height=7)
    annotated = single(item, Annotation(kind="fovea", box=(0.0, 0.0, 1.0, 1.0)), source="IDRiD")
    annotated = AnnotationSet(
        photos=(*annotated.photos, looked),
        kinds=("fovea", item.kind),
        splits={"train": ("b c/出血 1.png",), "trainval": ("a.jpg", "b c/出血 1.png"), "none": ()},
    )
    (tmp_path / "p" / "b c").mkdir(parents=True)
    (tmp_path / "p" / "b c" / "出血 1.png").touch()
    assert write_voc(annotated, tmp_path / "out") == ()
    assert read_voc(tmp_path / "out", images=tmp_path / "p") == annotated
    assert read_voc(tmp_path / "out" / "Annotations") == annotated


def test_what_voc_cannot_hold_is_reported(tmp_path: Path) -> None:
    mask = Mask(0, 0, __import__("numpy").ones((2, 2), bool))
    annotated = single(Annotation(kind="irma", box=mask.box, mask=mask))
    annotated = AnnotationSet(photos=annotated.photos, kinds=("venous_beading", "irma"))
    assert write_voc(annotated, tmp_path) == (Loss("masks", 1), Loss("kinds order", 2))


def test_a_box_beyond_the_photograph_does_not_mislead_our_own_reader(tmp_path: Path) -> None:
    annotated = single(Annotation(kind="irma", box=(-0.5, -1.0, 5.0, 120.0)))
    write_voc(annotated, tmp_path)
    assert read_voc(tmp_path) == annotated


def test_thin_and_empty_boxes_are_not_swapped(tmp_path: Path) -> None:
    annotated = single(
        Annotation(kind="irma", box=(10.2, 5.0, 10.7, 5.0)),
        Annotation(kind="irma", box=(3.0, 4.0, 3.0, 4.0)),
    )
    write_voc(annotated, tmp_path)
    assert read_voc(tmp_path) == annotated
    assert read_voc(tmp_path).warnings == ()


def test_nothing_is_overwritten_unasked_and_nothing_half_written(tmp_path: Path) -> None:
    annotated = single(Annotation(kind="irma", box=(0.0, 0.0, 5.0, 5.0)))
    write_voc(annotated, tmp_path)
    with pytest.raises(OutputError, match="exists already"):
        write_voc(annotated, tmp_path)
    write_voc(annotated, tmp_path, overwrite=True)
    twins = AnnotationSet(
        photos=tuple(AnnotatedPhoto(image=name, width=5, height=5) for name in ("b.jpg", "b.png"))
    )
    with pytest.raises(OutputError, match=r"b.xml: would be written twice"):
        write_voc(twins, tmp_path)
    with pytest.raises(OutputError, match="a character that XML cannot hold"):
        write_voc(single(Annotation(kind="a\x00b", box=(0.0, 0.0, 5.0, 5.0)), image="c"), tmp_path)
    assert [path.name for path in (tmp_path / "Annotations").iterdir()] == ["a.xml"]


def test_other_readers_see_the_same_boxes(tmp_path: Path, save_eye: Callable[..., Path]) -> None:
    reader = pytest.importorskip("libs.pascal_voc_io", reason="labelImg is not installed")
    annotated = single(
        Annotation(kind="haemorrhage", box=(0.0, 0.0, 100.0, 80.0), difficult=True),
        Annotation(kind="出血 x", box=(11.0, 12.0, 13.0, 14.0)),
    )
    write_voc(annotated, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = reader.PascalVocReader(str(tmp_path / "Annotations" / "a.xml")).get_shapes()
    assert [(name, points[0], points[2], hard) for name, points, _, _, hard in shapes] == [
        ("haemorrhage", (1, 1), (100, 80), True),
        ("出血 x", (12, 13), (13, 14), False),
    ]
