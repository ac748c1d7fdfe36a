"""What the export of a grader yields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fundoscope.grading.inputs import Input
from fundoscope.models import bundle as bundles
from fundoscope.train.grading.calibrate import Calibration
from fundoscope.train.grading.pictures import LeftOut
from fundoscope.train.onnx import storing


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was written, and its figures.

    Attributes:
        folder: of the bundle.
        megabytes: size of ``model.onnx`` (10^6 bytes).
        epoch: the exported epoch, from 0.
        input: what the graph takes.
        torch_difference: largest difference of a probability, ONNX Runtime against torch.
        compared: number of photographs of this comparison.
        tried: how the weights were to be stored, and what that costs; see :func:`export.cost_of`.
        taken: whether they are stored so; else in full precision.
        calibration: the fitted values, and the figures on validation.
        left_out: photographs of validation that could not be cropped, and are not used.
    """

    folder: Path
    megabytes: float
    epoch: int
    input: Input
    torch_difference: float
    compared: int
    tried: bundles.Stored
    taken: bool
    calibration: Calibration
    left_out: tuple[LeftOut, ...]

    @property
    def stored(self) -> bundles.Stored:
        """How the weights are stored."""
        return storing.stored(self.tried, taken=self.taken)
