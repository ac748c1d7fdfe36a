"""The heads that a detector can be trained with, by name."""

from __future__ import annotations

from typing import Final

from fundoscope.lesions import heads
from fundoscope.train.detection.boxes import head as boxes
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.head import Head
from fundoscope.train.detection.masks import head as masks

HEADS: Final[dict[str, Head]] = {heads.BOXES: boxes, heads.MASK: masks}
"""The heads by the names that configurations and bundles use."""


def of(config: DetectorConfig) -> Head:
    """The head that a configuration asks for."""
    return HEADS[config.head]
