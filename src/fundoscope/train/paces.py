"""The time that the stages of a run take, measured on a short epoch of each."""

from __future__ import annotations

import copy
import dataclasses
import time
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.grading import heads
from fundoscope.train.detection import training as detector
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.data import DetectionData
from fundoscope.train.detection.task import DetectionTask
from fundoscope.train.grading import training as grader
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.grading.pictures import Pictures
from fundoscope.train.networks import weights
from fundoscope.train.run import devices, loop
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import Plan, Stage

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from torch import nn

WARM, TIMED = 2, 4
"""Steps before the measured ones, because the first ones are slow; and measured steps."""
EVALUATED: Final = 64
"""Validation photographs of a grader whose evaluation is timed first."""
SHORT: Final = 10.0
"""Seconds. Where all of validation would take less, all of it is timed."""


class Pace(msgspec.Struct, frozen=True):
    """The time that a stage takes, in seconds.

    Attributes:
        step: of a step.
        closing: of the end of an epoch: evaluation and files.
    """

    step: float
    closing: float


def of_grader(config: GraderConfig, data: Pictures, plan: Plan, folder: Path) -> tuple[Pace, ...]:
    """The pace of each stage of a grader's run.

    Args:
        config: of the run.
        data: its pictures.
        plan: of the run.
        folder: the run folder; files are written into a folder in it that is removed again.
    """
    devices.set_up(config)
    fabric = devices.fabric(config)
    whole = grader.GradingTask(data, config, fabric.device, folder)
    count = len(whole.val_positions)
    few = _with_validation(whole, _some(whole.grades[whole.val_positions]))

    def paced(stage: Stage) -> Pace:
        network = grader.network_of(config, init=weights.NONE)
        return _pace(network, (few, whole), count / len(few.val_positions), stage, plan, fabric)

    return tuple(map(paced, config.stages))


def _some(grades: NDArray[np.int64]) -> NDArray[np.int64]:
    """Evenly spaced photographs, some of them on each side of grade 2 where both are there.

    Args:
        grades: of the photographs of validation.

    Returns:
        The places of :data:`EVALUATED` of them, or of all, in order.
    """
    count = min(EVALUATED, len(grades))
    referable = grades >= heads.REFERABLE_GRADE
    if count == len(grades) or referable.all() or not referable.any():
        return np.linspace(0, len(grades) - 1, count).astype(np.int64)
    first = int(np.clip(round(count * referable.mean()), 1, count - 1))
    sides = ((np.flatnonzero(referable), first), (np.flatnonzero(~referable), count - first))
    spaced = [side[np.linspace(0, len(side) - 1, n).astype(np.int64)] for side, n in sides]
    return np.sort(np.concatenate(spaced))


def _with_validation(task: grader.GradingTask, places: NDArray[np.int64]) -> grader.GradingTask:
    """The task with some of its validation photographs."""
    smaller = copy.copy(task)
    smaller.val_positions = task.val_positions[places]
    smaller.sources = [task.sources[place] for place in places]
    return smaller


def of_detector(config: DetectorConfig, data: DetectionData, folder: Path) -> Pace:
    """The pace of a detector's run.

    Args: as of :func:`of_grader`.
    """
    devices.set_up(config)
    fabric = devices.fabric(config)
    network = detector.network_of(config, data.kinds, data.anchors, init=weights.NONE)
    stage = Stage(config.data.tile, 1)
    plan = Plan(
        np.zeros(config.draw.tiles, np.int64),
        (stage,),
        config.optimiser,
        config.seed,
        config.checkpoint_every,
    )
    whole = detector.task_of(config, data, fabric.device, folder, None)
    few = copy.copy(whole)
    few.val, few.healthy = whole.val[:1], whole.healthy[:1]
    times = _evaluated(whole) / _evaluated(few)
    return _pace(network, (few, whole), times, stage, plan, fabric)


def _evaluated(task: DetectionTask) -> int:
    """The number of photographs that an evaluation reads."""
    return len(task.val) + len(task.healthy)


def _pace(
    network: nn.Module,
    tasks: tuple[Any, Any],
    times: float,
    stage: Stage,
    plan: Plan,
    fabric: Fabric,
) -> Pace:
    """Run one short epoch of a stage and time it.

    Args:
        network: with any weights; it is changed.
        tasks: the loop's task with some validation photographs, and with all of them.
        times: the photographs of the second one, as a multiple of those of the first.
        stage: of the run.
        plan: of the run, for its optimiser.
        fabric: the device.
    """
    few, whole = tasks
    ends: list[float] = []

    def record(_: Any) -> None:
        ends.append(time.monotonic())

    home: Path = whole.folder
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=home) as scratch:
        few.folder = whole.folder = Path(scratch)
        loop.train(
            network,
            few,
            _short(plan, stage),
            fabric,
            few.folder,
            resume=False,
            listeners=Listeners(step=record, epoch=record),
        )
        evaluation = _evaluation_seconds(few, network, stage, fabric)
        everything = evaluation * times
        if everything <= SHORT:
            everything = _evaluation_seconds(whole, network, stage, fabric)
    whole.folder = home
    between = np.diff(ends)
    steps, closing = between[:-1], float(between[-1])
    return Pace(float(steps[-TIMED:].mean()), max(0.0, closing - evaluation) + everything)


def _short(plan: Plan, stage: Stage) -> Plan:
    """One epoch of a stage with :data:`WARM` and :data:`TIMED` steps, each of the run's batch.

    It takes the first photographs, repeatedly where there are too few of them.
    """
    shape = np.bincount(plan.shapes).argmax()
    alike = np.flatnonzero(plan.shapes == shape)
    return _Short(
        plan.shapes,
        (msgspec.structs.replace(stage, epochs=1),),
        plan.optimiser,
        plan.seed,
        WARM + TIMED,
        alike=alike,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Short(Plan):
    """A plan of few steps that takes photographs of one shape in turn."""

    alike: NDArray[np.int64]

    @cached_property
    def steps_an_epoch(self) -> int:
        """Steps of the epoch."""
        return WARM + TIMED

    def positions(self, step: int) -> NDArray[np.int64]:
        """The photographs of a step."""
        batch = min(self.optimiser.batch, len(self.alike))
        return self.alike[(step * batch + np.arange(batch)) % len(self.alike)]


def _evaluation_seconds(task: Any, network: nn.Module, stage: Stage, fabric: Fabric) -> float:
    import torch

    started = time.monotonic()
    with torch.inference_mode(), fabric.autocast():
        task.evaluate(network.eval(), stage.size, 0)
    return time.monotonic() - started
