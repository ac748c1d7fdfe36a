from __future__ import annotations

import numpy as np
import pytest

from fundoscope import phantom
from fundoscope.phantom import PhantomSpec
from fundoscope.photo import decode, field, retina

SIDE = retina.SIDE


def square_of(pixels: np.ndarray) -> np.ndarray:
    photo = decode.from_array(pixels)
    return field.crop(photo, field.locate(photo), SIDE)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_drawn_eye_can_be_a_retina(seed: int) -> None:
    pixels, _ = phantom.draw(PhantomSpec(seed=seed, width=800, height=600))
    assert retina.plausible(square_of(pixels))


def filled(colour: tuple[int, int, int], noise: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    square = np.array(colour) + rng.normal(0, noise, (SIDE, SIDE, 1))
    square = np.clip(square, 0, 255).astype(np.uint8)
    square[~field.disc(SIDE)] = 0
    return square


@pytest.mark.parametrize("noise", [30.0, 60.0, 100.0])
def test_noise_is_no_retina(noise: float) -> None:
    assert not retina.plausible(filled((128, 128, 128), noise))


@pytest.mark.parametrize("colour", [(30, 60, 200), (20, 200, 40), (255, 0, 255)])
def test_colours_that_no_eye_has(colour: tuple[int, int, int]) -> None:
    assert not retina.plausible(filled(colour, 10.0))


def test_where_too_little_is_lit_nothing_is_reported() -> None:
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    square[40:50, 40:50] = 200
    assert retina.features(square) is None
    assert not retina.plausible(square)


def test_features_have_the_names_that_they_were_fitted_by() -> None:
    values = retina.features(filled((190, 95, 45), 4.0))
    assert values is not None
    assert values.shape == (len(retina.NAMES),)
    assert retina._machine()["mean"].shape == values.shape
    assert np.isfinite(values).all()


def test_a_turned_retina_is_the_same_retina() -> None:
    pixels, _ = phantom.draw(PhantomSpec(seed=4, width=800, height=600))
    square = square_of(pixels)
    values = retina.features(square)
    turned = retina.features(np.ascontiguousarray(np.rot90(square)))
    assert values is not None
    assert turned is not None
    assert turned == pytest.approx(values, abs=0.05)


def test_grey_pictures_have_no_colour() -> None:
    grey = np.random.default_rng(0).integers(40, 200, (SIDE, SIDE, 1)).astype(np.uint8)
    assert retina.colourless(np.repeat(grey, 3, axis=2))
    assert not retina.colourless(filled((190, 95, 45), 4.0))
