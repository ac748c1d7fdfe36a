"""Training a lesion detector: reading its data, making its network, and the run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from fundoscope.data.annotations.annotation import AnnotatedPhoto
from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.kinds import ANATOMY
from fundoscope.train.detection import checks, registry, starting
from fundoscope.train.detection import config as configs
from fundoscope.train.detection.config import Anchors, DetectorConfig, LesionData, Partial
from fundoscope.train.detection.data import DetectionData
from fundoscope.train.detection.task import DetectionTask
from fundoscope.train.detection.views import apart, choose, healthy, mined, view
from fundoscope.train.detection.views import coverage as coverages
from fundoscope.train.detection.views.coverage import MaskTargets
from fundoscope.train.detection.views.view import AnnotatedView, LeftOut
from fundoscope.train.run import devices, loop, memory, processes
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import Plan, Stage

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

    import torch
    from lightning.fabric import Fabric
    from torch import Tensor, nn

DETECTOR: Final = "detector.json"
"""The file of a run folder with the class list and the anchors."""
NO_MEMORY: Final = ("can't allocate memory", "out of memory", "not enough memory")
"""Parts of torch's messages about memory on CPUs, which have no exception of their own."""


def read_data(config: DetectorConfig, progress: view.Progress | None = None) -> DetectionData:
    """Read the annotations, split them, and bring the photographs to the working scale.

    Args:
        config: of the run.
        progress: a callback: photographs done, and their number.

    Raises:
        TableError, PhotoError, UsageError: as :func:`choose.choose`, :func:`healthy.choose` and
            :func:`view.load`; or a further set shows a photograph of validation.
        OutputError: the cache cannot be written.
    """
    head, settings = registry.of(config), config.data
    chosen = choose.choose(settings, config.seed)
    further = [
        (each, choose.choose(_of_partial(config, each), config.seed)) for each in config.partial
    ]
    photos, cache = (*chosen.train, *chosen.val), Path(settings.cache)
    for each, found in further:
        apart.require_apart(chosen, found, each.annotations, cache)
    kinds = tuple(
        dict.fromkeys((*chosen.kinds, *(k for each in config.partial for k in each.kinds)))
    )
    loaded = view.load(photos, chosen.images, kinds, settings.radius, cache, progress)
    unassessed = tuple(kinds.index(kind) + 1 for kind in kinds if kind not in chosen.kinds)
    loaded = [replace(each, unassessed=unassessed) for each in loaded]
    train, val = tuple(loaded[: len(chosen.train)]), tuple(loaded[len(chosen.train) :])
    digest = hashlib.sha256()
    for photo in photos:
        digest.update((chosen.images / photo.image).read_bytes())
        digest.update(repr([(item.kind, item.box) for item in photo.annotations]).encode())
    digest.update(head.digest(config, train, chosen.images))
    well, well_val, left_out = _healthy(config, kinds, digest, progress)
    parts = tuple(_partial(config, each, found, kinds, digest, progress) for each, found in further)
    coverage = None
    if config.healthy.pasted:
        masks = Path(settings.masks)
        digest.update(coverages.digest(train, chosen.images, masks))
        coverage = MaskTargets(train, chosen.images, masks, kinds, cache, progress)
    return DetectionData(
        kinds,
        head.anchors(config, train),
        chosen.images,
        train,
        val,
        digest.hexdigest(),
        chosen.unseen,
        chosen.held_out,
        chosen.warnings,
        well,
        well_val,
        parts,
        coverage,
        left_out,
    )


def read_further(
    config: DetectorConfig, kinds: Sequence[str], progress: view.Progress | None = None
) -> dict[str, tuple[AnnotatedView, ...]]:
    """The validation photographs of each further set, to fit thresholds to.

    No epoch is chosen by them, and they are not part of the hash of a run's data.

    Args:
        config: of the run.
        kinds: its class list.
        progress: a callback: photographs done, and their number.

    Raises:
        TableError, PhotoError, UsageError, OutputError: as :func:`read_data`.
    """
    further = {}
    for settings in config.partial:
        chosen = choose.choose(_of_partial(config, settings), config.seed)
        name = Path(settings.annotations).name
        further[name] = _views_of(config, settings, chosen.val, chosen.images, kinds, progress)
    return further


