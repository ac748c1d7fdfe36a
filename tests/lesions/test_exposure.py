"""Washed-out retina, and white that is not retina."""

from __future__ import annotations

import numpy as np
import pytest

from fundoscope.lesions import exposure
from fundoscope.photo.decode import from_array
from fundoscope.reading import FieldOfView

FIELD = FieldOfView(True, (300.0, 300.0), 280.0, 1.0)
Y, X = np.mgrid[:600, :600]
INSIDE = np.hypot(X - 299.5, Y - 299.5) < 280


def eye(border: int, rows: int = 0) -> np.ndarray:
    """A disc of retina, of which a border hides some rows at the top and at the bottom."""
    pixels = np.full((600, 600, 3), border, np.uint8)
    shown = INSIDE & (np.abs(Y - 299.5) < 280 - rows)
    pixels[shown] = (180, 90, 40)
    return pixels


@pytest.mark.parametrize("border", [0, 255])
@pytest.mark.parametrize("rows", [0, 40, 70])
def test_a_white_border_is_not_washed_out_retina(border: int, rows: int) -> None:
    assert not exposure.is_overexposed(from_array(eye(border, rows)), FIELD)


@pytest.mark.parametrize("border", [0, 255])
@pytest.mark.parametrize("white", [(255, 252, 200), (255, 255, 255)])
def test_washed_out_retina_is_seen_beside_any_border(
    border: int, white: tuple[int, int, int]
) -> None:
    pixels = eye(border, 40)
    pixels[250:400, 200:400] = white
    assert exposure.is_overexposed(from_array(pixels), FIELD)
