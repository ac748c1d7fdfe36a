from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fundoscope.photo import decode, field, retina
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView

RETINA = np.array([190.0, 95.0, 45.0])


def eye(
    width: int,
    height: int,
    centre: tuple[float, float],
    radius: float,
    *,
    stretch: float = 1.0,
    border: tuple[int, int, int] = (0, 0, 0),
    noise: float = 2.0,
    bright: float = 1.0,
) -> NDArray[np.uint8]:
    """A plain disc of the colour of retina, with noise and darker towards its rim."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width] + 0.5
    distance = np.hypot((x - centre[0]) * stretch, y - centre[1]) / radius
    soft = np.clip((1 - distance) * radius + 0.5, 0, 1)[..., None]
    lit = RETINA * bright * (1 - 0.3 * distance[..., None] ** 2)
    picture = soft * lit + (1 - soft) * np.array(border)
    picture += rng.normal(0, noise, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def located(pixels: NDArray[np.uint8]) -> FieldOfView:
    return field.locate(decode.from_array(pixels))


def close(found: FieldOfView, centre: tuple[float, float], radius: float) -> bool:
    """Within 2 % of the radius, the target that the finder is held to."""
    assert found.centre is not None
    assert found.radius is not None
    off = np.hypot(found.centre[0] - centre[0], found.centre[1] - centre[1])
    return bool(off < 0.02 * radius and abs(found.radius - radius) < 0.02 * radius)


@pytest.mark.parametrize(
    ("width", "height", "centre", "radius"),
    [
        (700, 600, (350.0, 300.0), 250.0),  # a full circle
        (900, 600, (440.0, 310.0), 360.0),  # cut off at top and bottom
        (600, 600, (300.0, 300.0), 330.0),  # all four sides cut off
        (565, 584, (283.0, 292.0), 265.0),
        (224, 224, (112.0, 112.0), 100.0),
        (1600, 900, (500.0, 450.0), 300.0),  # far from the middle
        (600, 900, (300.0, 450.0), 280.0),  # upright
    ],
)
def test_discs_of_many_shapes_are_found(
    width: int, height: int, centre: tuple[float, float], radius: float
) -> None:
    found = located(eye(width, height, centre, radius))
    assert found.found
    assert close(found, centre, radius)
    assert found.stretch == 1.0


@settings(max_examples=25)
@given(st.floats(0.62, 1.3), st.floats(-0.08, 0.08), st.floats(-0.08, 0.08))
def test_any_disc_in_any_place(size: float, right: float, down: float) -> None:
    width, height = 480, 360
    centre = (width * (0.5 + right), height * (0.5 + down))
    radius = size * height / 2
    found = located(eye(width, height, centre, radius))
    assert found.found
    assert close(found, centre, radius)


@pytest.mark.parametrize("border", [(255, 255, 255), (90, 90, 90), (0, 0, 120), (15, 15, 20)])
def test_the_border_may_have_any_colour(border: tuple[int, int, int]) -> None:
    found = located(eye(600, 500, (300.0, 250.0), 220.0, border=border))
    assert close(found, (300.0, 250.0), 220.0)


def test_a_noisy_border_is_a_border() -> None:
    found = located(eye(600, 500, (300.0, 250.0), 220.0, border=(12, 12, 12), noise=6.0))
    assert close(found, (300.0, 250.0), 220.0)


def test_a_label_and_a_notch_do_not_move_the_disc() -> None:
    pixels = eye(700, 600, (350.0, 300.0), 260.0)
    pixels[20:60, 20:160] = 255
    pixels[60:110, 520:560] = RETINA.astype(np.uint8)
    assert close(located(pixels), (350.0, 300.0), 260.0)


@pytest.mark.parametrize("stretch", [1.25, 4 / 3, 1.5])
def test_a_squeezed_photograph_is_recognised(stretch: float) -> None:
    pixels = eye(300, 300, (150.0, 150.0), 160.0, stretch=stretch)
    found = located(pixels)
    assert found.stretch == pytest.approx(stretch, rel=0.02)
    assert close(found, (150.0, 150.0), 160.0)


def test_corners_alone_tell_a_squeezed_photograph() -> None:
    found = located(eye(224, 224, (112.0, 112.0), 174.0, stretch=1.33))
    assert found.stretch == pytest.approx(1.33, rel=0.02)


def test_a_square_without_any_border_has_the_smallest_disc_around_it() -> None:
    found = located(eye(400, 400, (200.0, 200.0), 500.0))
    assert found.centre == pytest.approx((200, 200))
    assert found.radius == pytest.approx(np.hypot(200, 200))


def test_a_straight_cut_is_not_the_top_of_an_arc() -> None:
    pixels = eye(600, 600, (300.0, 280.0), 330.0)
    pixels[560:] = 0
    found = located(pixels)
    assert found.stretch == 1.0
    assert close(found, (300.0, 280.0), 330.0)


def test_a_nearly_black_exposure_is_still_a_disc() -> None:
    found = located(eye(600, 500, (300.0, 250.0), 220.0, bright=0.12, noise=1.0))
    assert close(found, (300.0, 250.0), 220.0)


def test_black_shows_nothing() -> None:
    assert located(np.zeros((300, 300, 3), np.uint8)) == FieldOfView(False, reason="too_dark")


def test_rays_of_light_are_no_disc() -> None:
    pixels = np.zeros((400, 600, 3), np.uint8)
    pixels[180:220, 100:500] = 200
    assert located(pixels).reason == "no_disc"


@pytest.mark.parametrize("reduced", [None, 200])
def test_coordinates_are_of_the_photograph_at_any_scale(reduced: int | None) -> None:
    import io

    from PIL import Image

    pixels = eye(1001, 803, (500.0, 400.0), 350.0)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    found = field.locate(decode.decode(file.getvalue(), min_side=reduced))
    assert close(found, (500.0, 400.0), 350.0)


def test_the_crop_touches_the_disc_and_is_black_around_it() -> None:
    photo = decode.from_array(eye(900, 600, (450.0, 300.0), 380.0))
    square = field.crop(photo, field.locate(photo), 128)
    assert square.shape == (128, 128, 3)
    assert square.dtype == np.uint8
    assert not square[~field.disc(128)].any()
    assert square[64, 64, 0] > 150
    assert not square[2, 64].any()  # The sensor cut the disc off here.


def test_the_crop_undoes_a_stretch() -> None:
    pixels = eye(300, 300, (150.0, 150.0), 140.0, stretch=1.5, noise=0)
    photo = decode.from_array(pixels)
    square = field.crop(photo, field.locate(photo), 200)
    middle = square[100, :, 0] > 60
    upright = square[:, 100, 0] > 60
    assert abs(int(middle.sum()) - int(upright.sum())) <= 4


def test_the_map_to_the_crop_goes_both_ways() -> None:
    found = FieldOfView(True, (1980.0, 1411.0), 1704.0, 1.0)
    there = field.crop_map(found, 320)
    assert there.point(1980, 1411) == pytest.approx((160, 160))
    assert there.inverse().point(320, 160) == pytest.approx((1980 + 1704, 1411))


def test_where_there_is_no_field_there_is_no_crop() -> None:
    photo = decode.from_array(np.zeros((100, 100, 3), np.uint8))
    with pytest.raises(ValueError, match="no field of view"):
        field.crop(photo, field.find(photo), 64)


def test_a_squeezed_and_a_borderless_photograph_are_reported() -> None:
    photo = decode.from_array(eye(300, 300, (150.0, 150.0), 160.0, stretch=1.5))
    assert "squeezed" in field.warnings(photo, field.locate(photo))[0]
    photo = decode.from_array(eye(400, 400, (200.0, 200.0), 500.0))
    assert "no border" in field.warnings(photo, field.locate(photo))[0]
    assert field.warnings(photo, FieldOfView(False)) == ()


def test_what_is_no_retina_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retina, "plausible", lambda square: False)
    photo: Photo = decode.from_array(eye(600, 500, (300.0, 250.0), 220.0))
    assert field.find(photo) == FieldOfView(False, reason="not_a_retina")


def test_the_decoded_side_serves_the_crop_and_the_finder() -> None:
    assert field.decode_side(512) >= 512
    assert field.decode_side(64) >= field.WORKING_SIDE // 2
