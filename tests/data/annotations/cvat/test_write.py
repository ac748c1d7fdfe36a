"""CVAT's XML for images is written, and read again as it was."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
)
from fundoscope.data.annotations.cvat.read import read_cvat
from fundoscope.data.annotations.cvat.write import write_cvat
from fundoscope.data.annotations.shapes import extent
from fundoscope.errors import OutputError


def photo(*items: Annotation, image: str = "a.jpg") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=200, height=100, annotations=items)


PIXELS = np.array([[1, 0, 0], [0, 1, 1]], dtype=bool)


TRIANGLE = ((1.0, 1.0), (9.1, 1.5), (4.0, 8.25))


ITEMS = (
    Annotation(kind="microaneurysm", box=(0.1, 1 / 3, 2.7, 1e3 / 7), score=0.1, author="模型 <1>"),
    Annotation(kind='a "b" & c', box=(1, 2, 3, 4), difficult=True, author="A"),
    Annotation(kind="irma", box=(1.0, 1.0, 9.1, 8.25), outlines=(TRIANGLE,)),
    Annotation(
        kind="irma",
        box=Mask.of(PIXELS, 7, 8).box,
        mask=Mask.of(PIXELS, 7, 8),
        attributes={"occluded": "1", "z_order": "-2", "source": "semi-auto", "x\ny": "1\r\n<2>"},
    ),
    Annotation(kind="irma", box=(0, 0, 1, 1), attributes={"occluded": "0", "source": "COCO"}),
)


def test_everything_that_cvat_holds_comes_back(tmp_path: Path) -> None:
    annotated = AnnotationSet(
        photos=(photo(*ITEMS, image="sub/a 眼.jpg"), photo(image="z.jpg")),
        kinds=("irma", "microaneurysm", 'a "b" & c', "laser_scar"),
        splits={"train": ("z.jpg",)},
    )
    assert write_cvat(annotated, tmp_path) == ()
    assert read_cvat(tmp_path) == annotated
    root = ET.parse(tmp_path / "annotations.xml").getroot()
    assert [label.text for label in root.iterfind("meta/task/labels/label/name")] == list(
        annotated.kinds
    )
    assert root.findtext("version") == "1.1"
    shapes = root.findall("image")[0]
    assert [shape.tag for shape in shapes] == ["box", "box", "polygon", "mask", "box"]
    for shape in shapes:
        # What CVAT's own reader asks of every shape.
        assert shape.get("occluded") in ("0", "1")
        assert int(shape.get("z_order", "")) in (0, -2)


def test_cvats_own_rules_read_our_masks_to_the_same_pixels(tmp_path: Path) -> None:
    annotated = AnnotationSet(photos=(photo(ITEMS[3]),))
    write_cvat(annotated, tmp_path / "one.xml")
    shape = ET.parse(tmp_path / "one.xml").getroot().find("image/mask")
    assert shape is not None
    left, top, width, height = (
        int(shape.attrib[key]) for key in ("left", "top", "width", "height")
    )
    flat = np.zeros(width * height, dtype=bool)
    value, place = False, 0
    for length in map(int, shape.attrib["rle"].split(",")):
        flat[place : place + length] = value
        value, place = not value, place + length
    assert place == width * height
    assert Mask.of(flat.reshape(height, width), left, top) == ITEMS[3].mask


def test_what_cvat_cannot_hold_is_reported(tmp_path: Path) -> None:
    other = Annotation(kind="irma", box=(0, 0, 5, 5), outlines=(TRIANGLE,))
    two = Annotation(
        kind="irma",
        box=(1, 1, 9, 9),
        outlines=(((1.0, 1.0), (4.0, 1.0), (1.0, 4.0)), ((5.0, 5.0), (9.0, 5.0), (9.0, 9.0))),
    )
    both = Annotation(kind="irma", box=(7, 8, 10, 10), outlines=(TRIANGLE,), mask=ITEMS[3].mask)
    named = Annotation(kind="irma", box=(0, 0, 1, 1), attributes={"score": "high"})
    annotated = AnnotationSet(
        photos=(
            AnnotatedPhoto(
                image="a.jpg",
                width=20,
                height=20,
                annotations=(other, two, both, named),
                source="IDRiD",
            ),
        ),
        splits={"train": ("a.jpg",), "trainval": ("a.jpg",)},
        kinds=("irma",),
    )
    assert write_cvat(annotated, tmp_path) == (
        Loss("source", 1),
        Loss("splits", 1),
        Loss("outlines", 2),
        Loss("attributes", 1),
        Loss("boxes other than around their outline or mask", 1),
    )
    again = read_cvat(tmp_path)
    assert again.splits == {"train": ("a.jpg",)}
    kept = again.photos[0].annotations
    assert [item.mask is not None for item in kept] == [False, True, True, False]
    assert kept[0].box == extent([TRIANGLE])
    assert kept[3].attributes == {}


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    annotated = AnnotationSet(photos=(photo(),))
    write_cvat(annotated, tmp_path)
    with pytest.raises(OutputError, match="exists already"):
        write_cvat(annotated, tmp_path)
    write_cvat(annotated, tmp_path, overwrite=True)


number = st.floats(-1e4, 1e4, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-9)


@settings(max_examples=50, deadline=None)
@given(
    corners=st.tuples(number, number, number, number),
    score=st.none() | st.floats(0, 1),
    text=st.text(
        st.characters(
            codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"
        ),
        min_size=1,
    ),
)
def test_any_box_comes_back_as_it_was(
    corners: tuple[float, float, float, float],
    score: float | None,
    text: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    x0, y0, x1, y1 = corners
    box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    item = Annotation(kind="irma", box=box, score=score, author=text, attributes={text: text})
    annotated = AnnotationSet(photos=(photo(item),), kinds=("irma",))
    out = tmp_path_factory.mktemp("cvat")
    losses = write_cvat(annotated, out)
    if not losses:
        assert read_cvat(out) == annotated
