"""Training a lesion detector: its data, its network, and the run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.lesions import heads
from fundoscope.train.detection import config as configs
from fundoscope.train.detection.boxes import anchors as anchoring
from fundoscope.train.detection.boxes import network as detection_network
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.masks import network as mask_network
from fundoscope.train.detection.masks import targets as mask_targets
from fundoscope.train.detection.masks.head import MaskTask
from fundoscope.train.detection.task import DetectionTask
from fundoscope.train.detection.views import choose as detection_data
from fundoscope.train.detection.views import view as views
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.networks import backbones
from fundoscope.train.run import devices, loop, memory, processes
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import Plan, Stage

if TYPE_CHECKING:
    import torch
    from torch import nn

DETECTOR: Final = "detector.json"
BACKBONE: Final = "backbone.body."
"""What stands before the names of a backbone's weights in a network with a ``boxes`` head."""
NO_MEMORY: Final = ("can't allocate memory", "out of memory", "not enough memory")
"""Parts of torch's messages about it on processors, which have no exception of their own."""


@dataclass(frozen=True, slots=True)
class Set:
    """What a detector is trained on.

    Attributes:
        kinds: the class list; label 1 is its first.
        anchors: of the first stage, fitted to the training boxes; none of a head without them.
        images: folder of the photographs.
        train, val: annotated photographs at the working scale.
        sha256: of all annotations and photographs.
        unseen: kinds without a box in validation, by which no epoch is judged.
        carved: whether ``val`` was carved out, for nothing named it.
        warnings: what the reader of the annotations had to decide, as sentences.
    """

    kinds: tuple[str, ...]
    anchors: anchoring.Anchors
    images: Path
    train: tuple[AnnotatedView, ...]
    val: tuple[AnnotatedView, ...]
    sha256: str
    unseen: tuple[str, ...] = ()
    carved: bool = False
    warnings: tuple[str, ...] = ()


def read_set(config: DetectorConfig, progress: views.Progress | None = None) -> Set:
    """Read the annotations, split them, and bring the photographs to the working scale.

    Raises:
        TableError, PhotoError, UsageError: as :func:`detection_data.choose` and
            :func:`views.load`.
        OutputError: the cache cannot be written.
    """
    data = config.data
    chosen = detection_data.choose(data, config.seed)
    photos = (*chosen.train, *chosen.val)
    made = views.load(photos, chosen.images, chosen.kinds, data.radius, Path(data.cache), progress)
    train, val = tuple(made[: len(chosen.train)]), tuple(made[len(chosen.train) :])
    sides_of = np.concatenate([each.boxes[:, 2:] - each.boxes[:, :2] for each in train])
    labels = np.concatenate([each.labels for each in train])
    digest = hashlib.sha256()
    for each in photos:
        digest.update((chosen.images / each.image).read_bytes())
        digest.update(repr([(a.kind, a.box) for a in each.annotations]).encode())
    if config.head == heads.MASK:
        digest.update(mask_targets.digest(train, chosen.images, Path(data.masks)))
    return Set(
        chosen.kinds,
        _anchors(config, sides_of, labels),
        chosen.images,
        train,
        val,
        digest.hexdigest(),
        chosen.unseen,
        chosen.carved,
        chosen.warnings,
    )


def _anchors(
    config: DetectorConfig, sides_of: NDArray[np.float64], labels: NDArray[np.int64]
) -> anchoring.Anchors:
    """Those that the configuration names, or else fitted to the boxes."""
    if config.head != heads.BOXES:
        return ()
    levels = backbones.levels(config.backbone.name)
    if isinstance(config.anchors, int):
        return anchoring.choose(sides_of, labels, levels, config.anchors, config.seed)
    if len(config.anchors) != levels:
        raise UsageError(
            "anchors",
            f"are of {len(config.anchors)} maps, and {config.backbone.name} gives {levels}",
            "write a list of [width, height] for each map, or how many shall be chosen",
        )
    return config.anchors


