"""What a head is: the part of a detector that turns features into lesions.

A head is a module (or any object) with the functions of :class:`Head`. To add one, write a module
``detection/NAME/head.py`` and add one name to :data:`fundoscope.train.detection.registry.HEADS`.
Nothing else in training asks which head it works with. Reading a photograph with an exported bundle
is separate: :mod:`fundoscope.lesions.heads`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fundoscope.lesions.detector import Detector
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.models.bundle import DetectorManifest
from fundoscope.train.detection.config import Anchors, DetectorConfig
from fundoscope.train.detection.data import DetectionData
from fundoscope.train.detection.parity import Difference
from fundoscope.train.detection.views.tile_draw import Tile
from fundoscope.train.detection.views.view import AnnotatedView, Progress
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.networks.normalise import Normalisation

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

MILLION: Final = 1_000_000
"""Losses are summed over an epoch as whole millionths, because counts are integers."""
LARGEST_LOSS: Final = 1e6
"""Larger losses are counted as this; the training loop itself stops at an infinite one."""

Counts = NDArray[np.int64]
"""What is summed over the steps of an epoch, ``int64 (N,)``; check-points store it."""
TargetsOf = Callable[[Sequence[Tile], "torch.device"], Any]
"""Makes what a network should give for some training tiles."""


@dataclass(frozen=True, slots=True)
class PhotographBoxes:
    """The lesions found on some photographs.

    Attributes:
        boxes: for each photograph, in its view's pixels; ``tile`` is not used.
        figures: further figures for the epoch's line of ``metrics.jsonl``.
    """

    boxes: Sequence[DetectedBoxes]
    figures: Mapping[str, Any] = field(default_factory=dict)


class Head(Protocol):
    """The functions of a head; all of them are without state."""

    def check(self, config: DetectorConfig, title: str) -> None:
        """Reject settings that are invalid for this head.

        Raises:
            UsageError: names the key and the values that it takes.
        """

    def anchors(self, config: DetectorConfig, train: Sequence[AnnotatedView]) -> Anchors:
        """The anchors, from the configuration or fitted to the training boxes; empty for none.

        Raises:
            UsageError: the configured anchors do not fit the backbone.
        """

    def digest(self, config: DetectorConfig, train: Sequence[AnnotatedView], images: Path) -> bytes:
        """A hash of what this head learns from besides photographs and boxes; empty for nothing.

        Args:
            config: of the run.
            train: the training photographs.
            images: folder of the photographs.

        Raises:
            TableError: it cannot be read.
        """

    def create(
        self,
        config: DetectorConfig,
        kinds: Sequence[str],
        anchors: Anchors,
        *,
        init: str,
        reading: bool = False,
    ) -> nn.Module:
        """The network.

        Args:
            config: names the backbone and the sizes.
            kinds: the class list.
            anchors: of :meth:`anchors`; empty: any, to count the weights.
            init: the weights that the backbone starts from.
            reading: with the limits of an exported bundle, not those of training.

        Raises:
            UsageError: there is no such backbone, or its weights cannot be read.
        """

    def start(self, network: nn.Module, stored: Mapping[str, Tensor]) -> None:
        """Load the weights of an earlier run's network into a new one.

        Raises:
            KeyError, RuntimeError, TypeError: they are another network's.
        """

    def targets(
        self, config: DetectorConfig, data: DetectionData, progress: Progress | None
    ) -> TargetsOf:
        """Prepare the targets of all training photographs.

        Args:
            config: of the run.
            data: its photographs.
            progress: a callback: photographs done, and their number.

        Raises:
            TableError, UsageError: the files that the targets are made from are missing or wrong.
            OutputError: the cache cannot be written.
        """

    def loss(self, network: nn.Module, pixels: Tensor, targets: Any) -> tuple[Tensor, Counts]:
        """The loss of a batch, and counts that are summed over the epoch.

        Args:
            network: of :meth:`create`, in training mode.
            pixels: normalised tiles, float ``(N, 3, H, W)``.
            targets: of these tiles, made by what :meth:`targets` returned.
        """

    def summarise(self, counts: Counts) -> dict[str, Any]:
        """Figures of an epoch's training tiles, from the sum of the counts of :meth:`loss`."""

    def detect(
        self,
        network: nn.Module,
        views: Sequence[AnnotatedView],
        kinds: Sequence[str],
        config: DetectorConfig,
        device: torch.device,
    ) -> PhotographBoxes:
        """The lesions that a network finds on whole validation photographs.

        Args:
            network: in evaluation mode, on ``device``.
            views: photographs at the working scale.
            kinds: the class list.
            config: of the run.
            device: where the tiles are computed.
        """

    def to_onnx(
        self,
        network: nn.Module,
        config: DetectorConfig,
        val: Sequence[AnnotatedView],
        at_once: int,
    ) -> bytes:
        """The float graph of a network, from a tile's pixels to the outputs of this head.

        Args:
            network: in evaluation mode, on the CPU.
            config: of the run.
            val: validation photographs, for an example tile.
            at_once: tiles per call.
        """

    def parity(
        self,
        network: nn.Module,
        model: bytes,
        config: DetectorConfig,
        val: Sequence[AnnotatedView],
        at_once: int,
    ) -> Difference:
        """Compare a graph in ONNX Runtime with its network in torch, on validation tiles.

        Args:
            network: in evaluation mode, on the CPU.
            model: the graph, of :meth:`to_onnx`.
            config: of the run.
            val: photographs that the tiles are cut from.
            at_once: tiles per call.

        Raises:
            FundoscopeError: they differ by more than they may.
        """

    def manifest_fields(self, detector: Detector, val: Sequence[AnnotatedView]) -> dict[str, Any]:
        """Further values of the bundle's manifest, chosen on validation.

        Args:
            detector: the exported graph, loaded.
            val: the validation photographs.
        """

    def float_layers(self) -> tuple[str, ...]:
        """Parts of the names of the layers that stay in float in a graph of eight bits."""

    def output_text(self, manifest: DetectorManifest) -> str:
        """The graph's output, as the model card describes it."""


def normalisation(config: DetectorConfig) -> Normalisation:
    """What brings pixels of 0 to 255 to the range that the backbone takes."""
    return networks.normalisation(config.backbone.name, "imagenet")


def counted(losses: Sequence[Tensor], *before: int) -> Counts:
    """Counts of one step: 1 for the step, some numbers, and each loss in millionths."""
    values = (float(loss.detach().nan_to_num()) for loss in losses)
    millionths = (int(MILLION * min(LARGEST_LOSS, value)) for value in values)
    return np.array([1, *before, *millionths], np.int64)


def means(names: Sequence[str], millionths: Sequence[int], steps: int) -> dict[str, float]:
    """The mean of each loss over an epoch, by name."""
    return {
        name: total / MILLION / max(1, steps) for name, total in zip(names, millionths, strict=True)
    }
