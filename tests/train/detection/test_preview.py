"""The preview of training tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.errors import OutputError
from fundoscope.kinds import KINDS
from fundoscope.train.detection import config as configs
from fundoscope.train.detection import preview
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.run.listeners import Listeners


def test_a_preview_shows_tiles_as_training_does(
    detector_config: DetectorConfig, tmp_path: Path
) -> None:
    seen: list[object] = []
    preview.draw(detector_config, tmp_path / "a.png", Listeners(data=seen.append))
    preview.draw(detector_config, tmp_path / "b.png")
    preview.draw(configs.replaced(detector_config, seed=2), tmp_path / "c.png")
    first, again, other = (
        np.asarray(Image.open(tmp_path / name)) for name in ("a.png", "b.png", "c.png")
    )
    assert len(seen) == 1
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)
    body = first[-3 * 68 :]
    for kind in ("haemorrhage", "hard_exudate"):
        assert (body == KINDS[kind].colour).all(axis=-1).sum() > 20


@pytest.mark.parametrize("name", ["sheet.docx", "no/folder/sheet.png"])
def test_a_picture_that_cannot_be_written(
    detector_config: DetectorConfig, tmp_path: Path, name: str
) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        preview.draw(detector_config, tmp_path / name)
