"""From a detector's run to a bundle that reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

pytest.importorskip("onnx")

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.lesions import detector as detectors
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.models import bundle as bundles
from fundoscope.photo import decode, field
from fundoscope.train import average
from fundoscope.train.detection import config as configs
from fundoscope.train.detection import export as detector_export
from fundoscope.train.detection import parity as detection_parity
from fundoscope.train.detection import small_photographs
from fundoscope.train.detection import storage as detector_storage
from fundoscope.train.detection import training as detector
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.exported import Exported
from fundoscope.train.detection.views import operating
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop


def make_small(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fundoscope.photo.retina.plausible", lambda *_: True)
    patch.setattr(detector_export, "READ_TILE", (128, 128))
    patch.setattr(detector_export, "READ_OVERLAP", 16)
    patch.setattr(detection_parity, "COMPARED_SIDES", ((64, 64), (64, 96)))
    patch.setattr(small_photographs, "SCALES", (1.0, 0.5))


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


@pytest.fixture
def run(trained_detector: Path, tmp_path: Path) -> Path:
    """The run of :func:`trained_detector` in a folder of the test's own, with its data."""
    shutil.copytree(trained_detector, tmp_path, dirs_exist_ok=True)
    stored = tmp_path / "run" / runs.CONFIG
    stored.write_text(stored.read_text().replace(str(trained_detector), str(tmp_path)))
    return tmp_path / "run"


