"""Pictures that are no retina, or a retina shown strangely: no grade without a doubt."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fundoscope import phantom
from fundoscope.errors import PhotoError
from fundoscope.phantom import PhantomSpec, impostors
from fundoscope.reader import Reader

SEED = 4
"""Not that of the pictures which the judge was fitted to."""
EVERY = 4
"""One drawn picture of so many is read."""


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(lesions=False)


@pytest.fixture(scope="module")
def eye() -> np.ndarray:
    return phantom.draw(PhantomSpec(seed=3, width=480, height=360))[0]


def test_drawn_pictures_of_other_things_get_no_grade(reader: Reader) -> None:
    graded = [
        name
        for number, (name, pixels) in enumerate(impostors.made(SEED))
        if number % EVERY == 0 and reader.read(pixels).grade.icdr is not None
    ]
    assert graded == []


@pytest.mark.parametrize("enlarged", [1, 50])
def test_noise_of_eight_pixels(reader: Reader, enlarged: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    pixels = noise.repeat(enlarged, axis=0).repeat(enlarged, axis=1)
    try:
        grade = reader.read(pixels).grade.icdr
    except PhotoError:  # too small to be a photograph
        grade = None
    assert grade is None


def test_a_caption_beside_the_retina_changes_no_grade(reader: Reader, eye: np.ndarray) -> None:
    picture = Image.fromarray(eye)
    ImageDraw.Draw(picture).text((8, 340), "OD 2026-11-29 13:05", (255, 255, 255))
    plain, captioned = reader.read(eye), reader.read(np.asarray(picture))
    assert captioned.grade.icdr == plain.grade.icdr


def test_a_retina_shown_on_a_screen_is_doubted(reader: Reader, eye: np.ndarray) -> None:
    """A photograph of a monitor: a grey frame, rows of pixels, and a lamp's reflection."""
    screen = np.full((620, 820, 3), 150, np.uint8)
    shown = np.asarray(Image.fromarray(eye).resize((720, 540))).astype(float)
    shown *= 0.75 + 0.25 * np.sin(np.arange(540) * 2.1)[:, None, None]
    shown[60:160, 430:560] += 150
    screen[40:580, 50:770] = np.clip(shown + 25, 0, 255).astype(np.uint8)
    reading = reader.read(screen)
    doubted = reading.quality.gradable is False or reading.familiar is False
    assert reading.grade.icdr is None or doubted
