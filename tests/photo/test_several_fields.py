"""Pictures of more than one eye, and slides whose frame cuts the disc off on all sides."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fundoscope.phantom.drawing import draw
from fundoscope.phantom.spec import Eye, PhantomSpec, Shape
from fundoscope.photo import decode, field

Pixels = NDArray[np.uint8]


@cache
def eye(seed: int, side: Eye = "right", shape: Shape = "full", width: int = 480) -> Pixels:
    spec = PhantomSpec(seed=seed, width=width, height=360, grade=2, eye=side, shape=(shape,))
    pixels, _ = draw(spec)
    return pixels


def joined(pictures: list[Pixels], *, axis: int, gap: int = 0, colour: int = 0) -> Pixels:
    """Pictures beside (axis 1) or above one another (axis 0), with a gap of a grey level."""
    parts: list[Pixels] = []
    for picture in pictures:
        shape = (gap, picture.shape[1], 3) if axis == 0 else (picture.shape[0], gap, 3)
        parts += [picture, np.full(shape, colour, np.uint8)]
    return np.concatenate(parts[:-1], axis=axis)


def reason(pixels: Pixels) -> str | None:
    return field.find(decode.from_array(pixels)).reason


@pytest.mark.parametrize("axis", [0, 1], ids=["above", "beside"])
@pytest.mark.parametrize(
    ("gap", "colour"), [(0, 0), (60, 0), (30, 255), (30, 128)],
    ids=["no gap", "black", "white", "grey"],
)  # fmt: skip
@pytest.mark.parametrize("count", [2, 3])
def test_several_eyes_are_not_graded_as_one(axis: int, gap: int, colour: int, count: int) -> None:
    eyes = [eye(seed, side) for seed, side in ((1, "right"), (2, "left"), (3, "right"))]
    assert reason(joined(eyes[:count], axis=axis, gap=gap, colour=colour)) == "several_fields"


@pytest.mark.parametrize("shape", ["clipped", "notch"])
def test_several_eyes_of_other_shapes(shape: Shape) -> None:
    assert reason(joined([eye(4, "right", shape), eye(5, "left", shape)], axis=1, gap=20)) == (
        "several_fields"
    )


def test_a_smaller_and_a_squeezed_eye_count_too() -> None:
    second = Image.fromarray(eye(7, "left"))
    for size in ((240, 180), (700, 360)):
        canvas = np.zeros((360, size[0], 3), np.uint8)
        canvas[: size[1]] = np.asarray(second.resize(size))
        assert reason(joined([eye(6), canvas], axis=1)) == "several_fields"


def middle(seed: int, height: int, width: int) -> Pixels:
    """A piece of an eye without any border."""
    retina, truth = draw(PhantomSpec(seed=seed, width=600, height=580, grade=2, shape=("full",)))
    x, y = (round(value) for value in truth.field.centre)
    return retina[y - height // 2 : y + height // 2, x - width // 2 : x + width // 2]


@pytest.mark.parametrize("axis", [0, 1], ids=["above", "beside"])
@pytest.mark.parametrize(("height", "width"), [(300, 300), (240, 320), (220, 330)])
def test_two_pieces_without_a_border_are_two(axis: int, height: int, width: int) -> None:
    pieces = [middle(31, height, width), middle(34, height, width)]
    assert reason(joined(pieces, axis=axis)) == "several_fields"


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("seed", [31, 32, 33, 34])
def test_one_piece_without_a_border_is_one(seed: int, turned: bool) -> None:
    piece = middle(seed, 240, 360)
    assert reason(np.ascontiguousarray(piece.transpose(1, 0, 2)) if turned else piece) is None


def test_a_long_piece_is_not_read_in_silence() -> None:
    photo = decode.from_array(np.ascontiguousarray(middle(31, 200, 380)))
    notes = field.warnings(photo, field.find(photo))
    assert any("cut them apart" in note for note in notes)


def test_grey_eyes_beside_each_other_have_no_colour() -> None:
    pixels = joined([eye(1), eye(2, "left")], axis=1)
    grey = np.repeat(np.asarray(Image.fromarray(pixels).convert("L"))[..., None], 3, axis=2)
    assert reason(grey) == "no_colour"


@pytest.mark.parametrize("shape", ["full", "clipped", "square", "notch", "label", "frame"])
@pytest.mark.parametrize("seed", [11, 12])
def test_one_eye_is_one_eye(seed: int, shape: Shape) -> None:
    assert reason(eye(seed, "right", shape)) is None


def test_a_mark_beside_an_eye_is_not_an_eye() -> None:
    pixels = np.zeros((360, 720, 3), np.uint8)
    pixels[:, :480] = eye(1)
    y, x = np.ogrid[:360, :720]
    for colour in ((255, 255, 255), (200, 60, 40)):
        marked = pixels.copy()
        marked[np.hypot(x - 600, y - 180) < 90] = colour
        assert reason(marked) is None


SLIDE_WIDTH, SLIDE_HEIGHT = 700, 720


@cache
def part_of_disc() -> Pixels:
    """The middle of a disc, wider than tall; its rim shows in the corners."""
    retina, truth = draw(PhantomSpec(seed=21, width=600, height=580, grade=3, shape=("full",)))
    x, y = (round(value) for value in truth.field.centre)
    half_width, half_height = round(0.83 * truth.field.radius), round(0.62 * truth.field.radius)
    part = retina[y - half_height : y + half_height, x - half_width : x + half_width]
    return np.asarray(Image.fromarray(part).resize((560, 418)))


def slide(frame: tuple[int, int, int], mount: tuple[int, int, int] | None, bar: int) -> Pixels:
    """A slide: the middle of a disc in a frame; perhaps a mount around it, and a scale bar."""
    pixels = np.full((SLIDE_HEIGHT, SLIDE_WIDTH, 3), frame, np.uint8)
    pixels[150:568, 40:600] = part_of_disc()
    if mount is not None:
        for rows in (slice(None, 30), slice(-30, None)):
            pixels[rows], pixels[:, rows] = mount, mount
    pixels[200:500, 630:645] = bar or frame[0]
    return pixels


BLACK_FRAMES = {
    "black": ((0, 0, 0), None),
    "noisy": ((4, 6, 5), None),
}
OTHER_FRAMES = {
    "white mount": ((0, 0, 0), (255, 255, 255)),
    "grey mount": ((0, 0, 0), (150, 150, 155)),
    "white": ((255, 255, 255), None),
    "blue": ((60, 70, 140), None),
}


@pytest.mark.parametrize("bar", [0, 255], ids=["bare", "scale bar"])
@pytest.mark.parametrize("name", BLACK_FRAMES)
def test_a_slide_cut_on_four_sides_is_read(name: str, bar: int) -> None:
    found = field.find(decode.from_array(slide(*BLACK_FRAMES[name], bar)))
    assert found.found, found.reason
    assert found.centre is not None
    assert found.radius is not None
    assert np.hypot(found.centre[0] - 320, found.centre[1] - 359) < 40
    assert 290 < found.radius < 370


@pytest.mark.parametrize("bar", [0, 255], ids=["bare", "scale bar"])
@pytest.mark.parametrize("name", OTHER_FRAMES)
def test_a_slide_in_a_frame_of_a_colour_is_read_or_the_true_reason_given(
    name: str, bar: int
) -> None:
    found = field.find(decode.from_array(slide(*OTHER_FRAMES[name], bar)))
    assert found.found or found.reason == "framed"


def test_a_slide_that_shows_little_of_its_disc_says_so() -> None:
    pixels = np.zeros((600, 900, 3), np.uint8)
    pixels[150:450, 150:750] = np.asarray(
        Image.fromarray(eye(3, shape="square")).resize((600, 300))
    )
    photo = decode.from_array(pixels)
    found = field.find(photo)
    assert found.found
    assert any("% of the field of view" in warning for warning in field.warnings(photo, found))


def test_a_rim_without_a_straight_part() -> None:
    """Thin lines across the picture, found by attack: they have no left or right rim."""
    pixels = np.zeros((80, 320, 3), np.uint8)
    pixels[4::8] = 40
    assert reason(pixels) == "no_disc"
    for shape in ((64, 64, 3), (80, 320, 3), (320, 80, 3)):
        for rows, columns in ((slice(0, 1), slice(None)), (slice(None), slice(0, 1))):
            pixels = np.zeros(shape, np.uint8)
            pixels[rows, columns] = 255
            assert reason(pixels) is not None
