"""A sheet of augmented photographs, to look at before training."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from fundoscope.data.manifest import Manifest
from fundoscope.errors import OutputError, UsageError
from fundoscope.train.grading import photographs, pictures
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.grading.training import shown_size
from fundoscope.train.networks import augment
from fundoscope.train.run.plan import AUGMENTATION, generator_for

PHOTOGRAPHS, VERSIONS = 6, 7
"""Rows of the sheet, and augmented versions beside each photograph as it is."""
GAP: Final = 4
SPREAD: Final = 4
"""Stream of randomness that chooses the photographs."""


def draw(config: GraderConfig, path: Path) -> None:
    """Draw a sheet: each row a training photograph as it is, then as training shows it.

    Args:
        config: of the run; its last stage gives the size, its seed chooses the photographs.
        path: of the picture; the ending chooses its format.

    Raises:
        UsageError: the configuration or the table does not fit.
        OutputError: the picture cannot be written.
    """
    table = photographs.read(config.data.manifest)
    shown: list[pictures.Pixels] = []
    for photograph, trusted in _in_random_order(table, config):
        picture = pictures.make(photograph, config.data.wanted, trusted=trusted)
        if not isinstance(picture, str):
            shown.append(_row(picture, config, len(shown)))
        if len(shown) == PHOTOGRAPHS:
            break
    if not shown:
        raise UsageError(
            table.path.name,
            "has no training photograph with a field of view",
            "check the column split and the photographs",
        )
    try:
        Image.fromarray(_stacked(shown)).save(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        remedy = "name a .png file in an existing folder"
        raise OutputError(str(path), f"cannot be written ({why})", remedy) from None


def _in_random_order(table: Manifest, config: GraderConfig) -> list[tuple[Path, bool]]:
    """The training photographs, and whether each is trusted to show a retina."""
    rows = photographs.choose(table, config.data, config.seed)
    training = [(table.photograph(row), False) for row in rows if row.split == photographs.TRAIN]
    for further in photographs.read_also(config.data, table):
        training += [(further.photograph(row), True) for row in further.rows]
    random = np.random.default_rng((config.seed, SPREAD))
    return [training[i] for i in random.permutation(len(training))]


def _row(picture: pictures.Pixels, config: GraderConfig, number: int) -> pictures.Pixels:
    """A photograph and its augmented versions, side by side."""
    import torch

    height, width = picture.shape[:2]
    size = shown_size(config, height, width, config.stages[-1].size)
    batch = torch.from_numpy(np.stack([picture] * VERSIONS))
    generator = generator_for(config.seed, AUGMENTATION, number)
    changed = augment.augment(batch, size, generator, config.jitter)
    planes = torch.cat((augment.resize(batch[:1], size), changed))
    tiles = planes.round().clamp(0, augment.FULL).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    padded = np.pad(tiles, ((0, 0), (GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255)
    return np.concatenate(list(padded), axis=1)


def _stacked(rows: list[pictures.Pixels]) -> pictures.Pixels:
    """Rows of any width below each other, padded with white."""
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in rows
    ]
    return np.concatenate(padded)
