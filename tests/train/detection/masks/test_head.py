"""The ``mask`` head, from training to boxes on a photograph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

pytest.importorskip("onnx")

from fundoscope.errors import BundleError, UsageError
from fundoscope.lesions import detector as detectors
from fundoscope.lesions import heads, tiles
from fundoscope.lesions.components import Components
from fundoscope.models import bundle as bundles
from fundoscope.photo import decode, field
from fundoscope.train.detection import checks, small_photographs
from fundoscope.train.detection import config as configs
from fundoscope.train.detection import export as detector_export
from fundoscope.train.detection import parity as detection_parity
from fundoscope.train.detection import training as detector
from fundoscope.train.detection.config import DetectorConfig, MaskDecoder
from fundoscope.train.detection.masks import head as mask_head
from fundoscope.train.detection.masks import levels as mask_levels
from fundoscope.train.detection.task import DetectionTask
from fundoscope.train.detection.views import operating
from fundoscope.train.run import curves, loop
from fundoscope.train.run import folder as runs
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import generator_for

KINDS = ("haemorrhage", "hard_exudate", "optic_disc")


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector_export, "READ_TILE", (128, 128))
    monkeypatch.setattr(detector_export, "READ_OVERLAP", 16)
    monkeypatch.setattr(detection_parity, "COMPARED_SIDES", ((64, 64), (64, 96)))
    monkeypatch.setattr(small_photographs, "SCALES", (1.0, 0.5))


@pytest.fixture
def mask_config(detector_config: DetectorConfig, lesion_masks: Path) -> DetectorConfig:
    data = msgspec.structs.replace(detector_config.data, masks=str(lesion_masks))
    return msgspec.structs.replace(
        detector_config, head=heads.MASK, data=data, painter=MaskDecoder((8, 8, 8, 8, 8))
    )


@pytest.fixture
def task(mask_config: DetectorConfig, tmp_path: Path) -> DetectionTask:
    data = detector.read_data(mask_config)
    assert data.anchors == ()
    return detector.task_of(mask_config, data, torch.device("cpu"), tmp_path, None)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"healthy": configs.Healthy(("labels.csv",), share=0.3)}, r"healthy\.share = 0\.3"),
        (
            {"partial": (configs.Partial("scars", ("laser_scar",), share=0.3),)},
            r"partial\.annotations = scars",
        ),
    ],
)
def test_photographs_without_masks_are_refused_before_the_training(
    mask_config: DetectorConfig, changes: dict[str, object], key: str
) -> None:
    checks.check(mask_config, "mine.toml")
    with pytest.raises(UsageError, match=f"{key}: is not valid; leave it out"):
        checks.check(msgspec.structs.replace(mask_config, **changes), "mine.toml")


def maps_of(network: torch.nn.Module, task: DetectionTask) -> np.ndarray:
    """The maps of the first validation photograph."""
    kinds = len(task.kinds)
    return mask_head.maps(network, task.val[0], kinds, task.config, torch.device("cpu"))


class Copying(torch.nn.Module):
    """Gives maps of what has the colour of a kind of this folder's drawn eyes."""

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        red, green, blue = (tiles * 128 + 127).unbind(1)
        # The field's rim is as dark as a haemorrhage, but not as red.
        dark = (red > 60) & (red < 120) & (green < 0.3 * red)
        planes = dark, green > 222, (red > 240) & (blue > 135)
        return torch.stack(planes, 1).float() * 12 - 6


def test_a_batch_shows_the_masks_of_its_tiles(task: DetectionTask) -> None:
    pixels, (target, weight) = task.batch(np.arange(8), 64, generator_for(1, 1, 0))
    assert pixels.shape == target.shape == weight.shape == (8, 3, 64, 64)
    assert 0 <= target.min() < target.max() == 1
    same_pixels, (same_target, same_weight) = task.batch(np.arange(8), 64, generator_for(1, 1, 0))
    assert torch.equal(pixels, same_pixels)
    assert torch.equal(target, same_target)
    assert torch.equal(weight, same_weight)
    # Where the target says haemorrhage it is dark, where it says exudate it is bright.
    dark, bright = (pixels[:, 1][target[:, kind] > 0.9].mean() for kind in (0, 1))
    assert dark < pixels[:, 1].mean() < bright


def test_a_network_with_the_right_maps_finds_all(task: DetectionTask) -> None:
    each = task.val[0]
    maps = maps_of(Copying(), task)
    assert maps.shape == (3, *each.pixels.shape[:2])
    figures = task.evaluate(Copying(), 64, 0)
    assert figures["score"] > 0.95
    assert figures["average_precision"]["haemorrhage"] > 0.95
    assert set(figures["levels"]) == set(KINDS)
    assert set(figures["levels"].values()) <= set(mask_levels.LEVELS)