def _of_partial(config: DetectorConfig, settings: Partial) -> LesionData:
    """The photographs of a set on which some kinds are annotated."""
    return LesionData(
        annotations=settings.annotations,
        images=settings.images,
        train=settings.train,
        val=settings.val,
        kinds=settings.kinds,
        left_out=settings.left_out,
        radius=config.data.radius,
        cache=config.data.cache,
        machine_boxes=config.data.machine_boxes,
    )


def _partial(
    config: DetectorConfig,
    settings: Partial,
    chosen: choose.Chosen,
    kinds: Sequence[str],
    digest: Digest,
    progress: view.Progress | None,
) -> tuple[AnnotatedView, ...]:
    """The training photographs of such a set at the working scale."""
    for photo in chosen.train:
        photo = _with_kinds(photo, settings.kinds)
        digest.update((chosen.images / photo.image).read_bytes())
        digest.update(repr([(item.kind, item.box) for item in photo.annotations]).encode())
    return _views_of(config, settings, chosen.train, chosen.images, kinds, progress)


def _views_of(
    config: DetectorConfig,
    settings: Partial,
    photos: Sequence[AnnotatedPhoto],
    images: Path,
    kinds: Sequence[str],
    progress: view.Progress | None,
) -> tuple[AnnotatedView, ...]:
    """Photographs of such a set at the working scale, with the kinds that are annotated there."""
    unassessed = tuple(
        label for label, kind in enumerate(kinds, start=1) if kind not in settings.kinds
    )
    photos = [_with_kinds(photo, settings.kinds) for photo in photos]
    radius, cache = config.data.radius, Path(config.data.cache)
    loaded = view.load(photos, images, kinds, radius, cache, progress)
    background = all(kinds[label - 1] in ANATOMY for label in unassessed)
    return tuple(replace(each, unassessed=unassessed, background=background) for each in loaded)


def _with_kinds(photo: AnnotatedPhoto, kinds: Sequence[str]) -> AnnotatedPhoto:
    """A photograph with the annotations of some kinds alone."""
    return replace(photo, annotations=tuple(i for i in photo.annotations if i.kind in kinds))


def _healthy(
    config: DetectorConfig,
    kinds: Sequence[str],
    digest: Digest,
    progress: view.Progress | None,
) -> tuple[tuple[AnnotatedView, ...], tuple[AnnotatedView, ...], tuple[LeftOut, ...]]:
    """Eyes without lesions at the working scale, to learn from and to validate with; others.

    The others are those that cannot be used.

    Raises:
        UsageError: none is left of a part that is needed.
    """
    train, val = healthy.choose(config.healthy, kinds, config.seed)
    for photo in (*train, *val):
        digest.update(f"{photo.path.name}:{photo.source}:{photo.unassessed}".encode())
    radius, cache = config.data.radius, Path(config.data.cache)
    load = partial(view.load_healthy, radius=radius, cache=cache, progress=progress)
    well, left_out = load(train, enlarge=False)
    if config.healthy.mined:
        file = Path(config.healthy.mined)
        found = mined.read(file)
        digest.update(repr(sorted(found.items())).encode())
        well = mined.with_boxes(well, found, file)
    well_val, left_out_val = load(val, enlarge=True)
    needed = {"train": config.healthy.share > 0 and not well, "val": bool(val) and not well_val}
    for split, missing in needed.items():
        if missing:
            raise UsageError(
                ", ".join(Path(table).name for table in config.healthy.tables) or "healthy.share",
                f"has no healthy eye of the split {split} that can be used",
                "check healthy.tables, healthy.grades and the photographs, or leave [healthy] out",
            )
    return tuple(well), tuple(well_val), (*left_out, *left_out_val)


