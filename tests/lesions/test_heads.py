from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fundoscope.lesions import heads
from fundoscope.lesions.detector import Detector

GREEN = (0, 255, 0)


def tiles_with_spots(count: int) -> np.ndarray:
    """Tiles of 40 x 50 pixels, each with one green spot, further to the right on each."""
    tiles = np.zeros((count, 40, 50, 3), np.uint8)
    for place in range(count):
        tiles[place, 10:20, 5 * place : 5 * place + 4] = GREEN
    return tiles


def test_boxes_say_on_which_tile_they_lie(spot_detector: Callable[..., Detector]) -> None:
    detected = heads.boxes(spot_detector(batch=3).session, tiles_with_spots(3))
    assert detected.tile.tolist() == [0, 1, 2]
    assert detected.boxes.tolist() == [[0, 10, 4, 20], [5, 10, 9, 20], [10, 10, 14, 20]]
    assert detected.labels.tolist() == [2, 2, 2]
    assert detected.boxes.dtype == detected.scores.dtype == np.float64


def test_a_graph_gets_as_many_tiles_as_it_takes(spot_detector: Callable[..., Detector]) -> None:
    session = spot_detector(batch=4).session
    detected = heads.boxes(session, tiles_with_spots(1))
    assert detected.tile.tolist() == [0]
    (given,) = session.seen
    assert given.shape == (4, 40, 50, 3)
    assert not given[1:].any()


def test_what_is_found_on_tiles_that_were_added_is_dropped() -> None:
    class Everywhere:
        """Finds the same box on each tile."""

        def get_inputs(self):
            from types import SimpleNamespace

            return [SimpleNamespace(name="pixels", shape=(3, "h", "w", 3))]

        def run(self, outputs, feeds):
            assert outputs == heads.OUTPUTS
            count = len(feeds["pixels"])
            boxes = np.tile(np.float32([1, 2, 3, 4]), (count, 1))
            return [np.arange(count), boxes, np.ones(count, int), np.full(count, 0.5, np.float32)]

    detected = heads.boxes(Everywhere(), tiles_with_spots(2))
    assert detected.tile.tolist() == [0, 1]
    assert len(detected.boxes) == len(detected.labels) == len(detected.scores) == 2


def test_no_box_at_all(spot_detector: Callable[..., Detector]) -> None:
    detected = heads.boxes(spot_detector().session, np.zeros((2, 40, 50, 3), np.uint8))
    assert detected.boxes.shape == (0, 4)
    assert len(detected.tile) == len(detected.labels) == len(detected.scores) == 0