def test_maps_of_tiles_lie_where_the_tiles_lie(task: DetectionTask) -> None:
    each = task.val[0]
    found = maps_of(Copying(), task)
    shown = tiles.cut(each.view, (0, 0), *(-(-side // 32) * 32 for side in each.pixels.shape[:2]))
    with torch.inference_mode():
        pixels = torch.from_numpy(np.array(shown)).permute(2, 0, 1)[None].float()
        whole = Copying()(task.normalisation(pixels)).sigmoid()[0] * 255
    rows, columns = each.pixels.shape[:2]
    y, x = np.mgrid[:rows, :columns] + 0.5
    inside = np.hypot(x - each.view.centre[0], y - each.view.centre[1]) < each.view.radius
    wanted = whole.round().to(torch.uint8).numpy()[:, :rows, :columns]
    assert np.array_equal(found[:, inside], wanted[:, inside])


def test_losses_are_reported_by_name(task: DetectionTask) -> None:
    batch = task.batch(np.arange(2), 64, generator_for(1, 1, 0))
    loss, counts = task.loss(Copying(), batch)
    reported = task.summarise(counts)
    assert set(reported) == set(mask_head.LOSSES)
    assert sum(reported.values()) == pytest.approx(float(loss), abs=1e-4)


def test_the_level_is_that_of_the_best_precision_and_recall(task: DetectionTask) -> None:
    def found(count: int) -> Components:
        boxes = task.val[0].boxes[task.val[0].labels == 1][:count]
        return Components(boxes, np.ones(len(boxes)), np.ones(len(boxes), np.int64))

    by_level = {level: found(round(4 * level)) for level in mask_levels.LEVELS}
    by_level[0.7] = found(0)
    nothing = dict.fromkeys(mask_levels.LEVELS, found(0))
    seen = [{"haemorrhage": by_level, "hard_exudate": nothing}]
    levels = mask_levels.choose(seen, task.val[:1], ("haemorrhage", "hard_exudate"))
    assert levels["haemorrhage"] == 0.5  # 0.4, 0.5 and 0.6 find two of three
    # None is better than another: the one in the middle.
    assert levels["hard_exudate"] == mask_levels.LEVELS[len(mask_levels.LEVELS) // 2]
    assert operating.level({0.3: [], 0.5: []}) == 0.5  # validation does not show the kind


@pytest.mark.slow
def test_a_run_becomes_a_bundle_that_reads(mask_config: DetectorConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"

    def kill(report):
        if report.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detector.train(mask_config, run, listeners=Listeners(step=kill))
    detector.train(mask_config, run)
    lines = runs.metrics(run)
    assert [line["epoch"] for line in lines] == [0, 1]
    assert set(lines[0]["training"]) == set(mask_head.LOSSES)
    curves.draw(run)
    assert (run / curves.NAME).is_file()
    exported = detector_export.export(run, tmp_path / "bundle")
    assert exported.score_difference <= 1 / 255
    manifest = bundles.load_detector(tmp_path / "bundle").manifest
    assert (manifest.head, manifest.classes) == (heads.MASK, KINDS)
    assert set(manifest.levels) == set(manifest.thresholds) == set(KINDS)
    text = (tmp_path / "bundle" / bundles.MANIFEST).read_text()
    card = (tmp_path / "bundle" / bundles.CARD).read_text()
    assert str(tmp_path) not in text + card
    assert "of each kind a map" in card
    loaded = detectors.load(tmp_path / "bundle", threads=2)
    photo = decode.decode_file(next((Path(mask_config.data.annotations) / "JPEGImages").iterdir()))
    for lesion in detectors.candidates(loaded, photo, field.find(photo)):
        x0, y0, x1, y1 = lesion.box
        assert -1 <= x0 < x1 <= photo.facts.width + 1
        assert -1 <= y0 < y1 <= photo.facts.height + 1
    model = (tmp_path / "bundle" / bundles.MODEL).read_bytes()
    for fields in ({"levels": {}}, {"classes": KINDS[:2]}):
        bundles.write(tmp_path / "bad", replace(manifest, **fields), model, "")
        with pytest.raises(BundleError, match="cannot be used"):
            detectors.load(tmp_path / "bad")


@pytest.mark.slow
def test_it_starts_from_the_backbone_of_a_detector_of_boxes(
    detector_config: DetectorConfig, mask_config: DetectorConfig, tmp_path: Path
) -> None:
    detector.train(configs.replaced(detector_config, epochs=1), tmp_path / "boxes")
    start = tmp_path / "boxes" / loop.BEST
    still = msgspec.structs.replace(mask_config.optimiser, rate=1e-12)
    chosen = configs.replaced(mask_config, epochs=1, start=str(start), optimiser=still)
    detector.train(chosen, tmp_path / "mask")
    name = "blocks.3.0.conv_pw.weight"
    ours = loop.read_checkpoint(tmp_path / "mask" / loop.BEST)["network"][f"body.{name}"]
    theirs = loop.read_checkpoint(start)["network"][f"backbone.body.{name}"]
    assert torch.allclose(ours, theirs, atol=1e-6)
    wider = configs.replaced(
        chosen,
        start=str(tmp_path / "mask" / loop.BEST),
        painter=msgspec.to_builtins(MaskDecoder((8, 8, 8, 8, 16))),
    )
    with pytest.raises(UsageError, match="holds no weights of this network"):
        detector.train(wider, tmp_path / "wider")


def test_a_configuration_without_masks_or_of_unknown_heads_is_refused(
    mask_config: DetectorConfig,
) -> None:
    for changed, key in (
        ({"data": {"masks": ""}}, "data.masks"),
        ({"data": {"tile": 72}}, "data.tile"),
        ({"painter": {"widths": (8, 8, 8, 8, 0)}}, "painter.widths"),
        ({"head": "outlines"}, "head"),
    ):
        with pytest.raises(UsageError, match=key):
            checks.check(configs.replaced(mask_config, **changed), "test.toml")


def test_other_masks_are_another_run(mask_config: DetectorConfig, lesion_masks: Path) -> None:
    before = detector.read_data(mask_config).sha256
    assert before != detector.read_data(configs.replaced(mask_config, head=heads.BOXES)).sha256
    path = next(lesion_masks.glob("eye00_haemorrhage*"))
    path.write_bytes((lesion_masks / path.name.replace("eye00", "eye01")).read_bytes())
    assert detector.read_data(mask_config).sha256 != before