def train(
    config: DetectorConfig,
    folder: Path,
    *,
    resume: bool = True,
    listeners: Listeners[DetectionData] | None = None,
) -> None:
    """Train a detector; the run folder then holds everything that its export needs.

    Args:
        config: of the run.
        folder: the run folder; it is created if it does not exist.
        resume: continue an earlier run in the folder. Its configuration must be the same except for
            :data:`fundoscope.train.run.settings.HARDWARE`.
        listeners: callbacks that report progress.

    Raises:
        UsageError: the configuration, the annotations or the run folder does not fit.
        FundoscopeError, OutputError: as :func:`fundoscope.train.run.loop.train`; or there is too
            little memory.
    """
    if listeners is None or not processes.is_first():
        listeners = Listeners()
    checks.check(config, "the configuration")
    devices.set_up(config)
    count = _require_network(config)
    if listeners.network is not None:
        listeners.network(config.backbone.name, count)
    data = read_data(config, listeners.picture)
    if listeners.data is not None:
        listeners.data(data)
    configs.open_run(config, data.sha256, folder, resume=resume)
    if processes.is_first():
        described = {"kinds": data.kinds, "anchors": data.anchors}
        loop.write_whole(folder / DETECTOR, msgspec.json.encode(described))
    network, task, fabric = _prepared(config, data, folder, listeners.picture)
    with memory_explained():
        loop.train(
            network, task, plan_of(config), fabric, folder, resume=resume, listeners=listeners
        )


def starting_weights(config: DetectorConfig) -> Mapping[str, Tensor]:
    """The weights with which a run begins, made again from its configuration and its photographs.

    Raises:
        UsageError, FundoscopeError: as :func:`train`.
    """
    devices.set_up(config)
    network, _, _ = _prepared(config, read_data(config), None, None)
    weights: Mapping[str, Tensor] = network.state_dict()
    return weights


def _prepared(
    config: DetectorConfig,
    data: DetectionData,
    folder: Path | None,
    progress: view.Progress | None,
) -> tuple[nn.Module, DetectionTask, Fabric]:
    """The network with its starting weights, and what trains it."""
    import torch

    torch.manual_seed(config.seed)
    init = "none" if config.start else config.backbone.init
    network = network_of(config, data.kinds, data.anchors, init=init)
    fabric = devices.fabric(config)
    task = task_of(config, data, fabric.device, folder, progress)
    if config.start:
        starting.start(network, config, data.kinds, task.shown)
    return network, task, fabric


def plan_of(config: DetectorConfig) -> Plan:
    """The steps of a run."""
    return Plan(
        np.zeros(config.draw.tiles, np.int64),
        (Stage(config.data.tile, config.epochs),),
        config.optimiser,
        config.seed,
        config.checkpoint_every,
        config.patience,
    )


def task_of(
    config: DetectorConfig,
    data: DetectionData,
    device: torch.device,
    folder: Path | None,
    progress: view.Progress | None,
) -> DetectionTask:
    """The task of the training loop.

    Args:
        config: of the run.
        data: its photographs.
        device: where the network is trained.
        folder: the run folder; ``None``: nothing is drawn into it.
        progress: a callback: photographs whose targets are made, and their number.

    Raises:
        TableError, UsageError, OutputError: as :meth:`Head.targets`.
    """
    head = registry.of(config)
    return DetectionTask(head, config, data, head.targets(config, data, progress), device, folder)


def _require_network(config: DetectorConfig) -> int:
    """Check that the network and its starting weights exist and fit into memory.

    Returns:
        The number of weights of the network, with one kind.

    Raises:
        UsageError: they do not.
    """
    weights = memory.require(
        lambda: network_of(config, ("",), (), init="none"), config.backbone.name
    )
    starting.require_start(config)
    network_of(config, ("",), (), init=config.backbone.init)
    return weights


def network_of(
    config: DetectorConfig, kinds: Sequence[str], anchors: Anchors, *, init: str
) -> nn.Module:
    """The network of a configuration.

    Args:
        config: names the head, the backbone and the sizes.
        kinds: the class list.
        anchors: of the run's data; empty: any, to count the weights.
        init: the weights that the backbone starts from.

    Raises:
        UsageError: there is no such backbone, or its weights cannot be read.
    """
    return registry.of(config).create(config, kinds, anchors, init=init)


@contextmanager
def memory_explained() -> Iterator[None]:
    """Turn torch's errors about memory into one that says what to do.

    Raises:
        FundoscopeError: there is too little memory.
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
            "needs more memory than is free; the last check-point is kept",
            "free some, or lower optimiser.batch or data.tile and start again with --no-resume",
        ) from None
