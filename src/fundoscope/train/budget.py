"""Training within N minutes: a schedule that is complete when they end.

Some steps at every size and one evaluation are run and timed; from them follows the number of
epochs that fit (the same times give the same schedule). The choice is kept in the run folder, so
that a run that was killed is resumed with the schedule that it began with.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec

from fundoscope.errors import UsageError
from fundoscope.train import paces
from fundoscope.train.detection import checks
from fundoscope.train.detection import config as detector_config
from fundoscope.train.detection import training as detector
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.data import DetectionData
from fundoscope.train.grading import config as grader_config
from fundoscope.train.grading import photographs
from fundoscope.train.grading import training as grader
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.grading.photographs import TRAIN
from fundoscope.train.grading.pictures import Pictures
from fundoscope.train.paces import Pace
from fundoscope.train.run import folder as runs
from fundoscope.train.run import settings
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import Plan
from fundoscope.writing import write_bytes

BUDGET: Final = "budget.json"
SPARE: Final = 0.08
"""Share of the time that is left unused, because speeds change."""
ENDING_SHARE, LONGEST_ENDING = 0.2, 120.0
"""The part of the budget that is kept for the export: this share, or fewer seconds."""
CHECKPOINT_SECONDS: Final = 60.0
"""Least time between two check-points; a configuration may ask for more frequent ones."""

_Config = TypeVar("_Config", GraderConfig, DetectorConfig)


class StoredBudget(msgspec.Struct, frozen=True):
    """What ``budget.json`` says.

    Attributes:
        asked: the configuration that was asked for.
        chosen: the configuration that fits.
        minutes: the budget.
        paces: of each stage of ``asked``.
    """

    asked: dict[str, Any]
    chosen: dict[str, Any]
    minutes: float
    paces: tuple[Pace, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a run may take.

    Attributes:
        minutes: in all, with reading the data, measuring, evaluation and export.
        started: when it began, in seconds of :func:`time.monotonic`.
    """

    minutes: float
    started: float

    def left(self) -> float:
        """Seconds that remain for training."""
        whole = self.minutes * 60
        ending = min(ENDING_SHARE * whole, LONGEST_ENDING)
        return (whole - ending - (time.monotonic() - self.started)) * (1 - SPARE)


@dataclass(frozen=True, slots=True)
class Epoch:
    """The size of an epoch of a grader.

    Attributes:
        steps: their number.
        photographs: number of training photographs in the first table; ``data.sample`` may draw
            fewer.
        share: of these in all that an epoch shows; the others are of ``data.also``.
    """

    steps: int
    photographs: int
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class BudgetedConfig(Generic[_Config]):
    """A configuration that fits.

    Attributes:
        config: of the run.
        paces: what was measured, of each stage of the configuration that was asked for.
        kept: whether an earlier call, which began the run, has chosen it.
    """

    config: _Config
    paces: tuple[Pace, ...]
    kept: bool


def settle_grader(
    config: GraderConfig,
    folder: Path,
    budget: Budget,
    *,
    resume: bool = True,
    listeners: Listeners[Pictures] | None = None,
) -> BudgetedConfig[GraderConfig]:
    """The configuration with as many epochs in its stages as fit into a budget.

    Where not even one epoch of each stage fits, the last stages are left out, and then training
    photographs (``data.sample``).

    Args:
        config: what is wanted; the stages keep their proportions.
        folder: the run folder; it gets ``budget.json``.
        budget: the time.
        resume: take what an earlier call chose for the same configuration.
        listeners: report how pictures are made.

    Raises:
        UsageError: the budget is too short; or as :func:`grader.train`.
    """

    def measure() -> tuple[GraderConfig, tuple[Pace, ...]]:
        grader_config.check(config, "the configuration")
        table = photographs.read(config.data.manifest)
        also = photographs.read_also(config.data, table)
        rows = photographs.choose(table, config.data, config.seed)
        progress = None if listeners is None else listeners.picture
        own = grader.pictures_of(config, table, rows, (), progress)
        data = grader.pictures_of(config, table, rows, also, progress)
        plan = grader.plan_of(config, data)
        measured = paces.of_grader(config, data, plan, folder)
        drawn = sum(row.split == TRAIN for row in rows)
        epoch = Epoch(plan.steps_an_epoch, drawn, _share(plan, len(own.of_split(TRAIN))))
        return fit_grader(config, measured, epoch, budget.left()), measured

    return _settled(config, folder, budget, grader_config.from_builtins, measure, resume=resume)


