from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from fundoscope.errors import BundleError
from fundoscope.geometry import Box
from fundoscope.lesions import detector as detectors
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.merge import GRAPH
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import DetectorManifest
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView, Lesion

Make = Callable[..., Detector]
Draw = Callable[..., tuple[Photo, FieldOfView]]

SPOTS = [
    ("hard_exudate", -0.6, -0.2, 0.05),
    ("hard_exudate", 0.0, 0.01, 0.06),  # across the seams in the middle
    ("microaneurysm", 0.3, 0.4, 0.03),
    ("optic_disc", 0.55, 0.0, 0.2),  # larger than the overlap of tiles
]
PHOTOGRAPHS = [
    {},
    {"width": 1200, "height": 1000, "radius": 450.0},
    {"width": 480, "height": 260, "radius": 180.0},
    {"width": 320, "height": 400, "radius": 180.0, "stretch": 1.5},
]


def places(lesions: tuple[Lesion, ...], fov: FieldOfView) -> dict[str, list[Box]]:
    """Boxes of each kind in field units, from the left."""
    to_unit = fov.to_unit()
    detected: dict[str, list[Box]] = {}
    for lesion in lesions:
        detected.setdefault(lesion.kind, []).append(to_unit.box(lesion.box))
    return {kind: sorted(boxes) for kind, boxes in detected.items()}


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_every_lesion_is_found_once_and_in_its_place(
    spot_detector: Make, spotted: Draw, photograph: dict[str, Any]
) -> None:
    photo, fov = spotted(SPOTS, **photograph)
    detected = places(detectors.find(spot_detector(), photo, fov), fov)
    for kind in ("hard_exudate", "microaneurysm", "optic_disc"):
        drawn = sorted((x - r, y - r, x + r, y + r) for k, x, y, r in SPOTS if k == kind)
        # 0.02 of the radius: 3 pixels at the working scale.
        assert np.array(detected[kind]) == pytest.approx(np.array(drawn), abs=0.02)


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("batch", [1, 2, 3, 50])
def test_threads_and_tiles_a_call_change_nothing(
    spot_detector: Make, spotted: Draw, threads: int, batch: int
) -> None:
    photo, fov = spotted(SPOTS)
    wanted = detectors.find(spot_detector(batch=1), photo, fov)
    assert detectors.find(spot_detector(batch=batch, threads=threads), photo, fov) == wanted


@pytest.mark.parametrize("size", [64, (96, 160), 4096])
def test_the_size_of_tiles_changes_nothing_but_rounding(
    spot_detector: Make, spotted: Draw, size: int | tuple[int, int]
) -> None:
    photo, fov = spotted(SPOTS[:3])  # the disc would be through the small tiles
    detected = places(detectors.find(spot_detector(input_size=size), photo, fov), fov)
    assert {kind: len(boxes) for kind, boxes in detected.items()} == {
        "hard_exudate": 2,
        "microaneurysm": 1,
    }


def test_what_lies_beside_the_retina_is_no_lesion(spot_detector: Make, spotted: Draw) -> None:
    photo, fov = spotted([SPOTS[0]])
    photo.pixels[0:12, 0:30] = (0, 255, 0)  # a label in the border
    assert len(detectors.candidates(spot_detector(), photo, fov)) == 1


def test_only_what_reaches_its_threshold_is_a_lesion(spot_detector: Make, spotted: Draw) -> None:
    photo, fov = spotted(SPOTS)
    strict = {"microaneurysm": 0.95, "hard_exudate": 0.875, "optic_disc": 0.5}
    detector = spot_detector(thresholds=strict)
    kinds = {lesion.kind for lesion in detectors.find(detector, photo, fov)}
    assert kinds == {"hard_exudate", "optic_disc"}
    everything = {lesion.kind for lesion in detectors.candidates(detector, photo, fov)}
    assert everything == set(strict)


def test_kinds_that_cannot_be_seen_at_this_size_are_not_told(
    spot_detector: Make, spotted: Draw
) -> None:
    photo, fov = spotted(SPOTS, width=160, height=140, radius=66.0)
    detector = spot_detector()
    assert not detector.assesses("microaneurysm", fov)
    assert detector.assesses("hard_exudate", fov)
    assert not detector.assesses("neovascularisation", fov)
    assert not detector.assesses("hard_exudate", FieldOfView(False, reason="no_disc"))
    kinds = {lesion.kind for lesion in detectors.find(detector, photo, fov)}
    assert kinds == {"hard_exudate", "optic_disc"}


def test_a_squeezed_photograph_has_the_pixels_of_its_shorter_radius(spot_detector: Make) -> None:
    detector = spot_detector()
    kind = detector.manifest.classes[0]
    least = detector.manifest.minimum_radius[kind]
    field = FieldOfView(True, (500.0, 500.0), 1.2 * least, 1.0)
    assert detector.assesses(kind, field)
    assert not detector.assesses(kind, replace(field, stretch=1.5))
    assert detector.assesses(kind, replace(field, stretch=0.7))


def test_an_eye_without_lesions_has_none(spot_detector: Make, spotted: Draw) -> None:
    photo, fov = spotted([])
    assert detectors.find(spot_detector(), photo, fov) == ()


