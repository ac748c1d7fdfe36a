"""A further head is one object with the functions of a head, and one name in the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fundoscope.errors import UsageError
from fundoscope.lesions import heads
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.models.bundle import DetectorManifest
from fundoscope.train.detection import checks, registry, training
from fundoscope.train.detection import config as configs
from fundoscope.train.detection.config import Anchors, DetectorConfig
from fundoscope.train.detection.data import DetectionData
from fundoscope.train.detection.head import Counts, PhotographBoxes, TargetsOf, counted, means
from fundoscope.train.detection.parity import Difference
from fundoscope.train.detection.views.tile_draw import Tile
from fundoscope.train.detection.views.view import AnnotatedView, Progress
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop
from fundoscope.train.run.settings import require

NAME = "brightness"
LOSSES = ("loss_count",)


class Brightness:
    """Guesses from a tile's mean colours how many lesions it shows; finds one box of everything."""

    def check(self, config: DetectorConfig, title: str) -> None:
        require(config.draw.turns, title, "draw.turns", config.draw.turns, "turn the tiles")

    def anchors(self, config: DetectorConfig, train: Sequence[AnnotatedView]) -> Anchors:
        return ()

    def digest(self, config: DetectorConfig, train: Sequence[AnnotatedView], images: Path) -> bytes:
        return b""

    def create(
        self,
        config: DetectorConfig,
        kinds: Sequence[str],
        anchors: Anchors,
        *,
        init: str,
        reading: bool = False,
    ) -> nn.Module:
        return nn.Linear(3, len(kinds))

    def start(self, network: nn.Module, stored: Mapping[str, Tensor]) -> None:
        network.load_state_dict(stored)

    def targets(
        self, config: DetectorConfig, data: DetectionData, progress: Progress | None
    ) -> TargetsOf:
        def counts(tiles: Sequence[Tile], device: torch.device) -> Tensor:
            length = len(data.kinds) + 1
            rows = [np.bincount(tile.labels, minlength=length)[1:] for tile in tiles]
            return torch.from_numpy(np.stack(rows)).float().to(device)

        return counts

    def loss(self, network: nn.Module, pixels: Tensor, targets: Tensor) -> tuple[Tensor, Counts]:
        loss = (network(pixels.mean((2, 3))) - targets).square().mean()
        return loss, counted([loss])

    def summarise(self, counts: Counts) -> dict[str, Any]:
        steps, *losses = counts.tolist()
        return dict(means(LOSSES, losses, steps))

    def detect(
        self,
        network: nn.Module,
        views: Sequence[AnnotatedView],
        kinds: Sequence[str],
        config: DetectorConfig,
        device: torch.device,
    ) -> PhotographBoxes:
        result = []
        for view in views:
            height, width = view.pixels.shape[:2]
            whole = np.array([[0.0, 0.0, width, height]])
            result.append(
                DetectedBoxes(np.zeros(1, np.int64), whole, np.ones(1, np.int64), np.ones(1))
            )
        return PhotographBoxes(result, {"further": 1})

    def to_onnx(
        self,
        network: nn.Module,
        config: DetectorConfig,
        val: Sequence[AnnotatedView],
        at_once: int,
    ) -> bytes:
        return b""

    def parity(
        self,
        network: nn.Module,
        model: bytes,
        config: DetectorConfig,
        val: Sequence[AnnotatedView],
        at_once: int,
    ) -> Difference:
        return Difference(0, 0.0, 0.0)

    def manifest_fields(self, detector: Detector, val: Sequence[AnnotatedView]) -> dict[str, Any]:
        return {}

    def float_layers(self) -> tuple[str, ...]:
        return ()

    def output_text(self, manifest: DetectorManifest) -> str:
        return "numbers"


@pytest.fixture
def chosen(detector_config: DetectorConfig, monkeypatch: pytest.MonkeyPatch) -> DetectorConfig:
    """A configuration of one step with a third head."""
    monkeypatch.setitem(registry.HEADS, NAME, Brightness())
    draw = configs.Draw(tiles=detector_config.optimiser.batch)
    return configs.replaced(detector_config, head=NAME, epochs=1, draw=draw)


def test_a_third_head_is_one_name_and_trains(chosen: DetectorConfig, tmp_path: Path) -> None:
    training.train(chosen, tmp_path / "run")
    (line,) = runs.metrics(tmp_path / "run")
    assert line["step"] == 1
    assert set(line["training"]) == {*LOSSES}
    assert line["training"]["loss_count"] > 0
    assert line["further"] == 1
    assert line["score"] == 0
    assert set(runs.best(tmp_path / "run")["network"]) == {"weight", "bias"}
    assert configs.of_run(tmp_path / "run")[0] == chosen
    again = configs.replaced(chosen, start=str(tmp_path / "run" / loop.BEST))
    training.train(again, tmp_path / "again")
    assert len(runs.metrics(tmp_path / "again")) == 1


def test_a_head_checks_its_own_settings(chosen: DetectorConfig) -> None:
    checks.check(chosen, "mine.toml")
    without = configs.replaced(chosen, draw=configs.Draw(turns=False))
    with pytest.raises(UsageError, match=r"draw\.turns = False: .* turn the tiles"):
        checks.check(without, "mine.toml")


def test_every_head_that_can_be_read_can_be_trained() -> None:
    assert set(registry.HEADS) == set(heads.HEADS)
