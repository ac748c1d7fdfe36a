"""The configuration of a detector's training run, as its TOML file has it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope import kinds
from fundoscope.lesions import heads
from fundoscope.train.detection.boxes.anchors import Anchors
from fundoscope.train.detection.boxes.network import Shape
from fundoscope.train.detection.masks.network import COARSEST, Painter
from fundoscope.train.detection.views.tile_draw import Draw
from fundoscope.train.networks import augment
from fundoscope.train.run import folder as runs
from fundoscope.train.run import settings
from fundoscope.train.run.optimisers import Optimiser
from fundoscope.train.run.plan import PictureSize
from fundoscope.train.run.settings import require, sides

DETECTOR: Final = runs.TASKS[runs.DETECTION]
SMALLEST_TILE: Final = 32
"""Pixels: one cell of the stride that most backbones end with."""
MOST_ANCHORS: Final = 100
BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "data.radius": (SMALLEST_TILE, 10_000),
    "data.overlap": (0, math.inf),
    "data.validation": (0, math.inf),
    "shape.channels": (1, math.inf),
    "shape.hidden": (1, math.inf),
    "shape.proposals_kept": (1, math.inf),
    "shape.detections": (1, math.inf),
    "shape.least_score": (0, 1),
    "shape.suppress": (0, 1),
    "shape.sampled": (1, math.inf),
    "shape.positive": (0, 1),
    "shape.near": (0, 1),
    "shape.far": (0, 1),
    "draw.tiles": (1, math.inf),
    "draw.anywhere": (0, 1),
    "draw.anatomy": (0, math.inf),
    "draw.scale": (0, 4),
    **{
        f"recolour.{key}": augment.BOUNDS[key]
        for key in ("brightness", "contrast", "gain", "saturation", "gamma", "blur", "blur_factor")
    },
    "epochs": (1, math.inf),
}
"""The lowest and the highest valid value of each number that only a detector has."""


class LesionData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which photographs; paths are relative to the working directory.

    Attributes:
        annotations: a VOC folder, or a file or folder of any other format of ``data convert``.
        masks: folder of the pixel-exact masks, one a kind a photograph; what a ``mask`` head is
            trained on.
        images: folder of the photographs; ``JPEGImages`` of a VOC folder, or the folder of the
            annotations, when left out.
        train, val: lists of names, one a line; the names of ``val`` are taken out of ``train``.
            When left out, the manifest's splits count, or the annotations' own
            (``ImageSets/Main``); where those know no ``train``, all but ``test``.
        manifest: a table with the column ``image``, and any of ``split`` (``train``, ``val``),
            ``patient`` and ``group``: photographs of one patient or group stay on one side.
        validation: so many photographs are carved out for validation, where nothing names them;
            0: a sixth.
        kinds: the class list; all kinds that occur in training when left out.
        left_out: names of photographs that take no part.
        radius: of the field at the working scale, in pixels. IDRiD's is 1704 in its 4288x2848, so
            852 is half of its size, at which the median microaneurysm has 8.5 pixels.
        tile: side of a tile, or height and width, in pixels.
        overlap: of two neighbouring tiles when a whole photograph is read.
        cache: folder of the views that are made once.
        licence: under which terms the weights may be used that come out of them.
    """

    annotations: str
    masks: str = ""
    images: str = ""
    train: str = ""
    val: str = ""
    manifest: str = ""
    validation: int = 0
    kinds: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    radius: float = 852.0
    tile: PictureSize = 512
    overlap: int = 64
    cache: str = "cache"
    licence: str = "not stated; the terms of the training photographs apply"


class Backbone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which backbone of :mod:`fundoscope.train.networks.backbones`, and what it starts from."""

    name: str = "efficientnet_lite0"
    init: str = "imagenet"


class Recolour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far colours and sharpness of a tile go; see
    :class:`fundoscope.train.networks.augment.Jitter`."""

    brightness: float = 0.20
    contrast: float = 0.20
    gain: float = 0.10
    saturation: float = 0.20
    gamma: float = 0.20
    blur: float = 0.10
    blur_factor: float = 1.5


class DetectorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration of a run; the TOML file has the same names.

    Attributes:
        epochs: of ``draw.tiles`` each.
        head: what comes out of it, see :mod:`fundoscope.lesions.heads`; ``shape`` and ``anchors``
            are of ``boxes``, ``painter`` is of ``mask``.
        start: ``best.pt`` of an earlier run of the same kinds, anchors and network, from which all
            weights are taken; those of the backbone alone (``backbone.init``) when left out. A
            ``mask`` head also starts from the backbone of a run with a ``boxes`` head.
        anchors: so many for each map of the backbone, fitted to the training boxes; or, for each
            map, a list of their widths and heights in a tile's pixels.
        patience: epochs without a better one after which the run ends; 0: never.
        devices: how many processors of the fastest kind that is there (GPUs, else processes).
        threads: of the processor; 0: all.
        precision: of Lightning Fabric; ``auto``: bf16 on a GPU, else float32.
        checkpoint_every: steps.
    """

    data: LesionData
    epochs: int
    head: str = heads.BOXES
    start: str = ""
    backbone: Backbone = Backbone()
    shape: Shape = Shape()
    painter: Painter = Painter()
    anchors: int | Anchors = 2
    draw: Draw = Draw()
    recolour: Recolour = Recolour()
    optimiser: Optimiser = Optimiser(batch=4, rate=8e-4, clip=5.0)
    patience: int = 0
    seed: int = 1
    devices: int = 1
    threads: int = 0
    precision: str = "auto"
    checkpoint_every: int = 50


def read_config(path: Path) -> DetectorConfig:
    """Read a TOML configuration.

    Raises:
        UsageError: it cannot be read, or holds an unknown key or a value that cannot be meant.
    """
    config = settings.read(path, DetectorConfig, DETECTOR)
    check(config, path.name)
    return config


def replaced(
    config: DetectorConfig,
    *,
    backbone: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    **changes: Any,
) -> DetectorConfig:
    """The configuration with other values; a value of ``None`` changes nothing."""
    return settings.replaced(config, {"backbone": backbone, "data": data, **changes})


def on_other_data(config: DetectorConfig, annotations: Path) -> DetectorConfig:
    """The configuration for another set of annotations: what names photographs is taken out."""
    nobody = {"masks": "", "images": "", "train": "", "val": "", "manifest": "", "left_out": ()}
    return replaced(config, data={**nobody, "annotations": str(annotations)})


def from_builtins(stored: dict[str, Any]) -> DetectorConfig:
    """A configuration from plain values, such as those that a run stores.

    Raises:
        UsageError: the values are not a valid configuration.
    """
    return settings.convert(stored, DetectorConfig, DETECTOR)


def open_run(config: DetectorConfig, data_sha256: str, folder: Path, *, resume: bool) -> None:
    """Write what a run is made of, or check that the folder's run is made of the same.

    Args: as of :func:`runs.open_run`.

    Raises: as :func:`runs.open_run`.
    """
    run = runs.Stored(runs.DETECTION, msgspec.to_builtins(config), data_sha256)
    runs.open_run(run, folder, resume=resume, complete=_complete)


def _complete(stored: dict[str, Any]) -> dict[str, Any]:
    """Stored settings with the defaults of those that they lack."""
    plain: dict[str, Any] = msgspec.to_builtins(from_builtins(stored))
    return plain


def of_run(folder: Path) -> tuple[DetectorConfig, str]:
    """The configuration of a detector's run folder, and the SHA-256 of its data.

    Raises:
        UsageError: the folder is not a run folder of a detector.
    """
    run = runs.stored_of(runs.DETECTION, folder)
    return from_builtins(run.settings), run.manifest_sha256


def check(config: DetectorConfig, title: str) -> None:
    """Refuse values that cannot be meant.

    Raises:
        UsageError: names the key and what may stand there.
    """
    settings.require_known(config, {"head": tuple(heads.HEADS)}, title)
    settings.require_within(config, BOUNDS, title)
    settings.require_training(config, title)
    shape = config.shape
    require(shape.far <= shape.near, title, "shape.far", shape.far, "write no more than shape.near")
    carved = config.data.validation
    fine = not (config.data.val and carved)
    require(fine, title, "data.validation", carved, "leave it out, data.val names the photographs")
    _check_tile(config, title)
    _check_masks(config, title)
    _check_anchors(config.anchors, title)
    _check_kinds(config.data.kinds, title)


def _check_tile(config: DetectorConfig, title: str) -> None:
    tile, overlap = config.data.tile, config.data.overlap
    least = min(sides(tile))
    require(least >= SMALLEST_TILE, title, "data.tile", tile, f"write {SMALLEST_TILE} or more")
    require(overlap < least, title, "data.overlap", overlap, f"write less than a tile, {least}")


def _check_masks(config: DetectorConfig, title: str) -> None:
    if config.head != heads.MASK:
        return
    masks, tile = config.data.masks, config.data.tile
    require(masks != "", title, "data.masks", masks, "name the folder of the masks to learn from")
    fine = not any(side % COARSEST for side in sides(tile))
    require(fine, title, "data.tile", tile, f"write multiples of {COARSEST}")
    widths = config.painter.widths
    require(min(widths) >= 1, title, "painter.widths", widths, "write positive numbers")


def _check_anchors(anchors: int | Anchors, title: str) -> None:
    if isinstance(anchors, int):
        fine = 1 <= anchors <= MOST_ANCHORS
        require(fine, title, "anchors", anchors, f"write 1 to {MOST_ANCHORS}")
        return
    alike = len({len(level) for level in anchors}) == 1
    positive = all(0 < side < math.inf for level in anchors for pair in level for side in pair)
    remedy = "write lists of as many [width, height] each, in pixels, one for each map"
    require(alike and len(anchors[0]) > 0 and positive, title, "anchors", anchors, remedy)


def _check_kinds(wanted: tuple[str, ...], title: str) -> None:
    for name in wanted:
        near = kinds.nearest(name)
        remedy = f"write {near}" if near else f"write some of {', '.join(kinds.KINDS)}"
        require(name in kinds.KINDS, title, "data.kinds", name, remedy)
    twice = next((name for name in wanted if wanted.count(name) > 1), None)
    require(twice is None, title, "data.kinds", twice, "write each kind once")
