"""The photographs, the size and the learning rate of each step of a run.

Everything here is a function of the seed and the step, so a run that was killed and resumed gives
the same result as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.train.run.optimisers import Optimiser

if TYPE_CHECKING:
    import torch

PERMUTATION, AUGMENTATION, DROPOUT = range(3)
"""Streams of randomness."""
RANKS: Final = 1_000_000
"""Distance between the steps of two processes in the stream of augmentation."""

PictureSize = int | tuple[int, int]
"""Side of a square in pixels, or height and width."""
Positions = NDArray[np.int64]


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some epochs at one size.

    Attributes:
        size: of the pictures.
        epochs: their number.
        frozen: number of the network's first parts whose weights and statistics do not change. They
            work on the largest maps and learn least: with two of EfficientNet-Lite0 frozen, a step
            takes a quarter less time.
    """

    size: PictureSize
    epochs: int
    frozen: int = 0

    @property
    def pixels(self) -> int:
        """Pixels of a photograph; the time of a step is proportional to them."""
        return self.size**2 if isinstance(self.size, int) else math.prod(self.size)


@dataclass(frozen=True)
class Plan:
    """The steps of a run; steps and epochs count from 0.

    Attributes:
        shapes: a number for each training photograph, from 0; a batch holds photographs of one
            number.
        stages: one after the other.
        optimiser: batch and learning rate.
        seed: of every permutation.
        checkpoint_every: steps between two check-points.
        patience: the run ends after this number of epochs without a better one; 0: never.
        times: how often an epoch shows each photograph; ``None``: once.
    """

    shapes: Positions
    stages: Sequence[Stage]
    optimiser: Optimiser
    seed: int
    checkpoint_every: int
    patience: int = 0
    times: NDArray[np.float64] | None = None

    @property
    def epochs(self) -> int:
        """Number of epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    @cached_property
    def steps_an_epoch(self) -> int:
        """Number of full batches; where no shape fills one, one smaller batch."""
        shown = np.bincount(self.shapes, self._whole())
        for members, count in self._shared:
            shown[self.shapes[members[0]]] += count
        return max(1, int((shown // self.optimiser.batch).sum()))

    @property
    def steps(self) -> int:
        """Number of steps of all epochs."""
        return self.epochs * self.steps_an_epoch

    def stage(self, epoch: int) -> Stage:
        """The stage of an epoch."""
        return [stage for stage in self.stages for _ in range(stage.epochs)][epoch]

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return self.optimiser.rate_of(step, self.steps)

    def positions(self, step: int) -> Positions:
        """The photographs of a step: its part of the epoch's permutation."""
        epoch, index = divmod(step, self.steps_an_epoch)
        random = np.random.default_rng((self.seed, PERMUTATION, epoch))
        return self._batches(random.permutation(self._shown(random)))[index]

    def _shown(self, random: np.random.Generator) -> Positions:
        """The photographs that an epoch shows; one that is shown twice occurs twice."""
        every = np.repeat(np.arange(len(self.shapes)), self._whole())
        drawn = [random.choice(members, count, False) for members, count in self._shared]
        return np.concatenate((every, *drawn))

    def _whole(self) -> Positions:
        """The number of times that every epoch shows each photograph at least."""
        if self.times is None:
            return np.ones(len(self.shapes), np.int64)
        return self.times.astype(np.int64)

    @cached_property
    def _shared(self) -> list[tuple[Positions, int]]:
        """Photographs of one shape, and the number of them that an epoch shows once more.

        Cached, because every step needs it.
        """
        if self.times is None:
            return []
        parts = self.times % 1
        shared = []
        for shape, part in sorted(set(zip(self.shapes.tolist(), parts.tolist(), strict=True))):
            members = np.flatnonzero((self.shapes == shape) & (parts == part))
            if count := round(part * len(members)):
                shared.append((members, count))
        return shared

    def _batches(self, order: Positions) -> list[Positions]:
        """Batches of one shape each, in the order in which the permutation fills them."""
        size, shapes = self.optimiser.batch, self.shapes[order]
        filled: list[tuple[int, Positions]] = []
        for shape in np.unique(shapes):
            places = np.flatnonzero(shapes == shape)
            for start in range(0, len(places) - size + 1, size):
                batch = places[start : start + size]
                filled.append((int(batch[-1]), order[batch]))
        if not filled:
            return [order[shapes == np.bincount(shapes).argmax()]]
        return [batch for _, batch in sorted(filled, key=lambda pair: pair[0])]


def shared(stages: Sequence[Stage], epochs: int) -> tuple[Stage, ...]:
    """Stages that share a number of epochs.

    Each stage gets at least one, in about the given proportions. Where there are fewer epochs than
    stages, the first stages are left out: the last one has the size of the bundle's input.

    Args:
        stages: one or more.
        epochs: at least 1.
    """
    stages = stages[-epochs:]
    total = sum(stage.epochs for stage in stages)
    counts = [max(1, epochs * stage.epochs // total) for stage in stages]
    while sum(counts) > epochs:  # the longest stage pays for stages raised to one epoch
        counts[counts.index(max(counts))] -= 1
    counts[-1] += epochs - sum(counts)
    pairs = zip(stages, counts, strict=True)
    return tuple(msgspec.structs.replace(stage, epochs=count) for stage, count in pairs)


def generator_for(seed: int, stream: int, step: int) -> torch.Generator:
    """The generator of one step of one stream of randomness."""
    import torch

    value = np.random.SeedSequence((seed, stream, step)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(value >> np.uint64(1)))
