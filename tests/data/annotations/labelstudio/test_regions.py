"""Label Studio's regions, in percent of the photograph, to pixels."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    Mask,
)
from fundoscope.data.annotations.labelstudio import brush
from fundoscope.data.annotations.labelstudio.document import Value
from fundoscope.data.annotations.labelstudio.regions import shape

from .exports import HEIGHT, WIDTH, of_value, only, region


def test_a_rectangle(tmp_path: Path) -> None:
    item = only(tmp_path, region())
    assert item == Annotation(kind="microaneurysm", box=(20.0, 10.0, 30.0, 30.0), author="1")


def test_a_box_drawn_on_whole_pixels_comes_back_whole_from_doubles(tmp_path: Path) -> None:
    value = {
        "x": 2677 / 4288 * 100,
        "y": 291 / 2848 * 100,
        "width": 16 / 4288 * 100,
        "height": 14 / 2848 * 100,
        "rectanglelabels": ["MA"],
    }
    item = only(tmp_path, region(value=value, original_width=4288, original_height=2848))
    assert item.box == (2677.0, 291.0, 2693.0, 305.0)


def test_a_rectangle_drawn_backwards_is_put_in_order(tmp_path: Path) -> None:
    value = {"x": 15.0, "y": 30.0, "width": -5.0, "height": -20.0, "rectanglelabels": ["MA"]}
    assert only(tmp_path, region(value=value)).box == (20.0, 10.0, 30.0, 30.0)


def test_a_turned_rectangle_turns_about_its_corner_in_pixels_not_in_percent(tmp_path: Path) -> None:
    value = {**region()["value"], "x": 50.0, "y": 50.0, "rotation": 90}
    item = only(tmp_path, region(value=value))
    # 10 x 20 pixels at (100, 50), a quarter clockwise: to the left, and down.
    assert item.box == (80.0, 50.0, 100.0, 60.0)
    assert item.outlines == (((100.0, 50.0), (100.0, 60.0), (80.0, 60.0), (80.0, 50.0)),)


def test_turning_the_view_moves_nothing(tmp_path: Path) -> None:
    assert only(tmp_path, region(image_rotation=90)).box == (20.0, 10.0, 30.0, 30.0)


def test_an_ellipse(tmp_path: Path) -> None:
    item = only(tmp_path, of_value("ellipselabels", x=50, y=50, radiusX=10, radiusY=10, rotation=0))
    assert item.box == (80.0, 40.0, 120.0, 60.0)
    assert all(
        math.hypot((x - 100) / 20, (y - 50) / 10) == pytest.approx(1.0) for x, y in item.outlines[0]
    )


def test_a_polygon(tmp_path: Path) -> None:
    points = [[10, 10], [20.5, 10], [20.5, 33.3]]
    item = only(tmp_path, of_value("polygonlabels", points=points, closed=True))
    assert item.outlines == (((20.0, 10.0), (41.0, 10.0), (41.0, 33.3)),)
    assert item.box == (20.0, 10.0, 41.0, 33.3)


def test_a_polygon_of_two_corners_keeps_its_box_alone(tmp_path: Path) -> None:
    item = only(tmp_path, of_value("polygonlabels", points=[[10, 10], [20, 20]]))
    assert (item.outlines, item.box) == ((), (20.0, 10.0, 40.0, 20.0))


def test_brush_strokes(tmp_path: Path) -> None:
    mask = Mask.of(np.eye(4, dtype=bool), 7, 8)
    rle = brush.encode(mask, WIDTH, HEIGHT)
    item = only(tmp_path, of_value("brushlabels", format="rle", rle=rle))
    assert (item.mask, item.box) == (mask, (7.0, 8.0, 11.0, 12.0))


def test_values_that_are_no_region_have_no_shape() -> None:
    for text in (b"{}", b'{"x": 1, "y": 1}', b'{"x": 1, "y": 1, "width": 1}'):
        assert shape(msgspec.json.decode(text, type=Value), (9, 9)) is None


def photo(*items: Annotation, image: str = "a.jpg", source: str = "") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=WIDTH, height=HEIGHT, annotations=items, source=source)
