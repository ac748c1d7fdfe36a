"""How a run stands, for whoever shows it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from fundoscope.train.run.plan import PictureSize, Plan

MEMORY: Final = 0.98
"""Of the running mean of what a pixel costs."""


@dataclass(frozen=True, slots=True)
class Report:
    """Where a run stands after a step.

    Attributes:
        step, steps: done, and to do in all.
        epoch, epochs: of the step, from 0, and how many there are.
        size: of what is shown, in pixels.
        loss: of the step.
        photographs_a_second: of late.
        seconds_left: of training; evaluation not counted.
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
    """Photographs a second of late, and the time left."""

    plan: Plan
    pixel_seconds: float | None = field(default=None, init=False)
    """Seconds of a step over the pixels of one of its photographs."""

    def report(self, step: int, epoch: int, loss: float, elapsed: float) -> Report:
        """The state after a step that took so many seconds (steps done, epoch of the step)."""
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
        """Pixels of a photograph, summed over the steps to come."""
        each = self.plan.steps_an_epoch
        return sum(
            (each - max(0, step - epoch * each)) * self.plan.stage(epoch).pixels
            for epoch in range(step // each, self.plan.epochs)
        )
