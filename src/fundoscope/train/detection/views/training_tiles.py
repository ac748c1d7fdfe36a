"""The tiles of training as a network sees them: drawn at random, with varied colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.random import Generator

from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.views import tile_draw
from fundoscope.train.detection.views.tile_draw import Drawer, Tile
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
    ) -> None:
        """Take the training photographs.

        Args:
            train: the annotated photographs.
            kinds: the class list.
            config: the settings of drawing.
            further: other sets, with the share of the tiles that are drawn from each.
        """
        size, draw = sides(config.data.tile), config.draw
        self._drawer = Drawer(train, kinds, size, draw)
        self._further = [
            (share, Drawer(views, kinds, size, draw)) for share, views in further if share and views
        ]
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
        places = [self._next(random).place(random) for _ in range(count)]
        tiles = [tile_draw.cut(place) for place in places]
        pixels = torch.from_numpy(np.stack([tile.pixels for tile in tiles])).to(device)
        return augment.recolour(pixels, generator, self._jitter), tiles

    def _next(self, random: Generator) -> Drawer:
        """Who draws the next tile: each set has its share, the first has the rest."""
        if not self._further:
            return self._drawer
        drawn = random.random()
        for share, drawer in self._further:
            if drawn < share:
                return drawer
            drawn -= share
        return self._drawer