def settle_detector(
    config: DetectorConfig,
    folder: Path,
    budget: Budget,
    *,
    resume: bool = True,
    listeners: Listeners[DetectionData] | None = None,
) -> BudgetedConfig[DetectorConfig]:
    """The same for a detector: as many epochs as fit, or one of fewer tiles.

    Args: as of :func:`settle_grader`.

    Raises:
        UsageError: the budget is too short; or as :func:`detector.train`.
    """

    def measure() -> tuple[DetectorConfig, tuple[Pace, ...]]:
        checks.check(config, "the configuration")
        data = detector.read_data(config, None if listeners is None else listeners.picture)
        pace = paces.of_detector(config, data, folder)
        return fit_detector(config, pace, budget.left()), (pace,)

    return _settled(config, folder, budget, detector_config.from_builtins, measure, resume=resume)


def _settled(
    config: _Config,
    folder: Path,
    budget: Budget,
    read: Callable[[dict[str, Any]], _Config],
    measure: Callable[[], tuple[_Config, tuple[Pace, ...]]],
    *,
    resume: bool,
) -> BudgetedConfig[_Config]:
    """What an earlier call chose, or else what is measured and chosen now, which is then kept."""
    _require_one_device(config.devices)
    earlier = _kept(folder, config, read, resume=resume)
    if earlier is not None:
        hardware = {key: getattr(config, key) for key in settings.HARDWARE}
        chosen = msgspec.structs.replace(read(earlier.chosen), **hardware)
        return BudgetedConfig(chosen, earlier.paces, True)
    chosen, measured = measure()
    _keep(folder, config, chosen, budget, measured)
    return BudgetedConfig(chosen, measured, False)


def fit_grader(
    config: GraderConfig,
    measured: Sequence[Pace],
    epoch: Epoch,
    seconds: float,
) -> GraderConfig:
    """The configuration whose training takes at most N seconds.

    Args:
        config: what is wanted.
        measured: the pace of each of its stages.
        epoch: the size of an epoch as configured.
        seconds: for steps and evaluations.

    Raises:
        UsageError: not even one step fits.
    """
    costs = [epoch.steps * pace.step + pace.closing for pace in measured]
    count = max((n for n in range(len(costs) + 1) if sum(costs[:n]) <= seconds), default=0)
    slowest = max(pace.step for pace in measured)
    every = max(config.checkpoint_every, round(CHECKPOINT_SECONDS / slowest))
    if count:
        stages = config.stages[:count]
        epochs = scaled([stage.epochs for stage in stages], costs[:count], seconds)
        longer = tuple(
            msgspec.structs.replace(stage, epochs=n)
            for stage, n in zip(stages, epochs, strict=True)
        )
        return grader_config.replaced(config, stages=longer, checkpoint_every=every)
    first = measured[0]
    # The further tables are never sampled: their steps come first.
    further = math.ceil(epoch.steps * (1 - epoch.share))
    fitting = math.floor((seconds - first.closing) / first.step) - further
    if fitting < 1:
        raise _too_short(((further + 1) * first.step + first.closing - seconds) / 60)
    sample = epoch.photographs * fitting // max(1, epoch.steps - further)
    once = (msgspec.structs.replace(config.stages[0], epochs=1),)
    return grader_config.replaced(
        config, data={"sample": max(sample, 1)}, stages=once, checkpoint_every=every
    )


