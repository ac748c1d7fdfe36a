"""The configuration of a detector's training run, with the keys of its TOML file.

This module holds values only. :mod:`fundoscope.train.detection.checks` reads files and checks them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.lesions import heads
from fundoscope.train.run import folder as runs
from fundoscope.train.run import settings
from fundoscope.train.run.optimisers import Optimiser
from fundoscope.train.run.plan import PictureSize

DETECTOR: Final = runs.TASKS[runs.DETECTION]
"""What such a run trains, as messages call it."""
Anchors = tuple[tuple[tuple[float, float], ...], ...]
"""Width and height of each anchor in a tile's pixels, by level of the pyramid; every level has the
same number of anchors."""

LEAST_SIDE: Final = 1e-3
"""Smallest side of a proposal in pixels, where the configuration asks for none: it has an area."""


class LesionData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which photographs a detector learns from; paths are relative to the working directory.

    Attributes:
        annotations: a VOC folder, or a file or folder of any other format of ``data convert``;
            empty where ``--data`` names it.
        masks: folder of the pixel-exact masks, one per kind and photograph, that a ``mask`` head
            learns from.
        images: folder of the photographs; by default ``JPEGImages`` of a VOC folder, or the folder
            of the annotations.
        train, val: lists of names, one per line; the names of ``val`` are removed from ``train``.
            By default the manifest's splits count, or the annotations' own
            (``ImageSets/Main``); where those have no ``train``, everything except ``test``.
        manifest: a table with the column ``image``, and any of ``split`` (``train``, ``val``),
            ``patient`` and ``group``: photographs of one patient or group stay on one side.
        validation: number of photographs to hold out for validation, where no list names them;
            0: a sixth.
        kinds: the class list; by default all kinds that occur in training.
        left_out: names of photographs to ignore.
        radius: radius of the field of view at the working scale, in pixels. IDRiD's is 1704 in its
            4288x2848, so 852 is half of its size, at which the median microaneurysm has 8.5 pixels.
        tile: side of a tile, or height and width, in pixels.
        overlap: overlap of two neighbouring tiles when a whole photograph is read, in pixels.
        cache: folder of the photographs at the working scale, which are made once.
        machine_boxes: learn also from boxes that a detector made and nobody confirmed.
        licence: the terms under which the trained weights may be used.
    """

    annotations: str = ""
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
    machine_boxes: bool = False
    licence: str = "not stated; the terms of the training photographs apply"


class Backbone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A backbone of :mod:`fundoscope.train.networks.backbones`, and the weights it starts from."""

    name: str = "efficientnet_lite0"
    init: str = "imagenet"


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sizes of a Faster R-CNN; the defaults are those of the detector that ships.

    Attributes:
        channels: channels of each level of the pyramid.
        hidden: width of both layers of the box head.
        proposals_kept: proposals per tile that the first stage hands to the second, in reading.
        detections: boxes per tile.
        least_score: boxes with a lower score are dropped.
        suppress: a box that overlaps a better one of its kind by this IoU is dropped.
        sampled: proposals per tile that the second stage is trained on.
        positive: largest share of lesions among them.
        near, far: a proposal of at least ``near`` IoU with a lesion is a lesion; one below ``far``
            is background. Two boxes of 8 pixels that are 2 pixels apart have an IoU of 0.4.
        first_near: an anchor of at least this IoU with a box learns to find it. Torchvision's 0.7
            is never reached by an anchor beside a box of 8 pixels.
        first_ranked: proposals of each level before overlapping ones are dropped, in reading;
            twice as many in training. 0: as many as are kept per tile.
        first_suppress: a proposal that overlaps a better one by this IoU is dropped.
        first_least: proposals with a smaller side, in a tile's pixels, are dropped.
        hardest: on a tile without a lesion the second stage learns from the proposals that the
            first stage is most certain of, not from random ones.
    """

    channels: int = 64
    hidden: int = 256
    proposals_kept: int = 300
    detections: int = 300
    least_score: float = 0.05
    suppress: float = 0.3
    sampled: int = 128
    positive: float = 0.5
    near: float = 0.4
    far: float = 0.4
    first_near: float = 0.5
    first_ranked: int = 0
    first_suppress: float = 0.6
    first_least: float = LEAST_SIDE
    hardest: bool = False


class MaskDecoder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sizes of a segmentation network's decoder.

    Attributes:
        widths: channels at strides 32, 16, 8, 4 and 2. With the default, a tile takes 0.91 of the
            time of the Faster R-CNN with 64 channels (ONNX Runtime, one thread).
    """

    widths: tuple[int, int, int, int, int] = (128, 128, 96, 64, 32)


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How training tiles are drawn.

    Attributes:
        tiles: tiles per epoch.
        anywhere: share of tiles that lie anywhere on the retina, with lesions or without.
        anatomy: how often a tile is centred on the optic disc, relative to each kind of lesion.
        scale: a tile shows the retina larger or smaller by up to this share.
        turns: turn tiles by quarters and mirror them.
    """

    tiles: int = 400
    anywhere: float = 0.25
    anatomy: float = 0.25
    scale: float = 0.2
    turns: bool = True


