"""What an export yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fundoscope.models import bundle as bundles
from fundoscope.train.detection.parity import Difference
from fundoscope.train.detection.set_thresholds import OfSet
from fundoscope.train.detection.views.operating import Sizes
from fundoscope.train.onnx import storing


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was written, and its figures.

    Attributes:
        folder: of the bundle.
        megabytes: size of ``model.onnx`` (10^6 bytes).
        epoch: the exported epoch, from 0.
        difference: between the graph in ONNX Runtime and the network in torch.
        tried: how the weights were to be stored, and the fall of each kind's average precision.
        taken: whether they are stored so; else they are in full precision.
        validation: figures of each kind; see :func:`fundoscope.train.detection.export.figures`.
        sizes: precision and recall of each kind by the radius of the field.
        annotated: the number of training photographs whose lesions were annotated; the others show
            eyes without lesions.
        of_sets: how the thresholds fit the photographs of further sets.
    """

    folder: Path
    megabytes: float
    epoch: int
    difference: Difference
    tried: bundles.Stored
    taken: bool
    validation: Mapping[str, Mapping[str, float | None]]
    sizes: Mapping[str, Sizes]
    annotated: int
    of_sets: tuple[OfSet, ...] = ()

    @property
    def stored(self) -> bundles.Stored:
        """How the weights are stored."""
        return storing.stored(self.tried, taken=self.taken)

    @property
    def compared(self) -> int:
        """Number of boxes that were compared between ONNX Runtime and torch."""
        return self.difference.compared

    @property
    def pixel_difference(self) -> float:
        """Largest difference of their sides, in pixels."""
        return self.difference.pixels

    @property
    def score_difference(self) -> float:
        """Largest difference of their scores."""
        return self.difference.score
