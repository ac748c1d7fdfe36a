"""The progress of a run: steps, speed and time left."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from fundoscope.train.run.plan import PictureSize, Plan

MEMORY: Final = 0.98
"""Weight of the earlier steps in the running mean of the time per pixel."""


@dataclass(frozen=True, slots=True)
class Report:
    """The progress of a run after a step.

    Attributes:
        step: number of steps that are done.
        steps: number of all steps.
        epoch: of the step, from 0.
        epochs: number of all epochs.
        size: of the pictures.
        loss: of the step.
        photographs_a_second: the current speed.
        seconds_left: of training, without evaluation.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    size: PictureSize
    loss: float
    photographs_a_second: float
    seconds_left: float


@dataclass(slots=True)
class Speed:
    """The current speed of a run, and the time left."""

    plan: Plan
    pixel_seconds: float | None = field(default=None, init=False)
    """Seconds of a step divided by the pixels of one of its photographs."""

    def report(self, step: int, epoch: int, loss: float, elapsed: float) -> Report:
        """The progress after a step.

        Args:
            step: number of steps that are done.
            epoch: of the step, from 0.
            loss: of the step.
            elapsed: seconds that the step took.
        """
        plan, stage = self.plan, self.plan.stage(epoch)
        cost, before = elapsed / stage.pixels, self.pixel_seconds
        if before is not None:
            cost = MEMORY * before + (1 - MEMORY) * cost
        self.pixel_seconds = cost
        seconds = cost * stage.pixels
        rate = plan.optimiser.batch / seconds if seconds else math.inf
        left = self._pixels_left(step) * cost
        return Report(step, plan.steps, epoch, plan.epochs, stage.size, loss, rate, left)

    def _pixels_left(self, step: int) -> int:
        """Pixels of a photograph, summed over the remaining steps."""
        each = self.plan.steps_an_epoch
        return sum(
            (each - max(0, step - epoch * each)) * self.plan.stage(epoch).pixels
            for epoch in range(step // each, self.plan.epochs)
        )