@pytest.fixture(scope="module")
def bundle(trained_detector: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as a bundle called "earlier"."""
    folder = tmp_path_factory.mktemp("exported") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        detector_export.export(trained_detector / "run", folder, name="earlier")
    return folder


@pytest.fixture(scope="module")
def eight_bits(
    trained_detector: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Exported]:
    """The run as a bundle of eight bits, and what its export reports."""
    folder = tmp_path_factory.mktemp("exported") / "eight-bits"
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        patch.setattr(detector_storage, "MAX_FALL", 1.0)
        return folder, detector_export.export(trained_detector / "run", folder, int8=True)


def test_a_larger_view_is_cut_into_as_many_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for radius in (400.0, 1065.0, 1330.0, 1704.0):
        height, width = detector_export.read_tile(radius)
        # IDRiD's field is 1,704 px in radius, in photographs 2,848 px high.
        view_height, view_width = 2848 / 1704 * radius, 2 * radius
        overlap = detector_export.READ_OVERLAP
        assert 3 * height - 2 * overlap >= view_height
        assert 2 * width - overlap >= view_width
        assert height % detector_export.STEP == width % detector_export.STEP == 0


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_run_becomes_a_bundle_that_reads(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(detector_export, "AT_ONCE", at_once)
    exported = detector_export.export(run, tmp_path / "bundle", name="tiny")
    assert exported.compared > 0
    assert exported.pixel_difference < 0.05  # of a network that has hardly learnt
    assert exported.score_difference < 1e-4
    manifest = bundles.load_detector(tmp_path / "bundle").manifest
    assert manifest.name == "tiny"
    assert manifest.classes == ("haemorrhage", "hard_exudate", "optic_disc")
    assert set(manifest.thresholds) == set(manifest.classes)
    assert manifest.trained_on.photographs == {"voc": 8}
    assert str(tmp_path) not in bundles_text(tmp_path / "bundle")
    loaded = detectors.load(tmp_path / "bundle", threads=2)
    config, _ = configs.of_run(run)
    photo = decode.decode_file(next((Path(config.data.annotations) / "JPEGImages").iterdir()))
    result = detectors.candidates(loaded, photo, field.find(photo))
    assert result
    scores = [lesion.score for lesion in result]
    assert scores == sorted(scores, reverse=True)
    for lesion in result:
        x0, y0, x1, y1 = lesion.box
        assert -1 <= x0 < x1 <= photo.facts.width + 1
        assert -1 <= y0 < y1 <= photo.facts.height + 1


def bundles_text(folder: Path) -> str:
    return (folder / bundles.MANIFEST).read_text() + (folder / bundles.CARD).read_text()


def test_the_card_and_the_manifest_tell_of_the_run_before(
    run: Path, detector_config: DetectorConfig, tmp_path: Path
) -> None:
    later = msgspec.structs.replace(detector_config, epochs=1, seed=9, start=str(run / "best.pt"))
    detector.train(later, tmp_path / "later")
    detector_export.export(tmp_path / "later", tmp_path / "bundle")
    trained = bundles.load_detector(tmp_path / "bundle").manifest.trained_on
    assert trained.seed == 9
    before = trained.configuration["start"]
    assert isinstance(before, dict)
    assert before["seed"] == detector_config.seed
    assert str(tmp_path) not in bundles_text(tmp_path / "bundle")


def test_a_run_on_other_kinds_is_no_start(
    run: Path, detector_config: DetectorConfig, tmp_path: Path
) -> None:
    data = msgspec.structs.replace(detector_config.data, kinds=("haemorrhage",))
    other = msgspec.structs.replace(detector_config, data=data, start=str(run / "best.pt"))
    with pytest.raises(UsageError, match="no weights of this network"):
        detector.train(other, tmp_path / "other")


def test_a_run_starts_from_a_bundle_and_learns_a_further_kind(
    run: Path,
    bundle: Path,
    detector_config: DetectorConfig,
    save_lesions: Callable[..., Path],
    tmp_path: Path,
) -> None:
    photos = {f"scar{i}": {"laser_scar": 3} for i in range(4)}
    scars = save_lesions(photos, {"train": list(photos)[:3], "val": list(photos)[3:]}, "scars")
    more = msgspec.structs.replace(
        detector_config,
        epochs=1,
        start=str(bundle),
        optimiser=msgspec.structs.replace(detector_config.optimiser, rate=1e-12),
        partial=(configs.Partial(str(scars), ("laser_scar",), share=0.3),),
    )
    detector.train(more, tmp_path / "second")
    before, after = (
        torch.load(folder / loop.BEST, weights_only=True)["network"]
        for folder in (run, tmp_path / "second")
    )
    name = "roi_heads.box_predictor.cls_score.weight"
    assert len(after[name]) == len(before[name]) + 1
    assert torch.allclose(before[name], after[name][: len(before[name])], atol=1e-3)


def test_thresholds_also_fit_the_photographs_of_further_sets(
    bundle: Path, detector_config: DetectorConfig, save_lesions: Callable[..., Path], tmp_path: Path
) -> None:
    photos = {f"other{i}": {"haemorrhage": 3, "hard_exudate": 2} for i in range(4)}
    other = save_lesions(photos, {"train": list(photos)[:2], "val": list(photos)[2:]}, "other")
    config = msgspec.structs.replace(
        detector_config,
        epochs=1,
        start=str(bundle),
        partial=(configs.Partial(str(other), ("haemorrhage",), share=0.3),),
    )
    detector.train(config, tmp_path / "second")
    exported = detector_export.export(tmp_path / "second", tmp_path / "bundle")
    manifest = bundles.load_detector(tmp_path / "bundle").manifest
    assert manifest.size_exponent == operating.SIZE_EXPONENT
    assert manifest.thresholds["haemorrhage"] < operating.NEVER
    # The other kind of that set is not declared, so it has no say.
    rows = [(each.name, each.kind, each.photographs, each.lesions) for each in exported.of_sets]
    assert rows == [("other", "haemorrhage", 2, 6)]
    assert "| other | haemorrhage | 2 | 6 |" in (tmp_path / "bundle" / bundles.CARD).read_text()


def test_a_run_starts_from_a_bundle_of_eight_bits(
    run: Path,
    eight_bits: tuple[Path, Exported],
    detector_config: DetectorConfig,
    tmp_path: Path,
) -> None:
    second = msgspec.structs.replace(
        detector_config,
        epochs=1,
        start=str(eight_bits[0]),
        optimiser=msgspec.structs.replace(detector_config.optimiser, rate=1e-12),
    )
    detector.train(second, tmp_path / "second")
    name = "roi_heads.box_head.fc7.weight"  # nothing is merged into it: only its bits are fewer
    before, after = (
        torch.load(folder / loop.BEST, weights_only=True)["network"][name]
        for folder in (run, tmp_path / "second")
    )
    assert not torch.equal(before, after)
    assert torch.allclose(before, after, atol=float(before.abs().max()) / 63)
    # It hardly moved, so its average with the bundle is the run again.
    average.average([(eight_bits[0], 0.5), (tmp_path / "second", 0.5)], tmp_path / "both")
    moved, averaged = (
        torch.load(tmp_path / name / loop.BEST, weights_only=True)["network"]
        for name in ("second", "both")
    )
    for key, values in moved.items():
        if "running" not in key and values.is_floating_point():
            assert torch.allclose(values, averaged[key], atol=1e-4), key
    with pytest.raises(UsageError, match="none of the runs started from it"):
        average.average([(eight_bits[0], 0.5), (run, 0.5)], tmp_path / "third")


def test_a_run_is_averaged_with_a_bundle(run: Path, bundle: Path, tmp_path: Path) -> None:
    later = shutil.copytree(run, tmp_path / "later")
    best = loop.read_checkpoint(later / loop.BEST)
    best["network"] = {
        key: value + 1 if value.is_floating_point() else value
        for key, value in best["network"].items()
    }
    torch.save(best, later / loop.BEST)
    average.average([(bundle, 0.25), (later, 0.75)], tmp_path / "both")
    before, after = (
        loop.read_checkpoint(f / loop.BEST)["network"] for f in (run, tmp_path / "both")
    )
    for name, values in before.items():
        if values.is_floating_point():
            assert torch.allclose(after[name], values + 0.75, atol=1e-3), name
    assert runs.averaged(tmp_path / "both") == {"earlier": 0.25, "later": 0.75}
    with pytest.raises(UsageError, match="is a bundle; name a run last"):
        average.average([(later, 0.75), (bundle, 0.25)], tmp_path / "third")


def test_a_bundle_of_other_kinds_is_no_start(
    bundle: Path, detector_config: DetectorConfig, tmp_path: Path
) -> None:
    data = msgspec.structs.replace(detector_config.data, kinds=("hard_exudate",))
    other = msgspec.structs.replace(detector_config, data=data, start=str(bundle))
    with pytest.raises(UsageError, match="no weights of this network"):
        detector.train(other, tmp_path / "other")


def test_data_that_changed_since_is_noticed(run: Path, tmp_path: Path) -> None:
    config, _ = configs.of_run(run)
    next((Path(config.data.annotations) / "Annotations").iterdir()).unlink()
    with pytest.raises(FundoscopeError):
        detector_export.export(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_run_without_an_epoch_is_rejected(
    detector_config: DetectorConfig, run: Path, tmp_path: Path
) -> None:
    (run / "best.pt").unlink()
    with pytest.raises(UsageError, match="no finished epoch"):
        detector_export.export(run, tmp_path / "bundle")


def test_boxes_that_differ_are_noticed() -> None:
    ours = DetectedBoxes(
        np.array([0]), np.array([[0.0, 0.0, 10.0, 10.0]]), np.array([1]), np.array([0.8])
    )
    assert [part.tolist() for part in detection_parity.difference(ours, ours)] == [[0.0], [0.0]]
    moved = replace(ours, boxes=ours.boxes + 2)
    assert detection_parity.difference(ours, moved)[0].tolist() == [2.0]
    other_kind = replace(ours, labels=np.array([2]))
    assert detection_parity.difference(ours, other_kind)[0].tolist() == [np.inf]
    nothing = DetectedBoxes(
        np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0)
    )
    assert detection_parity.difference(ours, nothing)[1].tolist() == [np.inf]


def test_eight_bits_are_recorded_and_read(run: Path, eight_bits: tuple[Path, Exported]) -> None:
    folder, exported = eight_bits
    assert exported.score_difference < 1e-4  # of the float graph against torch
    manifest = bundles.load_detector(folder).manifest
    assert manifest.stored is not None
    assert manifest.stored.weights == "int8"
    assert manifest.stored.cost.keys() == set(manifest.classes)
    config, _ = configs.of_run(run)
    photo = decode.decode_file(next((Path(config.data.annotations) / "JPEGImages").iterdir()))
    one, two = (detectors.load(folder, threads=n) for n in (1, 2))
    fov = field.find(photo)
    assert detectors.candidates(one, photo, fov) == detectors.candidates(two, photo, fov)


def test_a_second_box_of_a_landmark_costs_nothing() -> None:
    def boxes(*scores: float) -> Matched:
        """On a photograph with one disc, which the first box hits."""
        return Matched(np.array(scores), np.arange(len(scores)) == 0, 1)

    before, after = [boxes(0.9), boxes(0.3)], [boxes(0.9, 0.5), boxes(0.3)]
    assert detector_storage.cost({"optic_disc": before}, {"optic_disc": after}) == {
        "optic_disc": 0.0
    }
    assert detector_storage.cost({"drusen": before}, {"drusen": after})["drusen"] > 0


def test_a_fall_decides_whether_weights_are_stored_so() -> None:
    def tried(weights: str, **falls: float | None) -> bundles.Stored:
        return bundles.Stored(weights=weights, cost=falls)

    little = {"haemorrhage": 0.01, "microaneurysm": -0.2, "optic_disc": None}
    assert detector_storage.affordable(tried("int8", **little))
    assert not detector_storage.affordable(tried("float16", haemorrhage=0.02))
    with pytest.raises(FundoscopeError, match="precision of haemorrhage on validation by 0"):
        detector_storage.affordable(tried("int8", haemorrhage=0.02))


def test_an_average_of_runs_works_at_the_scale_of_the_last_and_says_so(
    run: Path, tmp_path: Path
) -> None:
    twin = shutil.copytree(run, tmp_path / "twin")
    stored = json.loads((twin / runs.CONFIG).read_text())
    stored["config"]["data"]["radius"] = 100
    (twin / runs.CONFIG).write_text(json.dumps(stored))
    best = runs.best(twin)
    best["network"] = {
        key: value + 1 if value.is_floating_point() else value
        for key, value in best["network"].items()
    }
    torch.save(best, twin / loop.BEST)
    average.average([(twin, 0.25), (run, 0.75)], tmp_path / "both")
    first = runs.best(run)["network"]
    for key, value in runs.best(tmp_path / "both")["network"].items():
        expected = first[key] + 0.25 if value.is_floating_point() else first[key]
        assert torch.allclose(value, expected, atol=1e-5), key
    average.average([(twin, 0.0), (run, 1.0)], tmp_path / "same")
    detector_export.export(tmp_path / "same", tmp_path / "bundle")
    manifest = bundles.load_detector(tmp_path / "bundle").manifest
    assert manifest.trained_on.averaged == {"twin": 0.0, "run": 1.0}
    assert manifest.radius == 86
    assert "average of the weights of the runs" in (tmp_path / "bundle" / "card.md").read_text()


def test_detectors_that_make_no_average_are_rejected(run: Path, tmp_path: Path) -> None:
    twin = shutil.copytree(run, tmp_path / "twin")
    parts = [(twin, 0.5), (run, 0.5)]
    with pytest.raises(UsageError, match="--size: is for graders"):
        average.average(parts, tmp_path / "both", size=64)
    stored = json.loads((twin / detector.DETECTOR).read_text())
    stored["kinds"] = stored["kinds"][::-1]
    (twin / detector.DETECTOR).write_text(json.dumps(stored))
    with pytest.raises(UsageError, match="twin: finds other lesions than"):
        average.average(parts, tmp_path / "both")
    assert not (tmp_path / "both").exists()
