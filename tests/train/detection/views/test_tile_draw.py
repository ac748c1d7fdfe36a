"""Tiles of a detector's training: every box lies on the pixels that it lay on before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.geometry import Affine
from fundoscope.lesions.view import View
from fundoscope.train.detection.config import Draw
from fundoscope.train.detection.views import tile_draw
from fundoscope.train.detection.views.tile_draw import Drawer
from fundoscope.train.detection.views.view import AnnotatedView

KINDS = ("haemorrhage", "hard_exudate", "optic_disc")
HALF = 128


def view_of(boxes, labels=None, height=300, width=400, radius=210.0):
    """A black view with white boxes."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[y0:y1, x0:x1] = 255
    shown = View(pixels, Affine(), (width / 2, height / 2), radius)
    return AnnotatedView(
        Path("a.png"),
        np.array(boxes, float).reshape(-1, 4),
        np.array(labels if labels is not None else [1] * len(boxes), np.int64),
        lambda: shown,
    )


def bright_part(pixels):
    """The box around what is brighter than half."""
    rows, columns = np.nonzero(pixels[..., 0] >= HALF)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


boxes_in_view = st.tuples(
    st.integers(0, 370), st.integers(0, 270), st.integers(8, 120), st.integers(8, 120)
).map(lambda b: (b[0], b[1], min(400, b[0] + b[2]), min(300, b[1] + b[3])))


@given(
    box=boxes_in_view,
    seed=st.integers(0, 10**6),
    size=st.sampled_from([(128, 128), (96, 160), (360, 360), (64, 500)]),
    scale=st.sampled_from([0.0, 0.2, 1.0]),
)
def test_a_box_stays_on_its_pixels(box, seed, size, scale):
    """Whatever is mirrored, turned, enlarged, cut by the tile's edge, or larger than the view."""
    drawer = Drawer([view_of([box])], KINDS, size, Draw(anywhere=0.0, scale=scale))
    tile = drawer.draw(np.random.default_rng(seed))
    pixels, boxes, labels = tile.pixels, tile.boxes, tile.labels
    assert pixels.shape == (*size, 3)
    assert pixels.dtype == np.uint8
    assert boxes.shape == (len(labels), 4)
    if len(labels):
        # Bicubic edges are a pixel wide, and an enlarged pixel is up to two.
        assert np.abs(boxes[0] - bright_part(pixels)).max() <= 1.0 + scale
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, 2:] <= size[::-1]).all()


def test_every_turn_and_mirror_image_occurs_and_only_on_request():
    view = view_of([(150, 100, 190, 110)])  # an oblong: turned by a quarter it stands upright
    view.pixels[100:110, 150:160] = 160  # and its left end is darker

    def seen(turns):
        drawer = Drawer([view], KINDS, (128, 128), Draw(anywhere=0.0, scale=0.0, turns=turns))
        random, result = np.random.default_rng(1), set()
        for _ in range(120):
            tile = drawer.draw(random)
            pixels, boxes = tile.pixels, tile.boxes
            x0, y0, x1, y1 = boxes[0].round().astype(int) if len(boxes) else np.zeros(4, int)
            part = pixels[y0:y1, x0:x1, 0].astype(int)
            if part.size == 400:  # not cut by the tile's edge
                upright = part.shape[0] > part.shape[1]
                line = part.mean(axis=1) if upright else part.mean(axis=0)
                result.add((upright, bool(line[:10].mean() < line[-10:].mean())))
        return result

    assert seen(turns=False) == {(False, True)}
    assert seen(turns=True) == {(u, d) for u in (False, True) for d in (False, True)}


def test_an_oblong_tile_is_never_turned_by_a_quarter():
    drawer = Drawer([view_of([(150, 100, 190, 110)])], KINDS, (96, 160), Draw(anywhere=0.0))
    random = np.random.default_rng(2)
    for _ in range(50):
        boxes = drawer.draw(random).boxes
        sides = boxes[:, 2:] - boxes[:, :2]
        assert (sides[:, 0] > sides[:, 1]).all()


def test_a_view_smaller_than_the_tile_is_shown_whole_with_black_around():
    drawer = Drawer(
        [view_of([(10, 20, 60, 50)], height=80, width=90, radius=60)],
        KINDS, (128, 128), Draw(anywhere=0.0, scale=0.0, turns=False),
    )  # fmt: skip
    tile = drawer.draw(np.random.default_rng(0))
    pixels, boxes = tile.pixels, tile.boxes
    assert boxes[0].tolist() == [29, 44, 79, 74]  # 19 columns and 24 rows of black in front
    assert (pixels[44:74, 29:79] == 255).all()
    assert pixels.sum() == 30 * 50 * 3 * 255


