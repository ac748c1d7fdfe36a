"""The tiles of training as a network sees them: drawn at random, with varied colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.random import Generator

from fundoscope.kinds import ANATOMY
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.views.coverage import MaskTargets
from fundoscope.train.detection.views.tile_draw import Drawer, Tile
from fundoscope.train.detection.views.transplant import transplant
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.networks import augment
from fundoscope.train.networks.augment import Jitter
from fundoscope.train.run.settings import sides

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SEEDS: Final = 2**62
"""Seeds that numpy's generator is given."""


class TrainingTiles:
    """Draws training tiles; which ones follows from the generator alone."""

    def __init__(
        self,
        train: Sequence[AnnotatedView],
        kinds: Sequence[str],
        config: DetectorConfig,
        further: Sequence[tuple[float, Sequence[AnnotatedView]]] = (),
        coverage: MaskTargets | None = None,
    ) -> None:
        """Take the training photographs.

        Args:
            train: the annotated photographs.
            kinds: the class list.
            config: the settings of drawing.
            further: other sets, with the share of the tiles that are drawn from each; the first
                one holds healthy eyes.
            coverage: masks of ``train``; with them lesions are put onto healthy eyes.
        """
        size, draw = sides(config.data.tile), config.draw
        self._drawer = Drawer(train, kinds, size, draw)
        self._further = [
            (share, Drawer(views, kinds, size, draw, around=config.healthy.around), place == 0)
            for place, (share, views) in enumerate(further)
            if share and views
        ]
        self._coverage, self._pasted = coverage, config.healthy.pasted
        self._lesions = [place for place, kind in enumerate(kinds) if kind not in ANATOMY]
        self._jitter = Jitter(**msgspec.to_builtins(config.recolour))

    def draw(
        self, count: int, generator: torch.Generator, device: torch.device
    ) -> tuple[Tensor, list[Tile]]:
        """The pixels of some tiles, float ``(N, 3, H, W)`` of 0 to 255, and the tiles.

        The pixels of the tiles themselves have the colours of the photograph.

        Raises:
            UsageError: a view is missing from the cache.
        """
        import torch

        seed = int(torch.randint(SEEDS, (), generator=generator))
        random = np.random.default_rng(seed)
        tiles = [self._next(random) for _ in range(count)]
        pixels = torch.from_numpy(np.stack([tile.pixels for tile in tiles])).to(device)
        return augment.recolour(pixels, generator, self._jitter), tiles

    def _next(self, random: Generator) -> Tile:
        """The next tile: each further set has its share, the first has the rest."""
        drawn = random.random() if self._further else 1.0
        for share, drawer, healthy in self._further:
            if drawn < share:
                tile = drawer.draw(random)
                paste = healthy and self._coverage is not None and random.random() < self._pasted
                return self._with_lesions(tile, random) if paste else tile
            drawn -= share
        return self._drawer.draw(random)

    def _with_lesions(self, healthy: Tile, random: Generator) -> Tile:
        """A healthy tile with the lesions of an annotated one."""
        assert self._coverage is not None
        donor = self._drawer.draw(random)
        lesions = np.isin(donor.labels - 1, self._lesions)
        donor = replace(donor, boxes=donor.boxes[lesions], labels=donor.labels[lesions])
        coverage = self._coverage.on_tile(donor.place)[self._lesions].max(axis=0)
        return transplant(healthy, donor, coverage)
