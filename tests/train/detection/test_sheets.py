"""Sheets of validation tiles: which tiles and boxes they show, and where."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from fundoscope.geometry import Affine
from fundoscope.kinds import KINDS
from fundoscope.lesions.view import View
from fundoscope.train.detection import sheets
from fundoscope.train.detection.views.view import AnnotatedView

NAMES = ("haemorrhage", "hard_exudate", "optic_disc")
NOTHING = (np.zeros((0, 4)), np.zeros(0, np.int64))


def view_of(boxes, labels):
    shown = View(np.full((300, 400, 3), 90, np.uint8), Affine(), (200.0, 150.0), 200.0)
    places = np.array(boxes, float).reshape(-1, 4)
    return AnnotatedView(Path("a.png"), places, np.array(labels, np.int64), lambda: shown)


def near(pixels, kind):
    return np.abs(pixels.astype(int) - KINDS[kind].colour).max(axis=-1) < 60


def sheet(views, result, size=(128, 128)):
    content = sheets.sheet(views, result, NAMES, size)
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture)


def test_truth_stands_left_and_findings_right():
    view = view_of([(250, 200, 280, 230)], [1])
    result = (np.array([(245.0, 190.0, 275.0, 225.0)]), np.array([2]))
    pixels = sheet([view], [result])
    tiles = pixels[-132:-4]
    assert near(tiles[:, 4:132], "haemorrhage").sum() > 60
    assert near(tiles[:, 136:264], "hard_exudate").sum() > 60
    assert near(tiles[:, 4:132], "hard_exudate").sum() == 0
    assert near(tiles[:, 136:264], "haemorrhage").sum() == 0


def test_the_richest_tiles_of_the_richest_photographs_are_shown():
    poor = view_of([], [])
    discs = view_of([(10, 10, 60, 60)], [3])
    rich = view_of([(20, 140, 30, 150), (300, 100, 310, 110), (320, 100, 330, 110)], [1, 1, 2])
    views = [poor, discs, poor, rich, poor]
    pixels = sheet(views, [NOTHING] * 5)
    assert pixels.shape[1] == 4 * 132 + 4  # two pairs side by side
    first = pixels[-2 * 132 : -132 - 4, 4:132]
    assert near(first, "haemorrhage").any()
    assert near(first, "hard_exudate").any()


def test_one_photograph_smaller_than_a_tile():
    assert sheet([view_of([], [])], [NOTHING], (512, 640)).shape[1] >= 2 * 644
