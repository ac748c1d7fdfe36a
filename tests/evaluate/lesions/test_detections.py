from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fundoscope.evaluate.lesions import detections
from fundoscope.evaluate.lesions.detections import detect
from fundoscope.geometry import Affine
from fundoscope.lesions.segmentation import Segmentation
from fundoscope.reading import FieldOfView, Lesion

MA, OD = "microaneurysm", "optic_disc"
FOUND = (
    Lesion(OD, (1, 1, 5, 5), 0.8),
    Lesion(MA, (1, 1, 3, 3), 0.3),
    Lesion(MA, (5, 5, 7, 7), 0.6),
    Lesion(OD, (9, 9, 12, 12), 0.2),
)
MAPS = Segmentation((MA, OD, "haemorrhage"), np.zeros((3, 8, 8), np.uint8), Affine())


@pytest.fixture
def detector(monkeypatch):
    """Sees :data:`FOUND` on a photograph of 100 x 80, microaneurysms from a radius of 40 on."""
    field = FieldOfView(True, (50.0, 40.0), 40.0, 1.0)
    monkeypatch.setattr(detections.fields, "find", lambda photo: field)
    monkeypatch.setattr(detections.detectors, "with_maps", lambda *_: (FOUND, MAPS))
    least = {MA: 40.0, OD: 10.0}
    return SimpleNamespace(
        manifest=SimpleNamespace(classes=(MA, OD, "haemorrhage")),
        decode_side=None,
        assesses=lambda kind, fov: fov.radius >= least.get(kind, 1000),
        least=least,
    )


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((80, 100, 3), np.uint8)).save(path)
    return path


def test_boxes_by_kind_best_first_and_one_disc(detector, photo):
    seen = detect(detector, photo)
    assert (seen.status, seen.size) == ("read", (100, 80))
    assert seen.boxes[MA].scores.tolist() == [0.6, 0.3]
    assert seen.boxes[MA].corners.tolist() == [[5, 5, 7, 7], [1, 1, 3, 3]]
    assert seen.boxes[OD].scores.tolist() == [0.8]
    assert seen.unassessed == ("haemorrhage",)
    assert seen.maps is MAPS


def test_kinds_that_cannot_be_seen_so_small_have_no_boxes(detector, photo):
    detector.least[MA] = 41.0
    seen = detect(detector, photo)
    assert set(seen.boxes) == {OD}
    assert seen.unassessed == (MA, "haemorrhage")


def test_no_retina(detector, photo, monkeypatch):
    dark = FieldOfView(False, reason="too_dark")
    monkeypatch.setattr(detections.fields, "find", lambda photo: dark)
    seen = detect(detector, photo)
    assert (seen.status, seen.code, seen.boxes) == ("no_field", "too_dark", {})
    assert seen.remedy


def test_files_that_cannot_be_read(detector, tmp_path):
    seen = detect(detector, tmp_path / "none.jpg")
    assert (seen.status, seen.code, seen.size) == ("refused", "not_found", None)


def test_out_of_memory_is_a_refusal(detector, photo, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(detections.detectors, "with_maps", fail)
    assert detect(detector, photo).code == "out_of_memory"
