"""Reading a detector's configuration from its TOML file, and rejecting invalid values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from fundoscope import kinds
from fundoscope.train.detection import registry
from fundoscope.train.detection.config import DETECTOR, DetectorConfig, Recolour
from fundoscope.train.networks import augment
from fundoscope.train.run import settings
from fundoscope.train.run.settings import require, sides

SMALLEST_TILE: Final = 32
"""Pixels: one cell of the coarsest stride of most backbones."""
BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "data.radius": (SMALLEST_TILE, 10_000),
    "data.overlap": (0, math.inf),
    "data.validation": (0, math.inf),
    "shape.channels": (1, math.inf),
    "shape.hidden": (1, math.inf),
    "shape.proposals_kept": (1, math.inf),
    "shape.detections": (1, math.inf),
    "shape.least_score": (0, 1),
    "shape.suppress": (0, 1),
    "shape.sampled": (1, math.inf),
    "shape.positive": (0, 1),
    "shape.near": (0, 1),
    "shape.far": (0, 1),
    "draw.tiles": (1, math.inf),
    "draw.anywhere": (0, 1),
    "draw.anatomy": (0, math.inf),
    "draw.scale": (0, 4),
    **{f"recolour.{key}": augment.BOUNDS[key] for key in Recolour.__struct_fields__},
    "healthy.share": (0, 1),
    "healthy.validation": (1, math.inf),
    "healthy.pasted": (0, 1),
    "healthy.around": (0, 1),
    "epochs": (1, math.inf),
}
"""The lowest and the highest valid value of each number, besides those of every task
(:data:`fundoscope.train.run.settings.TRAINING_BOUNDS`)."""


def read_config(path: Path) -> DetectorConfig:
    """Read a TOML configuration.

    Raises:
        UsageError: the file cannot be read, or holds an unknown key or an invalid value.
    """
    return settings.read(path, DetectorConfig, DETECTOR, check=check)


def check(config: DetectorConfig, title: str) -> None:
    """Reject invalid values.

    Args:
        config: a configuration.
        title: how messages call it.

    Raises:
        UsageError: names the key and the values that it takes.
    """
    settings.require_known(config, {"head": tuple(registry.HEADS)}, title)
    settings.require_training(config, title)
    settings.require_within(config, BOUNDS, title)
    validation = config.data.validation
    valid = not (config.data.val and validation)
    remedy = "leave it out, data.val names the photographs"
    require(valid, title, "data.validation", validation, remedy)
    _check_tile(config, title)
    _check_kinds(config.data.kinds, title)
    _check_further(config, title)
    registry.of(config).check(config, title)


def _check_tile(config: DetectorConfig, title: str) -> None:
    tile, overlap = config.data.tile, config.data.overlap
    side = min(sides(tile))
    require(side >= SMALLEST_TILE, title, "data.tile", tile, f"write {SMALLEST_TILE} or more")
    require(overlap < side, title, "data.overlap", overlap, f"write less than a tile, {side}")


def _check_further(config: DetectorConfig, title: str) -> None:
    healthy = config.healthy
    valid = bool(healthy.grades) and set(healthy.grades) <= {0, 1}
    require(valid, title, "healthy.grades", healthy.grades, "write 0, or 0 and 1")
    named = bool(config.data.masks) or not healthy.pasted
    require(
        named, title, "healthy.pasted", healthy.pasted, "name data.masks, which cut lesions out"
    )
    for partial in config.partial:
        require(0 <= partial.share <= 1, title, "partial.share", partial.share, "write 0 to 1")
        require(bool(partial.kinds), title, "partial.kinds", partial.kinds, "write the kinds")
        _check_kinds(partial.kinds, title)
    shares = healthy.share + sum(partial.share for partial in config.partial)
    require(
        shares < 1, title, "healthy.share and partial.share", shares, "write less than 1 in all"
    )


def _check_kinds(wanted: tuple[str, ...], title: str) -> None:
    for name in wanted:
        near = kinds.nearest(name)
        remedy = f"write {near}" if near else f"write some of {', '.join(kinds.KINDS)}"
        require(name in kinds.KINDS, title, "data.kinds", name, remedy)
    twice = next((name for name in wanted if wanted.count(name) > 1), None)
    require(twice is None, title, "data.kinds", twice, "write each kind once")
