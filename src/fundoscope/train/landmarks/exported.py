"""What the export of a landmark network yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fundoscope.models import bundle as bundles
from fundoscope.train.landmarks.marks import LeftOut
from fundoscope.train.onnx import storing

ALIKE: Final = 0.95
"""Share of the photographs on which a graph may not differ from its network. On others two places
are nearly equally likely, and rounding may choose between them."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was written, and its figures.

    Attributes:
        folder: of the bundle.
        megabytes: size of ``model.onnx`` (10^6 bytes).
        epoch: the exported epoch, from 0.
        difference: of places (in radii of the field) and of the logarithm of the disc's diameter,
            ONNX Runtime against torch: no larger on :data:`ALIKE` of the photographs.
        compared: number of photographs of this comparison.
        tried: how the weights were to be stored, and what that costs.
        taken: whether they are stored so; else in full precision.
        validation: figures by source and in all.
        left_out: photographs that have no field of view, and are not used.
    """

    folder: Path
    megabytes: float
    epoch: int
    difference: float
    compared: int
    tried: bundles.Stored
    taken: bool
    validation: Mapping[str, Mapping[str, float | None]]
    left_out: tuple[LeftOut, ...]

    @property
    def stored(self) -> bundles.Stored:
        """How the weights are stored."""
        return storing.stored(self.tried, taken=self.taken)