def _share(plan: Plan, count: int) -> float:
    """The share of the first ``count`` photographs in all that an epoch shows."""
    if plan.times is None:
        return count / len(plan.shapes)
    return float(plan.times[:count].sum() / plan.times.sum())


def fit_detector(config: DetectorConfig, pace: Pace, seconds: float) -> DetectorConfig:
    """The same for a detector, whose one stage has one pace.

    Raises:
        UsageError: not even one step fits.
    """
    batch = config.optimiser.batch
    steps = max(1, config.draw.tiles // batch)
    every = max(config.checkpoint_every, round(CHECKPOINT_SECONDS / pace.step))
    epochs = math.floor(seconds / (steps * pace.step + pace.closing))
    if epochs >= 1:
        return detector_config.replaced(config, epochs=epochs, checkpoint_every=every)
    fitting = math.floor((seconds - pace.closing) / pace.step)
    if fitting < 1:
        raise _too_short((pace.step + pace.closing - seconds) / 60)
    draw = msgspec.structs.replace(config.draw, tiles=fitting * batch)
    return detector_config.replaced(config, epochs=1, draw=draw, checkpoint_every=every)


def scaled(epochs: Sequence[int], costs: Sequence[float], seconds: float) -> tuple[int, ...]:
    """Epochs of each stage in nearly the same proportions, at least one, that fill the time.

    Args:
        epochs: wanted, of each stage.
        costs: seconds of an epoch of each; one of each fits into ``seconds``.
        seconds: to fill.
    """

    def taking(counts: Sequence[int]) -> float:
        return sum(n * cost for n, cost in zip(counts, costs, strict=True))

    factor = seconds / taking(epochs)
    counts = [max(1, math.floor(factor * wanted)) for wanted in epochs]
    while taking(counts) > seconds:  # the longest stage pays for stages raised to one epoch
        longest = max(range(len(counts)), key=lambda place: counts[place])
        counts[longest] -= 1
    for place in reversed(range(len(counts))):  # the rest of the time goes to the largest size
        counts[place] += math.floor((seconds - taking(counts)) / costs[place])
    return tuple(counts)


def _too_short(minutes: float) -> UsageError:
    return UsageError(
        "--minutes",
        "is too short for one step, its evaluation and the export",
        f"give {math.ceil(minutes)} more",
    )


def _require_one_device(devices: int) -> None:
    if devices > 1:
        raise UsageError(
            "--minutes",
            f"does not work on {devices} devices",
            "use one, or set the epochs yourself",
        )


def _kept(
    folder: Path, config: _Config, read: Callable[[dict[str, Any]], _Config], *, resume: bool
) -> StoredBudget | None:
    """What an earlier call chose for this configuration.

    Settings that the earlier call did not have yet have their defaults.

    Raises:
        UsageError: the folder holds another run.
    """
    if not resume or not any((folder / result).is_file() for result in runs.RESULTS):
        return None
    try:
        kept = msgspec.json.decode((folder / BUDGET).read_bytes(), type=StoredBudget)
        asked = _plain(read(kept.asked))
    except (OSError, msgspec.DecodeError, UsageError):
        kept, asked = None, {}
    if kept is None or runs.identity(asked) != runs.identity(_plain(config)):
        raise UsageError(
            str(folder),
            "holds a run that was started in another way",
            "choose another --out, or start it again with --no-resume",
        )
    return kept


def _keep(
    folder: Path,
    asked: GraderConfig | DetectorConfig,
    chosen: GraderConfig | DetectorConfig,
    budget: Budget,
    measured: tuple[Pace, ...],
) -> None:
    kept = StoredBudget(_plain(asked), _plain(chosen), budget.minutes, measured)
    content = msgspec.json.format(msgspec.json.encode(kept)) + b"\n"
    write_bytes(folder / BUDGET, content, overwrite=True)


def _plain(config: GraderConfig | DetectorConfig) -> dict[str, Any]:
    """A configuration as JSON stores it."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config))
    return plain
