from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fundoscope.geometry import Affine
from fundoscope.lesions import view
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.photo import field
from fundoscope.photo.decode import Photo, decode
from fundoscope.reading import FieldOfView, PhotoFacts

Draw = Callable[..., tuple[Photo, FieldOfView]]

RADIUS = 150.0
SPOT = ("hard_exudate", 0.4, -0.3, 0.05)
"""Kind, place and half side of a spot in field units."""


def spot_of(pixels: np.ndarray) -> np.ndarray:
    """x, y of the middle of the green spot."""
    rows, columns = np.nonzero(pixels[..., 1].astype(int) - pixels[..., 0] > 60)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def encoded(pixels: np.ndarray, **options: object) -> bytes:
    import io

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "photograph",
    [
        {},
        {"width": 1200, "height": 1000, "radius": 450.0},  # larger than the working scale
        {"width": 150, "height": 120, "radius": 55.0},  # smaller
        {"width": 480, "height": 260, "radius": 180.0},  # cut off above and below
        {"width": 300, "height": 400, "radius": 180.0},  # cut off left and right
        {"width": 320, "height": 400, "radius": 180.0, "stretch": 1.5},  # squashed
        {"width": 600, "height": 300, "radius": 140.0, "stretch": 0.6},  # drawn out
    ],
)
def test_the_same_place_on_the_retina_whatever_the_photograph(
    spotted: Draw, photograph: dict[str, float]
) -> None:
    photo, fov = spotted([SPOT], **photograph)
    made = view.make(photo, fov, RADIUS)
    wanted = np.array(made.centre) + RADIUS * np.array(SPOT[1:3])
    assert np.abs(spot_of(made.pixels) - wanted).max() < 1.0
    on_photo = fov.to_unit().inverse().point(*SPOT[1:3])
    assert made.to_view.point(*on_photo) == pytest.approx(tuple(wanted))
    # The spot is as large as it is on the retina, and a square again.
    side = 2 * SPOT[3] * RADIUS
    area = (made.pixels[..., 1].astype(int) - made.pixels[..., 0] > 60).sum()
    assert area == pytest.approx(side**2, rel=0.15)


@given(
    x=st.floats(-1, 1),
    y=st.floats(-1, 1),
    stretch=st.floats(0.5, 2),
    radius=st.floats(30, 3000),
    centre=st.tuples(st.floats(0, 300), st.floats(0, 200)),
)
def test_the_field_has_its_radius_and_centre_on_every_view(
    x: float, y: float, stretch: float, radius: float, centre: tuple[float, float]
) -> None:
    fov = FieldOfView(True, centre, radius, stretch)
    photo = Photo(PhotoFacts(None, "", 300, 200), np.zeros((200, 300, 3), np.uint8), Affine())
    made = view.make(photo, fov, RADIUS)
    here = np.array(made.to_view.point(*fov.to_unit().inverse().point(x, y)))
    assert here == pytest.approx(np.array(made.centre) + RADIUS * np.array([x, y]), abs=1e-6)
    height, width = made.pixels.shape[:2]
    assert max(height, width) <= 2 * RADIUS + 2


def test_a_view_holds_what_the_frame_and_the_field_share(spotted: Draw) -> None:
    whole = view.make(*spotted([]), RADIUS)
    assert whole.pixels.shape == (300, 300, 3)
    assert whole.centre == (150, 150)
    low = view.make(*spotted([], height=160, radius=100.0), RADIUS)
    assert low.pixels.shape == (240, 300, 3)
    assert low.centre == (150, 120)


def test_outside_of_the_frame_it_is_black(spotted: Draw) -> None:
    photo, fov = spotted([], width=301, height=301, radius=100.3)
    made = view.make(photo, fov, RADIUS)
    corners = made.pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.max() == 0


@pytest.mark.parametrize("stretch", [1.0, 1.5])
def test_a_jpeg_decoded_smaller_gives_the_same_view(stretch: float) -> None:
    spec = PhantomSpec(
        seed=3, width=round(960 / stretch), height=640, grade=2, shape=("full",), stretch=stretch
    )
    pixels, truth = draw(spec)
    content = encoded(pixels, quality=95, subsampling=0)
    whole, small = decode(content), decode(content, min_side=view.decode_side(RADIUS))
    assert small.pixels.shape[0] < whole.pixels.shape[0] / 1.5
    fov = FieldOfView(True, truth.field.centre, truth.field.radius, truth.field.stretch)
    one, other = (view.make(photo, fov, RADIUS) for photo in (whole, small))
    assert one.to_view == other.to_view
    assert one.pixels.shape == other.pixels.shape
    assert np.abs(one.pixels.astype(int) - other.pixels).mean() < 2.0


def test_it_is_never_decoded_smaller_than_the_field_finder_needs() -> None:
    assert view.decode_side(10.0) >= field.decode_side(0)


@given(radius=st.floats(100, 3000))
def test_little_is_enlarged_where_the_whole_disc_is_in_the_frame(radius: float) -> None:
    # The disc's diameter is at most the photograph's shorter side, which is decoded this large.
    assert 2 * radius / view.decode_side(radius) < 1.25


def test_without_a_field_there_is_no_view(spotted: Draw) -> None:
    photo, _ = spotted([])
    with pytest.raises(ValueError, match="no field of view"):
        view.make(photo, FieldOfView(False, reason="no_disc"), RADIUS)


def test_a_small_spot_keeps_its_contrast(spotted: Draw) -> None:
    # A microaneurysm of 4 pixels on the view, from a photograph three times as large.
    half = 2 / RADIUS
    photo, fov = spotted(
        [("hard_exudate", 0.1, 0.1, half)], width=1200, height=1000, radius=3 * RADIUS
    )
    made = view.make(photo, fov, RADIUS)
    assert made.pixels[..., 1].max() > 90 + 0.9 * (255 - 90)
    assert math.isclose(made.radius, RADIUS)