def train(
    config: DetectorConfig,
    folder: Path,
    *,
    resume: bool = True,
    listeners: Listeners[Set] | None = None,
) -> None:
    """Train a detector; the run folder holds everything that its export needs.

    Args:
        config: see :class:`DetectorConfig`.
        folder: the run folder; made where it does not exist.
        resume: continue an earlier run of the folder. Its configuration must be the same but for
            :data:`fundoscope.train.run.settings.HARDWARE`.
        listeners: report the progress.

    Raises:
        UsageError: the configuration, the annotations or the run folder does not fit.
        FundoscopeError, OutputError: as :func:`loop.train`; or the memory does not suffice.
    """
    import torch

    if listeners is None or not processes.is_first():
        listeners = Listeners()
    configs.check(config, "the configuration")
    devices.set_up(config)
    count = _require_network(config)
    if listeners.network is not None:
        listeners.network(config.backbone.name, count)
    data = read_set(config, listeners.picture)
    if listeners.data is not None:
        listeners.data(data)
    configs.open_run(config, data.sha256, folder, resume=resume)
    if processes.is_first():
        described = {"kinds": data.kinds, "anchors": data.anchors}
        loop.write_whole(folder / DETECTOR, msgspec.json.encode(described))
    torch.manual_seed(config.seed)
    network = _started(config, data)
    fabric = devices.fabric(config)
    task = task_of(config, data, fabric.device, folder, listeners.picture)
    plan = Plan(
        np.zeros(config.draw.tiles, np.int64),
        (Stage(config.data.tile, config.epochs),),
        config.optimiser,
        config.seed,
        config.checkpoint_every,
        config.patience,
    )
    with memory_told():
        loop.train(network, task, plan, fabric, folder, resume=resume, listeners=listeners)


def task_of(
    config: DetectorConfig,
    data: Set,
    device: torch.device,
    folder: Path,
    progress: views.Progress | None,
) -> DetectionTask:
    """What the loop needs, of the head that is trained.

    Raises:
        TableError, UsageError, OutputError: as :class:`mask_targets.Targets`.
    """
    sides = data.train, data.val, data.kinds
    if config.head == heads.BOXES:
        return DetectionTask(*sides, config, device, folder)
    masks, cache = Path(config.data.masks), Path(config.data.cache)
    targets = mask_targets.Targets(data.train, data.images, masks, data.kinds, cache, progress)
    return MaskTask(*sides, targets, config, device, folder)


def preview_task(config: DetectorConfig, listeners: Listeners[Set]) -> DetectionTask:
    """What draws the tiles of a run, without a network.

    Raises: as :func:`read_set`.
    """
    import torch

    data = read_set(config, listeners.picture)
    if listeners.data is not None:
        listeners.data(data)
    return DetectionTask(data.train, data.val, data.kinds, config, torch.device("cpu"))


def _require_network(config: DetectorConfig) -> int:
    """Check that there is such a network, with its starting weights, and room for it.

    Returns:
        How many weights it has, with one kind.

    Raises:
        UsageError: there is not.
    """
    name = config.backbone.name
    square = (1.0, 1.0)
    count = config.anchors if isinstance(config.anchors, int) else len(config.anchors[0])
    anchors = ((square,) * count,) * backbones.levels(name)
    weights = memory.require(lambda: network_of(config, ("",), anchors, init="none"), name)
    if config.start and not Path(config.start).is_file():
        raise UsageError(
            f"start = {config.start}",
            "is no file",
            "name best.pt of an earlier run, or leave it out",
        )
    network_of(config, ("",), anchors, init=config.backbone.init)
    return weights


def network_of(
    config: DetectorConfig, kinds: Sequence[str], anchors: anchoring.Anchors, *, init: str
) -> nn.Module:
    """The detector that a configuration asks for."""
    if config.head == heads.MASK:
        name = config.backbone.name
        return mask_network.create(name, len(kinds), config.painter, init=init)
    backbone = backbones.create(config.backbone.name, config.shape.channels, init=init)
    return detection_network.create(backbone, len(kinds), anchors, config.shape)


def _started(config: DetectorConfig, data: Set) -> nn.Module:
    """The detector with its starting weights.

    Raises:
        UsageError: the run to go on from has none, or is of another network.
    """
    if not config.start:
        return network_of(config, data.kinds, data.anchors, init=config.backbone.init)
    network = network_of(config, data.kinds, data.anchors, init="none")
    try:
        stored = loop.read_checkpoint(Path(config.start))["network"]
        if config.head == heads.MASK and any(key.startswith(BACKBONE) for key in stored):
            of_boxes = {k.removeprefix(BACKBONE): v for k, v in stored.items() if BACKBONE in k}
            network.get_submodule("body").load_state_dict(of_boxes)
        else:
            network.load_state_dict(stored)
    except (KeyError, RuntimeError, TypeError):
        raise UsageError(
            f"start = {config.start}",
            "holds no weights of this network and class list",
            "name best.pt of a run with the same backbone, shape, anchors and kinds",
        ) from None
    return network


@contextmanager
def memory_told() -> Iterator[None]:
    """Tell of memory that does not suffice in our own words.

    Raises:
        FundoscopeError: it does not.
    """
    import torch

    try:
        yield
    except (MemoryError, RuntimeError) as error:
        known = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not known and not any(part in str(error) for part in NO_MEMORY):
            raise
        raise FundoscopeError(
            "training",
            "needs more memory than there is; the last check-point is kept",
            "free some, or lower optimiser.batch or data.tile and start anew with --no-resume",
        ) from None
