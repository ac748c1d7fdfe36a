"""Masks are written, and read again as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Mask,
)
from fundoscope.data.annotations.masks.components import components
from fundoscope.data.annotations.masks.read import read_masks
from fundoscope.data.annotations.masks.write import write_masks
from fundoscope.errors import OutputError, UsageError

from .drawn import HEIGHT, TWO, WIDTH, Pixels, blob, boxes


def photo(*items: Annotation, image: str = "a.jpg", source: str = "") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=WIDTH, height=HEIGHT, annotations=items, source=source)


def of_mask(kind: str, pixels: Pixels) -> Annotation:
    mask = Mask.of(pixels)
    return Annotation(kind=kind, box=mask.box, mask=mask)


def test_masks_come_back_as_they_were(tmp_path: Path) -> None:
    items = (
        of_mask("microaneurysm", blob((1, 1), (2, 2))),
        of_mask("microaneurysm", blob((7, 7))),
        of_mask("optic_disc", blob((0, 0))),
        of_mask("a/b: 新_x", blob((5, 5))),
    )
    marked = AnnotationSet(
        photos=(
            photo(*items, image="sub/a b.jpg", source="IDRiD"),
            photo(image="sub/照片.png"),
            photo(items[0], image="x.png"),
            photo(items[1], image="x.tif"),
        ),
        kinds=("microaneurysm", "optic_disc", "a/b: 新_x"),
        splits={"train": ("sub/a b.jpg", "x.png"), "trainval": ("sub/a b.jpg",)},
    )
    assert write_masks(marked, tmp_path / "out") == ()
    assert read_masks(tmp_path / "out") == marked
    written = {path.name for path in (tmp_path / "out").rglob("*.png")}
    assert {"a b_MA.png", "a b_OD.png", "x.png_MA.png", "x.tif_MA.png"} < written
    with Image.open(tmp_path / "out" / "sub" / "a b_MA.png") as image:
        assert (image.mode, image.size) == ("1", (WIDTH, HEIGHT))
    assert list((tmp_path / "out").rglob(".*")) == []


def test_masks_from_outlines_and_boxes_tell_what_is_lost(tmp_path: Path) -> None:
    outline = ((1.0, 1.0), (4.0, 1.0), (4.0, 4.0), (1.0, 4.0))
    marked = AnnotationSet(
        photos=(
            photo(
                Annotation(kind="irma", box=(1, 1, 4, 4), outlines=(outline,)),
                Annotation(kind="irma", box=(6.2, 1, 8, 2.5), score=0.5),
                Annotation(kind="irma", box=(50, 50, 60, 60)),
                Annotation(kind="irma", box=(2, 4, 3, 5)),
                of_mask("fovea", blob((0, 0), (5, 5))),
            ),
        )
    )
    reported = {loss.what: loss.count for loss in write_masks(marked, tmp_path)}
    assert reported == {
        "sub-pixel boxes": 1,
        "outlines": 1,
        "score": 1,
        "objects outside the photograph": 1,
        "objects that touch others of their class": 2,
        "objects in several pieces": 1,
    }
    again = read_masks(tmp_path)
    assert [(kind, box) for _, kind, box in boxes(again)] == [
        ("irma", (1.0, 1.0, 4.0, 5.0)),
        ("irma", (6.0, 1.0, 8.0, 2.0)),
        ("fovea", (0.0, 0.0, 1.0, 1.0)),
        ("fovea", (5.0, 5.0, 6.0, 6.0)),
    ]


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    marked = AnnotationSet(photos=(photo(of_mask("irma", TWO)),))
    write_masks(marked, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match="exists already"):
        write_masks(AnnotationSet(photos=(photo(image="b.jpg"),)), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    write_masks(AnnotationSet(photos=(photo(image="b.jpg"),)), tmp_path, overwrite=True)
    assert [each.image for each in read_masks(tmp_path).photos] == ["b.jpg"]


@pytest.mark.parametrize("size", [(0, 9), (9, 0), (20_000, 9), (16_000, 16_000)])
def test_a_photograph_of_unknown_or_impossible_size(size: tuple[int, int], tmp_path: Path) -> None:
    nameless = AnnotatedPhoto(image="a.jpg", width=size[0], height=size[1])
    with pytest.raises(UsageError, match="as its annotations say"):
        write_masks(AnnotationSet(photos=(nameless,)), tmp_path / "out")
    assert not any(tmp_path.rglob("*"))


def test_a_name_that_climbs_out_of_the_folder_stays_in_it(tmp_path: Path) -> None:
    marked = AnnotationSet(photos=(photo(of_mask("irma", TWO), image="../../x.jpg"),))
    write_masks(marked, tmp_path / "deep" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert (tmp_path / "deep" / "out" / "x_irma.png").is_file()


@settings(max_examples=25, deadline=None)
@given(layers=st.lists(arrays(np.bool_, (HEIGHT, WIDTH)), min_size=1, max_size=3))
def test_any_masks_there_and_back(
    layers: list[Pixels], tmp_path_factory: pytest.TempPathFactory
) -> None:
    kinds = ("microaneurysm", "haemorrhage", "hard_exudate")
    items = [
        Annotation(kind=kind, box=mask.box, mask=mask)
        for kind, pixels in zip(kinds, layers, strict=False)
        for mask in components(pixels).objects
    ]
    there = tuple(kind for kind in kinds if any(item.kind == kind for item in items))
    marked = AnnotationSet(photos=(photo(*items),), kinds=there)
    out = tmp_path_factory.mktemp("masks")
    assert write_masks(marked, out) == ()
    assert read_masks(out) == marked
