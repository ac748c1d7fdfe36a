"""A picture of training tiles with their boxes, to look at before training."""

from __future__ import annotations

from pathlib import Path

from fundoscope.errors import OutputError
from fundoscope.train.detection import sheets, training
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.data import DetectionData
from fundoscope.train.detection.views.training_tiles import TrainingTiles
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import AUGMENTATION, generator_for

ROWS, COLUMNS = 3, 4
"""Tiles below and beside each other."""


def draw(
    config: DetectorConfig, path: Path, listeners: Listeners[DetectionData] | None = None
) -> None:
    """Draw tiles as training shows them, with their boxes.

    Args:
        config: of the run; its seed chooses the tiles.
        path: the picture; its ending says which format.
        listeners: callbacks that report the photographs and the data.

    Raises:
        TableError, PhotoError, UsageError: as :func:`training.read_data`.
        OutputError: the picture cannot be written.
    """
    import torch

    listeners = listeners or Listeners()
    data = training.read_data(config, listeners.picture)
    if listeners.data is not None:
        listeners.data(data)
    tiles = TrainingTiles(data.train, data.kinds, config, data.further(config), data.coverage)
    generator = generator_for(config.seed, AUGMENTATION, 0)
    changed, drawn = tiles.draw(ROWS * COLUMNS, generator, torch.device("cpu"))
    pixels = changed.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    cells = [
        sheets.framed(shown, tile.boxes, tile.labels, data.kinds)
        for shown, tile in zip(pixels, drawn, strict=True)
    ]
    title = "tiles as training shows them"
    picture = sheets.titled(sheets.arranged(cells, COLUMNS), data.kinds, title)
    try:
        picture.save(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        remedy = "name a .png file in a folder that exists"
        raise OutputError(str(path), f"cannot be written ({why})", remedy) from None
