from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fundoscope import phantom
from fundoscope.phantom import PhantomSpec
from fundoscope.photo import advice, appearance, decode, field
from fundoscope.quality import QUALITY_REASONS


@pytest.fixture(scope="module")
def square() -> np.ndarray:
    photo = decode.from_array(phantom.draw(PhantomSpec(seed=2, width=600, height=500))[0])
    return field.crop(photo, field.locate(photo), 320)


def value(square: np.ndarray, name: str) -> float:
    return float(appearance.measure(square)[appearance.NAMES.index(name)])


def test_a_blurred_square_is_less_sharp(square: np.ndarray) -> None:
    blurred = np.asarray(Image.fromarray(square).filter(ImageFilter.GaussianBlur(4)))
    assert value(blurred, "sharp_fine") < value(square, "sharp_fine") - 0.5


def test_a_dark_square_is_dark(square: np.ndarray) -> None:
    assert value(square // 4, "green_50") < value(square, "green_50") - 0.5


def test_what_is_cut_off_is_not_lit(square: np.ndarray) -> None:
    cut = square.copy()
    cut[:, 160:] = 0
    assert value(cut, "unlit") > 0.4


@pytest.mark.parametrize("level", [0, 255])
def test_a_flat_square_has_finite_quantities(level: int) -> None:
    values = appearance.measure(np.full((320, 320, 3), level, np.uint8))
    assert values.shape == (len(appearance.NAMES),)
    assert np.isfinite(values).all()


def test_every_reason_has_advice() -> None:
    assert set(advice.ADVICE) == set(QUALITY_REASONS)


def test_advice_follows_the_clearest_reason() -> None:
    wrong, remedy = advice.why(("too_bright", "reflections"))
    assert wrong == "is too bright and has reflections"
    assert remedy == "retake it: use less flash"
    assert advice.why(None) == ("is too poor", "retake it: check focus, light and lens")
