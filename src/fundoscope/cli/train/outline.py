"""What a training would be: the lines of ``--dry-run``. Nothing is trained or kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fundoscope.data.annotations.annotation import AnnotatedPhoto
    from fundoscope.data.manifest import Row
    from fundoscope.train.detection.config import DetectorConfig
    from fundoscope.train.grading.config import GraderConfig

NOTHING: Final = "nothing was trained (--dry-run)"


def of_grader(config: GraderConfig) -> Iterator[str]:
    """The photographs by split and grade, the network and the stages of a grader's training.

    Args:
        config: checked.

    Raises:
        UsageError: the photographs or the network cannot be trained on.
    """
    from fundoscope.train.grading import photographs, training
    from fundoscope.train.networks import catalogue, weights
    from fundoscope.train.run import memory
    from fundoscope.train.run.settings import sides

    table = photographs.read(config.data.manifest)
    also = photographs.read_also(config.data, table)
    rows = photographs.choose(table, config.data, config.seed)
    rows = (*rows, *(row for each in also for row in each.rows))
    for split in (photographs.TRAIN, photographs.VAL):
        yield _of_split(split, [row for row in rows if row.split == split])
    name, init = config.network.name, config.network.init
    weights.require(name, init)
    make = partial(training.network_of, config, init=weights.NONE)
    count = memory.require(make, name)
    shown = [catalogue.InputSize(*sides(stage.size)) for stage in config.stages]
    catalogue.require_takes(make, shown, name)
    yield f"network: {name}, {count:,} weights, starts from {init}"
    frozen = {stage: f", {stage.frozen} of them frozen" for stage in config.stages if stage.frozen}
    for number, stage in enumerate(config.stages, start=1):
        epochs = _count(stage.epochs, "epoch")
        yield f"stage {number}: {epochs} at {stage.size} px{frozen.get(stage, '')}"
    yield f"batches of {config.optimiser.batch}; licence of the weights: {config.data.licence}"
    yield NOTHING


def of_detector(config: DetectorConfig) -> Iterator[str]:
    """The photographs and boxes of each side, the network and the epochs of a detector's training.

    Args:
        config: checked.

    Raises:
        UsageError: the photographs cannot be trained on.
    """
    from fundoscope.train.detection import config as configs
    from fundoscope.train.detection.views import choose

    with TemporaryDirectory(prefix="fundoscope-") as cache:
        chosen = choose.choose(configs.replaced(config, data={"cache": cache}).data, config.seed)
    yield from chosen.warnings
    yield _of_side("training", chosen.train, chosen.kinds)
    held_out = " (held out)" if chosen.held_out else ""
    yield _of_side(f"validation{held_out}", chosen.val, chosen.kinds)
    for table in config.healthy.tables:
        yield f"further photographs of healthy eyes: {Path(table).name}"
    for each in config.partial:
        yield f"further photographs with {', '.join(each.kinds)}: {each.annotations}"
    start = config.start or config.backbone.init
    yield f"network: {config.head} on {config.backbone.name}, starts from {start}"
    yield f"{_count(config.epochs, 'epoch')} of {config.draw.tiles} tiles"
    yield f"batches of {config.optimiser.batch}; licence of the weights: {config.data.licence}"
    yield NOTHING


def _of_split(split: str, rows: Sequence[Row]) -> str:
    grades, sources = Counter(row.grade for row in rows), Counter(row.source for row in rows)
    by_grade = ", ".join(f"grade {grade}: {grades[grade]}" for grade in sorted(grades))
    by_source = ", ".join(f"{name} {count}" for name, count in sorted(sources.items()) if name)
    return f"{split}: {_count(len(rows), 'photograph')}; {by_grade}" + (
        f"; {by_source}" if by_source else ""
    )


def _of_side(side: str, photos: Sequence[AnnotatedPhoto], kinds: Sequence[str]) -> str:
    boxes = Counter(item.kind for photo in photos for item in photo.annotations)
    of_kinds = ", ".join(f"{boxes[kind]} {kind}" for kind in kinds)
    return f"{side}: {_count(len(photos), 'photograph')}; boxes: {of_kinds}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
