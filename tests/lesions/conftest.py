"""A detector of spots: boxes around spots of known colours, in place of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from fundoscope.geometry import Affine
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.heads import OUTPUTS
from fundoscope.lesions.view import View
from fundoscope.models.bundle import DetectorManifest
from fundoscope.photo.decode import Photo, from_array
from fundoscope.reading import FieldOfView

COLOURS = {"microaneurysm": (0, 0, 255), "hard_exudate": (0, 255, 0), "optic_disc": (255, 255, 255)}
"""Of the spots of each kind; the retina is reddish."""
RETINA = (180, 90, 40)
NEAR = 60
"""Levels by which a pixel may differ from its spot's colour."""
SCORE = 0.875


@dataclass(frozen=True)
class Input:
    """An input of a graph, or an output."""

    shape: Sequence[int | str]
    name: str = "pixels"


@dataclass
class SpotSession:
    """Stands for a loaded graph of the ``boxes`` head.

    Attributes:
        batch: tiles a call.
        seen: the tiles of each call.
    """

    batch: int = 2
    seen: list[np.ndarray] = field(default_factory=list)

    def get_inputs(self) -> list[Input]:
        return [Input((self.batch, "height", "width", 3))]

    def get_outputs(self) -> list[Input]:
        return [Input(("found",), name) for name in OUTPUTS]

    def run(self, outputs: Sequence[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert tuple(outputs) == OUTPUTS
        pixels = feeds["pixels"]
        assert pixels.dtype == np.uint8
        assert len(pixels) == self.batch
        self.seen.append(pixels)
        rows = [
            (tile, *box, label, SCORE)
            for tile, shown in enumerate(pixels)
            for label, colour in enumerate(COLOURS.values(), start=1)
            for box in spots(shown, colour)
        ]
        table = np.array(rows, np.float32).reshape(-1, 7)
        return [
            table[:, 0].astype(np.int64),
            table[:, 1:5],
            table[:, 5].astype(np.int64),
            table[:, 6],
        ]


def spots(pixels: np.ndarray, colour: tuple[int, int, int]) -> list[tuple[int, int, int, int]]:
    """Boxes of the connected parts of a colour."""
    near = (np.abs(pixels.astype(int) - colour) < NEAR).all(axis=2)
    parts = ndimage.find_objects(ndimage.label(near, np.ones((3, 3)))[0])
    return [(x.start, y.start, x.stop, y.stop) for y, x in parts]


@pytest.fixture
def spot_detector(detector_manifest: Callable[..., DetectorManifest]) -> Callable[..., Detector]:
    """Make a detector of spots, of the kinds of :data:`COLOURS`."""
    usual = {
        "input_size": 128,
        "classes": tuple(COLOURS),
        "thresholds": dict.fromkeys(COLOURS, 0.5),
        "minimum_radius": {"microaneurysm": 100.0, "hard_exudate": 50.0, "optic_disc": 50.0},
        "radius": 150.0,
        "overlap": 24,
        "step": 16,
    }

    def make(*, batch: int = 2, threads: int = 1, **fields: Any) -> Detector:
        manifest = detector_manifest(b"no graph", **{**usual, **fields})
        return Detector(manifest, SpotSession(batch), threads)

    return make


@pytest.fixture
def spotted() -> Callable[..., tuple[Photo, FieldOfView]]:
    """Draw a photograph of a disc of retina with spots, natural or squashed.

    Spots are (kind, x, y, half side) in field units: the disc is the unit circle.
    """

    def draw(
        spots: Sequence[tuple[str, float, float, float]],
        *,
        width: int = 480,
        height: int = 400,
        radius: float = 180.0,
        stretch: float = 1.0,
    ) -> tuple[Photo, FieldOfView]:
        fov = FieldOfView(True, (width / 2, height / 2), radius, stretch)
        to_unit = fov.to_unit()
        y, x = np.mgrid[:height, :width] + 0.5
        at = to_unit.points(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(height, width, 2)
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[np.hypot(at[..., 0], at[..., 1]) < 1] = RETINA
        for kind, u, v, half in spots:
            inside = (np.abs(at - (u, v)) < half).all(axis=2)
            pixels[inside] = COLOURS[kind]
        return from_array(pixels), fov

    return draw


@pytest.fixture
def blank_view() -> Callable[..., View]:
    """A view without content; its field lies in its middle."""

    def make(height: int, width: int, radius: float | None = None) -> View:
        reach = radius or np.hypot(height, width) / 2 + 1
        return View(
            np.zeros((height, width, 3), np.uint8), Affine(), (width / 2, height / 2), reach
        )

    return make
