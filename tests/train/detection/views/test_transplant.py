"""Lesions that are put onto healthy eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from fundoscope.train.detection.views.tile_draw import Place, Tile
from fundoscope.train.detection.views.transplant import transplant

SIDE = 128
RETINA, PALE = (160, 80, 40), (200, 150, 90)
DARK_BOX, BRIGHT_BOX = (20.0, 20.0, 36.0, 36.0), (80.0, 70.0, 96.0, 86.0)


@dataclass(frozen=True)
class View:
    """What a transplant needs of a healthy photograph."""

    enlarge: float = 1.0


def tile(colour, boxes=(), enlarge=1.0):
    pixels = np.full((SIDE, SIDE, 3), colour, np.uint8)
    place = Place(View(enlarge), (0, 0, SIDE, SIDE), 1.0, (SIDE, SIDE), 0, False)
    return Tile(place, pixels, np.array(boxes, float).reshape(-1, 4), np.arange(1, 1 + len(boxes)))


@pytest.fixture
def diseased():
    """A dark and a bright lesion on a retina, and where they are."""
    made = tile(RETINA, (DARK_BOX, BRIGHT_BOX))
    coverage = np.zeros((SIDE, SIDE), np.uint8)
    for (x0, y0, x1, y1), factor in ((DARK_BOX, 0.5), (BRIGHT_BOX, 1.4)):
        rows, columns = slice(int(y0), int(y1)), slice(int(x0), int(x1))
        made.pixels[rows, columns] = np.clip(np.array(RETINA) * factor, 0, 255)
        coverage[rows, columns] = 255
    return made, coverage


def test_lesions_keep_their_contrast_on_a_retina_of_another_colour(diseased):
    healthy = tile(PALE)
    result = transplant(healthy, *diseased)
    assert result.boxes.tolist() == diseased[0].boxes.tolist()
    assert result.labels.tolist() == [1, 2]
    green = result.pixels[..., 1] / PALE[1]
    assert green[28, 28] == pytest.approx(0.58, abs=0.05)  # half, less what is added for noise
    assert green[78, 88] == pytest.approx(1.33, abs=0.05)
    assert green[110, 20] == 1
    assert healthy.pixels[28, 28].tolist() == list(PALE)


def test_nothing_is_put_outside_the_retina_or_onto_a_bright_disc(diseased):
    healthy = tile(RETINA)
    healthy.pixels[:50, :60] = 0
    healthy.pixels[48:112, 64:] = (255, 255, 160)
    result = transplant(healthy, *diseased)
    assert len(result.boxes) == 0
    assert result.pixels[28, 28].tolist() == [0, 0, 0]


def test_lesions_are_as_blurred_as_an_enlarged_photograph(diseased):
    sharp, soft = (transplant(tile(PALE, enlarge=f), *diseased).pixels[..., 1] for f in (1.0, 6.0))
    steepest = [np.abs(np.diff(pixels[28].astype(float))).max() for pixels in (sharp, soft)]
    assert steepest[1] < 0.6 * steepest[0]


def test_what_nobody_could_see_is_not_a_lesion(diseased):
    made, coverage = diseased
    made.pixels[20:36, 20:36] = np.array(RETINA) - 1
    result = transplant(tile(PALE), made, coverage)
    assert result.labels.tolist() == [2]