def test_a_tile_does_not_reach_beyond_a_larger_view():
    view = view_of([(0, 0, 12, 12), (388, 288, 400, 300)])
    view.pixels[:] = np.maximum(view.pixels, 40)
    drawer = Drawer([view], KINDS, (128, 128), Draw(anywhere=0.3, scale=0.0))
    random = np.random.default_rng(3)
    assert all(drawer.draw(random).pixels.min() > 0 for _ in range(50))


def test_kinds_are_due_alike_however_many_boxes_they_have():
    """A hundred exudates on one photograph, one haemorrhage on another, and a disc on both."""
    many = [(x, y, x + 4, y + 4) for x in range(100, 200, 10) for y in range(100, 200, 10)]
    first = view_of([*many, (300, 40, 340, 80)], [2] * 100 + [3])
    second = view_of([(200, 200, 220, 220), (300, 40, 340, 80)], [1, 3])
    drawer = Drawer([first, second], KINDS, (128, 128), Draw(anywhere=0.0, anatomy=0.25))
    assert drawer.due.tolist() == pytest.approx([1 / 2.25, 1 / 2.25, 0.25 / 2.25])
    random = np.random.default_rng(4)
    having = np.zeros(4)
    for _ in range(300):
        having[np.unique(drawer.draw(random).labels)] += 1
    assert 100 < having[1] < 190
    assert 100 < having[2] < 190
    assert having[3] > 15


def test_tiles_anywhere_show_photographs_without_a_lesion_too():
    drawer = Drawer(
        [view_of([(150, 100, 170, 120)]), view_of([])], KINDS, (64, 64), Draw(anywhere=1.0)
    )
    random = np.random.default_rng(5)
    counts = [len(drawer.draw(random).labels) for _ in range(60)]
    assert counts.count(0) > 30
    middle = [tile_draw._on_retina(drawer.views[0].view, random) for _ in range(200)]
    assert all(np.hypot(x - 200, y - 150) <= 210 for x, y in middle)


def test_tiles_lie_around_what_an_earlier_detector_found():
    mined = np.array([[20, 20, 40, 40, 0.9], [340, 240, 360, 260, 0.1]], float)
    found = replace(view_of([(20, 20, 40, 40)], labels=[]), boxes=np.zeros((0, 4)), mined=mined)
    drawer = Drawer([view_of([]), found], KINDS, (64, 64), Draw(scale=0.0), around=1.0)
    random = np.random.default_rng(6)
    shown = [bool(drawer.draw(random).pixels.max() >= HALF) for _ in range(200)]
    assert 160 < sum(shown) < 200
    never = Drawer([view_of([]), found], KINDS, (64, 64), Draw(anywhere=1.0), around=0.0)
    assert sum(never.draw(random).pixels.max() >= HALF for _ in range(100)) < 30


@pytest.mark.parametrize(
    ("kinds", "anatomy"), [(KINDS, 0.0), (("optic_disc",), 0.0), (("optic_disc",), 0.25)]
)
def test_landmarks_alone_or_never_due(kinds, anatomy):
    label = kinds.index("optic_disc") + 1
    drawer = Drawer(
        [view_of([(150, 100, 190, 140)], [label])], kinds, (64, 64), Draw(anatomy=anatomy)
    )
    random = np.random.default_rng(6)
    assert drawer.draw(random).pixels.shape == (64, 64, 3)


def test_what_is_mostly_cut_off_or_too_small_is_no_box():
    view = view_of([(100, 100, 200, 120)])
    whole, start = view.boxes[0], (150.0, 50.0)
    size = (128, 128)
    boxes, labels = tile_draw._clipped(view, start, 1.0, size)
    assert boxes.tolist() == [[0, 50, 50, 70]]  # half of it is on the tile
    assert len(tile_draw._clipped(view, (whole[2] - 20, 50.0), 1.0, size)[1]) == 0
    assert len(tile_draw._clipped(view, start, 0.09, size)[1]) == 0  # 9 x 1.8 pixels
    assert labels.tolist() == [1]


def test_the_same_seed_draws_the_same():
    drawer = Drawer([view_of([(150, 100, 190, 140)])], KINDS, (64, 64), Draw())
    first, second = (drawer.draw(np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.boxes, second.boxes)
    assert np.array_equal(first.labels, second.labels)
