"""What of a photograph a grader gets: nothing is stretched unless it was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope import phantom
from fundoscope.grading import inputs
from fundoscope.grading.inputs import CROP, KINDS, NATIVE, NATIVE_STEP, SQUASH, Input
from fundoscope.phantom import PhantomSpec
from fundoscope.photo import decode, field
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView


@pytest.fixture(scope="module")
def eye() -> tuple[Photo, FieldOfView]:
    photo = decode.from_array(phantom.draw(PhantomSpec(seed=3, width=480, height=320))[0])
    view = field.find(photo)
    assert view.found
    return photo, view


@pytest.mark.parametrize(
    ("wanted", "shape"),
    [
        (Input(CROP, 64, 64), (64, 64, 3)),
        (Input(SQUASH, 50, 90), (50, 90, 3)),
        (Input(SQUASH, 90, 50), (90, 50, 3)),
        (Input(NATIVE, 160, 160), (128, 192, 3)),
    ],
)
def test_each_kind_has_its_shape(
    eye: tuple[Photo, FieldOfView], wanted: Input, shape: tuple[int, ...]
) -> None:
    made = inputs.make(*eye, wanted)
    assert made.shape == shape
    assert made.dtype == np.uint8
    assert made.shape[:2] == wanted.shape(eye[0].facts.height, eye[0].facts.width)


def disc_shape(pixels: np.ndarray) -> float:
    """Width over height of what is lit."""
    rows, columns = np.nonzero(pixels.max(axis=2) > 30)
    return float((np.ptp(columns) + 1) / (np.ptp(rows) + 1))


def test_only_a_squashed_disc_is_stretched(eye: tuple[Photo, FieldOfView]) -> None:
    whole = disc_shape(eye[0].pixels)
    assert disc_shape(inputs.make(*eye, Input(NATIVE, 160, 160))) == pytest.approx(whole, rel=0.04)
    squashed = disc_shape(inputs.make(*eye, Input(SQUASH, 200, 200)))
    assert squashed == pytest.approx(whole * 320 / 480, rel=0.04)


def test_resizing_averages(eye: tuple[Photo, FieldOfView]) -> None:
    photo, _ = eye
    small = inputs.make(*eye, Input(SQUASH, 20, 30))
    assert np.abs(small.mean(axis=(0, 1)) - photo.pixels.mean(axis=(0, 1))).max() < 2


@given(st.integers(200, 4000), st.floats(0.67, 1.5), st.integers(40_000, 400_000))
def test_a_native_input_keeps_shape_and_area(height: int, aspect: float, area: int) -> None:
    width = round(height * aspect)
    side = round(area**0.5)
    rows, columns = Input(NATIVE, side, side).shape(height, width)
    assert columns / rows == pytest.approx(width / height, rel=0.05)
    assert rows * columns == pytest.approx(side * side, rel=0.05)
    assert rows % NATIVE_STEP == columns % NATIVE_STEP == 0


@pytest.mark.parametrize(("height", "width"), [(2848, 4288), (2000, 3000), (480, 640), (512, 512)])
def test_shapes_of_cameras_move_by_4_per_cent_at_most(height: int, width: int) -> None:
    rows, columns = Input(NATIVE, 200, 300).shape(height, width)
    assert columns / rows == pytest.approx(width / height, rel=0.04)


def test_photographs_of_one_shape_have_one_input() -> None:
    wanted = Input(NATIVE, 200, 300)
    assert wanted.shape(2000, 3000) == wanted.shape(1000, 1500) == wanted.shape(2848, 4288)


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from(KINDS))
def test_any_photograph_has_an_input(height: int, width: int, kind: str) -> None:
    rows, columns = Input(kind, 200, 300).shape(height, width)
    assert min(rows, columns) >= 1


def test_more_is_decoded_than_the_input_holds() -> None:
    assert Input(NATIVE, 200, 300).decode_side == field.decode_side(300)
