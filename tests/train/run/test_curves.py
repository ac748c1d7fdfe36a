from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from fundoscope.errors import OutputError
from fundoscope.train.run import curves, loop, loss_names


def line(epoch, **changes):
    figures = {
        "epoch": epoch,
        "loss": 0.7 / (epoch + 1),
        "validation_loss": 0.8 / (epoch + 1),
        "training": {"kappa": 0.2 * epoch, "accuracy": 0.4},
        "kappa": 0.1 * epoch,
        "accuracy": 0.5,
        "score": 0.1 * epoch,
    }
    return {**figures, **changes}


def drawn(folder, *lines):
    (folder / loop.METRICS).write_text("".join(json.dumps(each) + "\n" for each in lines))
    curves.draw(folder)
    with Image.open(folder / curves.NAME) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def near(pixels, colour):
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(pixels - wanted).max(axis=2) < 12).sum())


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_every_curve_is_drawn(tmp_path, epochs):
    pixels = drawn(tmp_path, *(line(epoch) for epoch in range(epochs)))
    assert pixels.shape == (374, 1210, 3)
    for colour in (curves.TRAINING, curves.VALIDATION, curves.MEAN):
        assert near(pixels, colour) > 50


def test_undefined_figures_leave_gaps(tmp_path):
    unknown = {"training": {"kappa": None, "accuracy": None}, "kappa": None, "score": None}
    drawn(tmp_path, line(0, **unknown), line(1), line(2, loss=None))
    drawn(tmp_path, line(0, **unknown))


def test_without_an_epoch_nothing_is_drawn(tmp_path):
    curves.draw(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / curves.NAME).mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        drawn(tmp_path, line(0))


def detector_line(epoch, **changes):
    parts = dict.fromkeys(loss_names.NAMES, 0.3 / (epoch + 1))
    figures = {
        "epoch": epoch,
        "loss": 1.2 / (epoch + 1),
        "training": {"boxes_a_tile": 3.0, **parts},
        "average_precision": {"microaneurysm": 0.1 * epoch, "irma": None, "optic_disc": 0.9},
        "score": 0.1 * epoch,
    }
    return {**figures, **changes}


@pytest.mark.parametrize("epochs", [1, 5])
def test_the_curves_of_a_detector(tmp_path, epochs):
    pixels = drawn(tmp_path, *(detector_line(epoch) for epoch in range(epochs)))
    for colour in curves.HUES[:4]:
        assert near(pixels, colour) > 20


def test_a_detector_of_landmarks_and_an_undefined_score(tmp_path):
    drawn(tmp_path, detector_line(0, average_precision={"optic_disc": 0.5}, score=None))


def test_the_losses_of_a_head_that_nothing_knows_yet_are_drawn_too(tmp_path):
    training = {"boxes_a_tile": 3.0, "loss_outline_length": 0.2, "loss_entropy": 0.1}
    assert loss_names.loss_names(training) == {
        "loss_outline_length": "outline length",
        "loss_entropy": "pixels",
    }
    pixels = drawn(tmp_path, *(detector_line(epoch, training=training) for epoch in range(3)))
    assert near(pixels, curves.HUES[0]) > 20
