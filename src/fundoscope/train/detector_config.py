"""The configuration of a detector's training run, as its TOML file has it."""

from __future__ import annotations

from typing import Any

import msgspec

from fundoscope.train.detection_network import Shape
from fundoscope.train.optimisers import Optimiser
from fundoscope.train.plan import Size
from fundoscope.train.tile_draw import Draw


class LesionData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which photographs; paths are relative to the working directory.

    Attributes:
        annotations: a VOC folder, or a file or folder of any other format of ``data convert``.
        images: folder of the photographs; ``JPEGImages`` of a VOC folder when left out.
        train, val: lists of names, one a line; the names of ``val`` are taken out of ``train``.
            When left out, the annotations' own splits (``ImageSets/Main``) count.
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
    images: str = ""
    train: str = ""
    val: str = ""
    kinds: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    radius: float = 852.0
    tile: Size = 512
    overlap: int = 64
    cache: str = "cache"
    licence: str = "not stated; the terms of the training photographs apply"


class Backbone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which backbone of :mod:`fundoscope.train.backbones`, and what it starts from."""

    name: str = "efficientnet_lite0"
    init: str = "imagenet"


class Recolour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far colours and sharpness of a tile go; see :class:`fundoscope.train.augment.Jitter`."""

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
        anchors: so many a level of the pyramid.
        patience: epochs without a better one after which the run ends; 0: never.
        threads: of the processor; 0: all.
        precision: of Lightning Fabric; ``auto``: bf16 on a GPU, else float32.
        checkpoint_every: steps.
    """

    data: LesionData
    epochs: int
    backbone: Backbone = Backbone()
    shape: Shape = Shape()
    anchors: int = 2
    draw: Draw = Draw()
    recolour: Recolour = Recolour()
    optimiser: Optimiser = Optimiser(batch=4, rate=8e-4, clip=5.0)
    patience: int = 0
    seed: int = 1
    devices: int = 1
    threads: int = 0
    precision: str = "auto"
    checkpoint_every: int = 50


def from_builtins(settings: dict[str, Any]) -> DetectorConfig:
    """A configuration from plain values, such as those that a run stores."""
    return msgspec.convert(settings, DetectorConfig)
