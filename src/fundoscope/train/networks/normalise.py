"""Normalisation of a network's input. It is part of the exported graph.

==============  ==================================================================================
mode            normalisation
==============  ==================================================================================
``imagenet``    a mean and a scale for each channel, those of the network's ImageNet weights
``rescale``     division by 255 (``ImageDataGenerator(rescale=1/255)`` of Keras)
``samplewise``  the same, minus the photograph's own mean (with ``samplewise_center=True``)
==============  ==================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

IMAGENET, RESCALE, SAMPLEWISE = "imagenet", "rescale", "samplewise"
MODES: Final = (IMAGENET, RESCALE, SAMPLEWISE)
FULL: Final = 255.0


@dataclass(frozen=True, slots=True)
class Normalisation:
    """A way to normalise pixels.

    Attributes:
        mode: one of :data:`MODES`.
        mean: of red, green and blue, in levels 0 to 255; used by ``imagenet`` only.
        scale: divisor of red, green and blue, in levels 0 to 255; used by ``imagenet`` only.
    """

    mode: str = IMAGENET
    mean: tuple[float, float, float] = (127.0, 127.0, 127.0)
    scale: tuple[float, float, float] = (128.0, 128.0, 128.0)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalise float ``(N, 3, H, W)`` RGB of 0 to 255; the result has that shape and type."""
        if self.mode == RESCALE:
            return pixels / FULL
        if self.mode == SAMPLEWISE:
            scaled = pixels / FULL
            return scaled - _mean(scaled)
        if len({*self.mean}) == len({*self.scale}) == 1:
            return (pixels - self.mean[0]) / self.scale[0]
        mean, scale = (
            pixels.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.scale)
        )
        return (pixels - mean) / scale


def _mean(pixels: Tensor) -> Tensor:
    """The mean of each photograph, float ``(N, 1, 1, 1)``, dimension by dimension.

    ONNX Runtime adds one value after the other. Over all 180,000 values of a photograph of 200x300
    at once its mean was wrong by 4e-5, which moved probabilities by 1e-4.
    """
    for dim in (3, 2, 1):
        pixels = pixels.mean(dim=dim, keepdim=True)
    return pixels