class Healthy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Photographs of eyes without lesions, from label tables.

    By the scale's definition an eye of grade 0 has no lesion of diabetic retinopathy, and one of
    grade 1 has microaneurysms only. Photographs that nobody could grade, and eyes with another
    disease (column ``other_disease``), are left out. So is a quarter of the patients: they are kept
    for evaluations on eyes that the detector has never seen.

    Attributes:
        tables: label tables; their splits ``train`` and ``val`` are used.
        share: share of the training tiles that are drawn from these photographs.
        grades: 0, or 0 and 1.
        validation: number of validation photographs of grade 0, of each source as many.
        pasted: share of these tiles that get the lesions of an annotated tile; needs ``data.masks``
            of all training photographs.
        mined: file of ``scripts/mine`` with the boxes that an earlier detector found on these eyes.
        around: share of the tiles that are drawn around such a box, where ``mined`` names some.
    """

    tables: tuple[str, ...] = ()
    share: float = 0.0
    grades: tuple[int, ...] = (0, 1)
    validation: int = 40
    pasted: float = 0.0
    mined: str = ""
    around: float = 0.5


class Partial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Further annotated photographs, on which only some kinds are annotated.

    Whatever else they show is neither a lesion nor background. The further kinds join the class
    list.

    Attributes:
        annotations, images, train, val, left_out: as in :class:`LesionData`.
        kinds: the kinds that are annotated.
        share: share of the training tiles that are drawn from these photographs.
    """

    annotations: str
    kinds: tuple[str, ...]
    share: float
    images: str = ""
    train: str = ""
    val: str = ""
    left_out: tuple[str, ...] = ()


class Recolour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much the colours and the sharpness of a tile vary.

    See :class:`fundoscope.train.networks.augment.Jitter`.
    """

    brightness: float = 0.20
    contrast: float = 0.20
    gain: float = 0.10
    saturation: float = 0.20
    gamma: float = 0.20
    blur: float = 0.10
    blur_factor: float = 1.5
    jpeg: float = 0.0
    jpeg_quality: int = 50
    webp: float = 0.0
    webp_quality: int = 50
    noise: float = 0.0


class DetectorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration of a run; the TOML file has the same names.

    Attributes:
        data: the photographs and their annotations.
        epochs: number of epochs of ``draw.tiles`` tiles each.
        head: a name of :data:`fundoscope.train.detection.registry.HEADS`.
        start: ``best.pt`` of an earlier run of the same kinds, anchors and network, or a bundle of
            such a run: the weights that the run starts from; by default only the backbone has
            weights (``backbone.init``). Further kinds may follow those of a bundle. A ``mask``
            head may also start from the backbone of a run with a ``boxes`` head.
        backbone: the backbone.
        shape: sizes of the network of a ``boxes`` head.
        painter: sizes of the decoder of a ``mask`` head. Run folders store this key.
        anchors: of a ``boxes`` head: the number per level, fitted to the training boxes; or for
            each level a list of widths and heights in a tile's pixels.
        healthy: photographs of eyes without lesions.
        partial: further photographs, on which only some kinds are annotated.
        draw: how tiles are drawn.
        recolour: how their colours vary.
        optimiser: batch, learning rate and the like.
        patience: epochs without an improvement after which the run ends; 0: never.
        seed: of every random choice.
        devices: number of devices of the fastest kind available (GPUs, else processes).
        threads: CPU threads; 0: all.
        precision: of Lightning Fabric; ``auto``: bf16 on a GPU, else float32.
        checkpoint_every: steps between two check-points.
    """

    data: LesionData
    epochs: int
    head: str = heads.BOXES
    start: str = ""
    backbone: Backbone = Backbone()
    shape: Shape = Shape()
    painter: MaskDecoder = MaskDecoder()
    anchors: int | Anchors = 2
    healthy: Healthy = Healthy()
    partial: tuple[Partial, ...] = ()
    draw: Draw = Draw()
    recolour: Recolour = Recolour()
    optimiser: Optimiser = Optimiser(batch=4, rate=8e-4, clip=5.0)
    patience: int = 0
    seed: int = 1
    devices: int = 1
    threads: int = 0
    precision: str = "auto"
    checkpoint_every: int = 50


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
    """The configuration for other annotations: everything that names photographs is cleared."""
    cleared = {"masks": "", "images": "", "train": "", "val": "", "manifest": "", "left_out": ()}
    data = {**cleared, "annotations": str(annotations), "licence": LesionData().licence}
    return replaced(config, data=data, healthy=Healthy(), partial=())


def from_builtins(stored: dict[str, Any]) -> DetectorConfig:
    """A configuration from plain values, such as those that a run folder stores.

    Raises:
        UsageError: the values are not a valid configuration.
    """
    return settings.convert(stored, DetectorConfig, DETECTOR)


def open_run(config: DetectorConfig, data_sha256: str, folder: Path, *, resume: bool) -> None:
    """Store a run's configuration and data hash, or check that the folder has the same ones.

    Args:
        config: of the run.
        data_sha256: hash of its data.
        folder: the run folder; it is created if it does not exist.
        resume: continue the folder's run.

    Raises:
        UsageError, OutputError: as :func:`fundoscope.train.run.folder.open_run`.
    """
    run = runs.Stored(runs.DETECTION, msgspec.to_builtins(config), data_sha256)
    runs.open_run(run, folder, resume=resume, complete=_complete)


def _complete(stored: dict[str, Any]) -> dict[str, Any]:
    """Stored settings with the defaults of those that they lack."""
    plain: dict[str, Any] = msgspec.to_builtins(from_builtins(stored))
    return plain


def of_run(folder: Path) -> tuple[DetectorConfig, str]:
    """The configuration of a detector's run folder, and the hash of its data.

    Raises:
        UsageError: the folder is not a run folder of a detector.
    """
    run = runs.stored_of(runs.DETECTION, folder)
    return from_builtins(run.settings), run.manifest_sha256
