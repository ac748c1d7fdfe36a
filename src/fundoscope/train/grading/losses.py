"""The loss of each head of :mod:`fundoscope.grading.heads`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.grading import heads
from fundoscope.train.run.settings import SettingError

if TYPE_CHECKING:
    from torch import Tensor

NONE, BALANCED = "none", "balanced"


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of a head.

    Attributes:
        head: a key of :data:`heads.OUTPUTS`.
        smoothing: for ``cumulative`` and ``corn``, distance of the targets from 0 and 1; for
            ``softmax``, share spread evenly over the five grades; not used by other heads.
        expected: weight of a second term, the squared error of the expected grade (0: none).
        class_weights: of grades 0 to 4; a photograph counts with the weight of its grade.
    """

    head: str
    smoothing: float = 0.0
    expected: float = 0.0
    class_weights: tuple[float, ...] | None = None

    def __call__(self, outputs: Tensor, grades: Tensor) -> Tensor:
        """The mean loss of a batch.

        Args:
            outputs: of the network, float32 ``(N, outputs)``.
            grades: int64 ``(N,)``, 0 to 4.
        """
        losses = _LOSSES[self.head](outputs, grades, self.smoothing)
        if self.expected:
            error = expected(outputs, self.head) - grades
            losses = losses + self.expected * error**2
        if self.class_weights is None:
            return losses.mean()
        weight = outputs.new_tensor(self.class_weights)[grades]
        return (weight * losses).sum() / weight.sum()


def weights_of(
    setting: str | Sequence[float], grades: NDArray[np.int64]
) -> tuple[float, ...] | None:
    """The class weights that a configuration asks for.

    Args:
        setting: ``"none"``, ``"balanced"`` (every grade has the same weight in total, the mean
            weight of a photograph is 1), or five weights.
        grades: of the training photographs.

    Raises:
        SettingError: the setting is not one of these.
    """
    if setting == NONE:
        return None
    if setting == BALANCED:
        counts = np.bincount(grades, minlength=heads.GRADE_COUNT)
        shares = len(grades) / (heads.GRADE_COUNT * np.maximum(counts, 1))
        return tuple(float(share) for share in shares)
    values = () if isinstance(setting, str) else tuple(float(value) for value in setting)
    if len(values) != heads.GRADE_COUNT or min(values) < 0 or max(values) == 0:
        raise SettingError(
            f"class_weights = {setting}",
            "is neither none, balanced nor five weights",
            "write one of these; weights are 0 or more",
            key="class_weights",
        )
    return values


def expected(outputs: Tensor, head: str) -> Tensor:
    """The expected grade, float ``(N,)``; differentiable.

    Args:
        outputs: of the network, float ``(N, outputs)``.
        head: a key of :data:`heads.OUTPUTS`.
    """
    import torch

    if head == heads.REGRESSION:
        return outputs[:, 0]
    if head == heads.SIGMOID:
        return outputs[:, 0].sigmoid()
    if head == heads.SOFTMAX:
        grades = torch.arange(heads.GRADE_COUNT, device=outputs.device, dtype=outputs.dtype)
        return outputs.softmax(dim=1) @ grades
    above = outputs.sigmoid()
    return (above.cumprod(dim=1) if head == heads.CORN else above).sum(dim=1)


def of_maps(outputs: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """The binary cross-entropy of a cell, summed over the kinds; the mean of what is known.

    Args:
        outputs: log-odds ``(N, kinds, H, W)``.
        wanted: ``(N, kinds, H, W)``, 0 to 1.
        known: bool ``(N,)``: whether the maps of a photograph are known.
    """
    from torch.nn import functional

    each = functional.binary_cross_entropy_with_logits(outputs, wanted, reduction="none")
    of_photograph = each.sum(dim=1).mean(dim=(1, 2))
    return (of_photograph * known).sum() / known.sum().clamp(min=1)


def above(grades: Tensor) -> Tensor:
    """Whether a grade is above 0, 1, 2, 3; bool ``(N, 4)``."""
    import torch

    return grades[:, None] > torch.arange(heads.GRADE_COUNT - 1, device=grades.device)


def _cumulative(outputs: Tensor, grades: Tensor, smoothing: float) -> Tensor:
    from torch.nn import functional

    wanted = above(grades).float() * (1 - 2 * smoothing) + smoothing
    each = functional.binary_cross_entropy_with_logits(outputs, wanted, reduction="none")
    return each.mean(dim=1)


def _corn(outputs: Tensor, grades: Tensor, smoothing: float) -> Tensor:
    """Each output learns only from photographs whose grade is above the threshold before it."""
    import torch
    from torch.nn import functional

    wanted = above(grades)
    relevant = torch.cat((torch.ones_like(wanted[:, :1]), wanted[:, :-1]), dim=1)
    smoothed = wanted.float() * (1 - 2 * smoothing) + smoothing
    each = functional.binary_cross_entropy_with_logits(outputs, smoothed, reduction="none")
    return (each * relevant).sum(dim=1) / (heads.GRADE_COUNT - 1)


def _softmax(outputs: Tensor, grades: Tensor, smoothing: float) -> Tensor:
    from torch.nn import functional

    return functional.cross_entropy(outputs, grades, reduction="none", label_smoothing=smoothing)


def _regression(outputs: Tensor, grades: Tensor, _: float) -> Tensor:
    return (outputs[:, 0] - grades) ** 2


def _sigmoid(outputs: Tensor, grades: Tensor, _: float) -> Tensor:
    """Binary cross-entropy on the grade itself, as in the students' programme.

    For grades above 1 it has no minimum: it falls as long as the output rises.
    """
    from torch.nn import functional

    return functional.binary_cross_entropy_with_logits(
        outputs[:, 0], grades.float(), reduction="none"
    )


_LOSSES: Final = {
    heads.CUMULATIVE: _cumulative,
    heads.CORN: _corn,
    heads.SOFTMAX: _softmax,
    heads.REGRESSION: _regression,
    heads.SIGMOID: _sigmoid,
}
