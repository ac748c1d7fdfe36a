from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.geometry import Affine
from fundoscope.lesions import tiles
from fundoscope.lesions.view import View


def view_of(height: int, width: int, radius: float) -> View:
    """A view whose field lies in its middle; its pixels say where they are."""
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows % 256, columns % 256, np.full((height, width), 7)], axis=2)
    return View(pixels.astype(np.uint8), Affine(), (width / 2, height / 2), radius)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[View, int, int, int]:
    """A view, height and width of a tile, and the overlap."""
    radius = draw(st.integers(10, 200))
    height = draw(st.integers(10, 2 * radius))
    width = draw(st.integers(10, 2 * radius))
    overlap = draw(st.integers(0, 40))
    tile = st.integers(overlap + 8, 260)
    return view_of(height, width, radius), draw(tile), draw(tile), overlap


@given(layout=layouts())
def test_every_pixel_of_the_retina_is_on_a_tile(layout: tuple[View, int, int, int]) -> None:
    view, height, width, overlap = layout
    on_a_tile = np.zeros(view.pixels.shape[:2], bool)
    for x, y in tiles.lay(view, height, width, overlap):
        on_a_tile[y : y + height, x : x + width] = True
    rows, columns = np.mgrid[: on_a_tile.shape[0], : on_a_tile.shape[1]] + 0.5
    retina = np.hypot(columns - view.centre[0], rows - view.centre[1]) < view.radius
    assert on_a_tile[retina].all()


@given(layout=layouts())
def test_neighbours_overlap_enough_and_lie_on_the_view(
    layout: tuple[View, int, int, int],
) -> None:
    view, height, width, overlap = layout
    corners = tiles.lay(view, height, width, overlap)
    assert len(set(corners)) == len(corners)
    for axis, side in ((0, width), (1, height)):
        length = view.pixels.shape[1 - axis]
        starts = sorted({corner[axis] for corner in corners})
        assert all(later - start <= side - overlap for start, later in pairwise(starts))
        assert starts[0] >= 0
        assert starts[-1] + side <= max(length, side)


@given(layout=layouts(), step=st.sampled_from([1, 16, 32]))
def test_a_fitted_tile_is_no_larger_than_allowed_and_needs_no_more_tiles(
    layout: tuple[View, int, int, int], step: int
) -> None:
    view, height, width, overlap = layout
    largest = tuple(-(-side // step) * step for side in (height, width))
    fitted = tiles.fit(view, *largest, overlap, step)
    assert all(side <= most for side, most in zip(fitted, largest, strict=True))
    assert all(side % step == 0 for side in fitted)
    assert len(tiles.lay(view, *fitted, overlap)) <= len(tiles.lay(view, *largest, overlap)) + 0


def test_a_view_that_fits_into_one_tile_is_one_tile(
    blank_view: Callable[..., View],
) -> None:
    view = blank_view(100, 150)
    assert tiles.fit(view, 512, 512, 64, 32) == (128, 160)
    assert tiles.lay(view, 128, 160, 64) == [(0, 0)]


def test_a_view_of_the_usual_shape_is_four_tiles(blank_view: Callable[..., View]) -> None:
    view = blank_view(1780, 2130)
    size = tiles.fit(view, 1120, 1120, 64, 32)
    assert size == (928, 1120)
    assert tiles.lay(view, *size, 64) == [(0, 0), (1010, 0), (0, 852), (1010, 852)]


def test_tiles_beside_the_retina_are_left_out() -> None:
    # A disc in a square of 4 x 4 tiles: those in the corners see nothing of it.
    view = view_of(400, 400, 200.0)
    corners = tiles.lay(view, 100, 100, 0)
    assert len(corners) == 16
    small = View(view.pixels, Affine(), view.centre, 140.0)
    assert set(corners) - set(tiles.lay(small, 100, 100, 0)) == {
        (0, 0),
        (300, 0),
        (0, 300),
        (300, 300),
    }


@given(layout=layouts())
def test_a_cut_tile_shows_the_view_and_is_black_beyond(layout: tuple[View, int, int, int]) -> None:
    view, height, width, overlap = layout
    for x, y in tiles.lay(view, height, width, overlap):
        tile = tiles.cut(view, (x, y), height, width)
        assert tile.shape == (height, width, 3)
        shown = view.pixels[y : y + height, x : x + width]
        rows, columns = shown.shape[:2]
        assert (tile[:rows, :columns] == shown).all()
        assert tile[rows:].max(initial=0) == tile[:, columns:].max(initial=0) == 0