def test_two_thousand_lesions_are_all_found(spot_detector: Make, spotted: Draw) -> None:
    photo, fov = spotted([], width=1200, height=1200, radius=590.0)
    rows, columns = np.mgrid[200:1000:16, 200:1000:20].reshape(2, -1)
    for row, column in zip(rows, columns, strict=True):
        photo.pixels[row : row + 6, column : column + 6] = (0, 255, 0)
    detected = detectors.find(spot_detector(radius=590.0, input_size=320), photo, fov)
    assert len(detected) == len(rows) == 2000


@pytest.fixture
def manifest(detector_manifest: Callable[..., DetectorManifest]) -> DetectorManifest:
    """Of a bundle whose graph is the one of :mod:`fundoscope.lesions.merge`: it loads, no more."""
    return detector_manifest(GRAPH.read_bytes())


@pytest.fixture
def spots_for_graphs(monkeypatch: pytest.MonkeyPatch, spot_detector: Make) -> None:
    """Any graph that is loaded becomes the detector of spots."""
    session = spot_detector().session
    monkeypatch.setattr("fundoscope.models.runtime.session", lambda bundle, **_: session)


@pytest.mark.usefixtures("spots_for_graphs")
def test_a_bundle_is_loaded_and_named(tmp_path: Path, manifest: DetectorManifest) -> None:
    bundles.write(tmp_path / "d", manifest, GRAPH.read_bytes(), "card")
    loaded = detectors.load(tmp_path / "d", threads=3)
    assert loaded.threads == 3
    assert (loaded.used.task, loaded.used.name) == ("detection", "detector-test-1")
    assert loaded.used.sha256 == manifest.model_sha256
    assert loaded.decode_side >= 2 * 1000 * 0.8


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"head": "masks"},
            "needs another version: 'masks' head for microaneurysm, optic_disc is unknown here",
        ),
        (
            {"classes": ("drusen", "optic_disc")},
            "needs another version: 'boxes' head for drusen is unknown here",
        ),
    ],
)
def test_a_bundle_of_a_later_version_is_refused(
    tmp_path: Path, manifest: DetectorManifest, fields: dict[str, Any], sentence: str
) -> None:
    bundles.write(tmp_path / "d", replace(manifest, **fields), GRAPH.read_bytes(), "card")
    with pytest.raises(BundleError, match="version that it was made with") as caught:
        detectors.load(tmp_path / "d")
    assert caught.value.why == sentence


@pytest.mark.usefixtures("spots_for_graphs")
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"thresholds": {"microaneurysm": 0.5}}, "a kind has no threshold"),
        ({"radius": 0.0}, "radius is 0.0, not a number from 1"),
        ({"step": 0}, "step is 0, not a number from 1"),
        ({"input_size": (256, 250)}, "its tiles are not multiples of its step"),
        ({"overlap": 256}, "its tiles are not larger than their overlap"),
        ({"overlap": -1}, "overlap is -1, not a number from 0"),
        ({"input_size": 0}, "input_size is 0, not a number from 1"),
    ],
)
def test_a_bundle_that_cannot_work_is_refused_when_it_is_loaded(
    tmp_path: Path, manifest: DetectorManifest, fields: dict[str, Any], sentence: str
) -> None:
    bundles.write(tmp_path / "d", manifest, GRAPH.read_bytes(), "card")
    settings = msgspec.json.encode(replace(manifest, **fields))
    (tmp_path / "d" / "bundle.json").write_bytes(settings)
    (tmp_path / "d" / "bundle.sha256").unlink()
    with pytest.raises(BundleError) as caught:
        detectors.load(tmp_path / "d")
    assert sentence in caught.value.why


def test_a_graph_that_is_no_detector_is_refused(tmp_path: Path, manifest: DetectorManifest) -> None:
    bundles.write(tmp_path / "d", manifest, GRAPH.read_bytes(), "card")
    with pytest.raises(BundleError, match="cannot be used: its network does not take photographs"):
        detectors.load(tmp_path / "d")


def test_too_little_memory_is_said_so(spot_detector: Make, spotted: Draw) -> None:
    class Poor:
        """Says what ONNX Runtime says when memory ends."""

        def get_inputs(self) -> list[Any]:
            return detector.session.get_inputs()

        def run(self, outputs: Any, feeds: Any) -> None:
            raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : Failed to allocate memory for 9")

    detector = spot_detector()
    photo, fov = spotted(SPOTS)
    with pytest.raises(MemoryError, match="too little"):
        detectors.find(replace(detector, session=Poor()), photo, fov)


def test_a_damaged_graph_is_refused(tmp_path: Path, manifest: DetectorManifest) -> None:
    broken = GRAPH.read_bytes()[:-40]
    settings = replace(manifest, model_sha256=hashlib.sha256(broken).hexdigest())
    bundles.write(tmp_path / "d", settings, broken, "card")
    with pytest.raises(BundleError, match="cannot be loaded by ONNX Runtime"):
        detectors.load(tmp_path / "d")


def test_a_grader_is_no_detector() -> None:
    with pytest.raises(BundleError, match="is a grading bundle, not a detection bundle"):
        detectors.load(bundles.shipped(bundles.GRADING))
