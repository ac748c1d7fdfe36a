"""Optimisers by name, and the learning rate of each step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import nn

RMSPROP, SGD, ADAM, ADAMW = "rmsprop", "sgd", "adam", "adamw"
NAMES: Final = (RMSPROP, SGD, ADAM, ADAMW)
COSINE, CONSTANT = "cosine", "constant"
SCHEDULES: Final = (COSINE, CONSTANT)
FINAL_RATE: Final = 0.01
"""The cosine ends at this share of the peak learning rate."""
RHO, EPSILON = 0.9, 1e-7
"""Of RMSProp, with the values of Keras; torch's defaults are 0.99 and 1e-8."""


class Optimiser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the weights are changed.

    Attributes:
        name: one of :data:`NAMES`.
        batch: photographs per step.
        rate: the peak of the learning rate.
        momentum: of ``sgd`` and ``rmsprop``.
        weight_decay: separate from the gradient for ``adamw``, added to it for the others; not used
            for biases and batch normalisation.
        schedule: ``cosine`` down to :data:`FINAL_RATE` of the peak, or ``constant``; both after the
            warm-up.
        warm_up: share of all steps in which the rate rises.
        clip: largest norm of the gradient; 0: any.
        ema: decay per step of the moving average of the weights, which is evaluated and kept; 0:
            the weights themselves.
    """

    name: str = ADAMW
    batch: int = 24
    rate: float = 6e-4
    momentum: float = 0.0
    weight_decay: float = 0.02
    schedule: str = COSINE
    warm_up: float = 0.06
    clip: float = 2.0
    ema: float = 0.998

    def rate_of(self, step: int, steps: int) -> float:
        """The learning rate of a step.

        Args:
            step: from 0.
            steps: number of all steps.
        """
        warm = max(1, round(self.warm_up * steps)) if self.warm_up else 0
        if step < warm:
            return self.rate * (step + 1) / warm
        if self.schedule == CONSTANT:
            return self.rate
        share = (step - warm) / max(1, steps - warm)
        cosine = (1 + math.cos(math.pi * share)) / 2
        return self.rate * (FINAL_RATE + (1 - FINAL_RATE) * cosine)


def make(network: nn.Module, settings: Optimiser) -> torch.optim.Optimizer:
    """The optimiser of a network's weights, in torch."""
    from torch import optim

    groups = list(_groups(network, settings.weight_decay))
    common: dict[str, Any] = {"lr": settings.rate}
    if settings.name == ADAMW:
        return optim.AdamW(groups, fused=True, **common)
    if settings.name == ADAM:
        return optim.Adam(groups, fused=True, **common)
    if settings.name == SGD:
        return optim.SGD(groups, momentum=settings.momentum, **common)
    return optim.RMSprop(groups, alpha=RHO, eps=EPSILON, momentum=settings.momentum, **common)


def _groups(network: nn.Module, weight_decay: float) -> Iterator[dict[str, Any]]:
    """Matrices and kernels, with weight decay, and the other weights, without."""
    yield {
        "params": [p for p in network.parameters() if p.ndim > 1],
        "weight_decay": weight_decay,
    }
    yield {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0}
