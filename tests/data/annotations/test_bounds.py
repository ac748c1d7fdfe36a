"""What annotations may ask for is bounded by what their files explain."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fundoscope import limits
from fundoscope.data.annotations import formats
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet, Mask
from fundoscope.data.annotations.documents import read_lines
from fundoscope.data.annotations.labelstudio import brush
from fundoscope.data.annotations.masks.components import _labels_in, components
from fundoscope.errors import FundoscopeError, TableError, UsageError

SIDE = 1_200


def coco(**item: Any) -> bytes:
    image = {"id": 1, "file_name": "a.jpg", "width": SIDE, "height": SIDE}
    each = {"id": 1, "image_id": 1, "category_id": 1} | item
    listed = {"images": [image], "categories": [{"id": 1, "name": "MA"}], "annotations": [each]}
    return json.dumps(listed).encode()


MASK = {"size": [SIDE, SIDE], "counts": [0, SIDE * SIDE]}
CVAT = (
    '<annotations><image id="0" name="a.jpg" width="1200" height="1200"><mask label="MA" left="0"'
    f' top="0" width="{SIDE}" height="{SIDE}" rle="0, {SIDE * SIDE}"/></image></annotations>'
).encode()


def stroke() -> bytes:
    code = brush.encode(Mask(0, 0, np.ones((SIDE, SIDE), bool)), SIDE, SIDE)
    value = {"format": "rle", "rle": code, "brushlabels": ["MA"]}
    result = {"id": "r", "type": "x", "original_width": SIDE, "original_height": SIDE}
    works = [{"id": 7, "result": [result | {"value": value}], "was_cancelled": False}]
    return json.dumps([{"id": 1, "data": {"image": "/a.png"}, "annotations": works}]).encode()


@pytest.mark.parametrize(
    ("form", "data"),
    [("coco", coco(segmentation=MASK)), ("cvat", CVAT), ("labelstudio", stroke())],
)
def test_masks_that_a_small_file_does_not_explain(
    form: str, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(data)
    assert formats.read(tmp_path / "a", form=form).photos[0].annotations
    monkeypatch.setattr(limits, "MASKS_FREE_PIXELS", SIDE * SIDE - 1)
    monkeypatch.setattr(limits, "MASK_PIXELS_A_BYTE", 1)
    with pytest.raises(TableError, match="far too many pixels"):
        formats.read(tmp_path / "a", form=form)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("coco", coco(segmentation=[[1, 1, 5, 1, 5, 5]])),
        ("cvat", CVAT.replace(b"<mask", b'<polygon points="1,1;5,1;5,5" label="MA"/><mask')),
        (
            "voc",
            b"<annotation><filename>a.jpg</filename><size><width>9</width><height>9</height></size>"
            b"<object><name>MA</name><polygon><x1>1</x1><y1>1</y1><x2>5</x2><y2>1</y2><x3>5</x3>"
            b"<y3>5</y3></polygon></object></annotation>",
        ),
    ],
)
def test_corners_are_bounded(
    form: str, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.xml").write_bytes(data)
    assert formats.read(tmp_path / "a.xml", form=form).photos[0].annotations
    monkeypatch.setattr(limits, "MAX_CORNERS", 2)
    with pytest.raises(TableError, match="corners"):
        formats.read(tmp_path / "a.xml", form=form)


def test_tags_and_values_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.xml").write_bytes(CVAT)
    monkeypatch.setattr(limits, "MAX_XML_TAGS", 5)
    with pytest.raises(TableError, match="tags, more than 5"):
        formats.read(tmp_path / "a.xml", form="cvat")
    (tmp_path / "a.json").write_bytes(coco(bbox=[1, 1, 2, 2]))
    monkeypatch.setattr(limits, "MAX_JSON_VALUES", 5)
    with pytest.raises(TableError, match="more than 5 values"):
        formats.read(tmp_path / "a.json", form="coco")


def test_the_area_that_becomes_masks_is_bounded(tmp_path: Path) -> None:
    whole = Annotation(kind="irma", box=(0.0, 0.0, 9_000.0, 8_000.0))
    photo = AnnotatedPhoto(image="a.jpg", width=9_000, height=8_000, annotations=(whole,) * 9)
    with pytest.raises(UsageError, match="objects of 648 million pixels together"):
        formats.write(AnnotationSet(photos=(photo,)), tmp_path / "out", "masks")


def test_parts_of_a_mask_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MASK_OBJECTS", 2)
    pixels = np.zeros((9, 9), bool)
    pixels[::4, ::4] = True
    with pytest.raises(TableError, match=r"a\.png: has 9 separate parts, more than 2"):
        components(pixels, where="a.png")


def test_labels_of_a_large_mask_are_those_of_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.arange(600 * 9, dtype=np.int32).reshape(600, 9) // 50
    mask = Mask(2, 3, np.ones((590, 5), bool))
    small = _labels_in(mask, labels, int(labels.max()))
    monkeypatch.setattr("fundoscope.data.annotations.masks.components.SMALL", 0)
    assert np.array_equal(_labels_in(mask, labels, int(labels.max())), small)


@pytest.mark.parametrize(
    "text", ["names:\n" + "- a\n" * 6_000, "names: [" + "a, " * 300_000 + "]", "names: [\n" * 6_000]
)
def test_a_large_data_yaml_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(TableError, match="too large for names"):
        formats.read(tmp_path / "data.yaml", form="yolo")


@pytest.mark.parametrize("text", ["a" + " " * 400_000, "names: [a" + " " * 400_000 + "["])
def test_blanks_of_a_data_yaml_take_linear_time(text: str, tmp_path: Path) -> None:
    """In quadratic time, this would take minutes."""
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(TableError):
        formats.read(tmp_path / "data.yaml", form="yolo")


def test_a_run_of_more_than_64_bits(tmp_path: Path) -> None:
    """Case coco:703 of ``bench/mutated.py``."""
    runs = {"size": [SIDE, SIDE], "counts": [2**70]}
    (tmp_path / "a.json").write_bytes(coco(segmentation=runs))
    with pytest.raises(TableError, match="more pixels than any photograph"):
        formats.read(tmp_path / "a.json", form="coco")


def test_a_corner_that_percent_cannot_hold(tmp_path: Path) -> None:
    """Case voc:335 of ``bench/mutated.py``."""
    outline = ((9e8, 1.0), (9.0, 1.0), (9.0, 9.0))
    item = Annotation(kind="irma", box=(9.0, 1.0, 9e8, 9.0), outlines=(outline,))
    photo = AnnotatedPhoto(image="a.jpg", width=64, height=48, annotations=(item,))
    with pytest.raises(UsageError, match=r"a\.jpg, object 1: cannot be given in percent"):
        formats.write(AnnotationSet(photos=(photo,)), tmp_path / "out.json", "labelstudio")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("form", ["coco", "voc", "cvat", "labelstudio"])
def test_a_pipe_is_not_waited_for(form: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(FundoscopeError, match="Not a regular file"):
        formats.read(tmp_path / "pipe.json", form=form)
    with pytest.raises(TableError, match="Not a regular file"):
        read_lines(tmp_path / "pipe.json")
    with pytest.raises(TableError, match="Is a directory"):
        read_lines(tmp_path)
