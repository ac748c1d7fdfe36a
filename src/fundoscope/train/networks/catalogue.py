"""The networks that can be trained, by name.

==========================================  ====================================================
name                                        network
==========================================  ====================================================
``sequential``, ``sequential-spp``          :mod:`fundoscope.train.networks.sequential`
``efficientnet_lite0`` to ``2``             timm's, with ImageNet weights from Python packages
``torchvision/NAME``                        a ResNet or MobileNet of torchvision
``timm/NAME``                               any network of timm
==========================================  ====================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fundoscope.errors import UsageError
from fundoscope.train.networks import sequential
from fundoscope.train.networks.normalise import Normalisation

if TYPE_CHECKING:
    from torch import nn

SEQUENTIAL, SEQUENTIAL_SPP = "sequential", "sequential-spp"
OWN: Final = {
    SEQUENTIAL: sequential.sequential,
    SEQUENTIAL_SPP: sequential.sequential_spp,
}
LITE: Final = tuple(f"efficientnet_lite{n}" for n in range(3))
TORCHVISION, TIMM = "torchvision/", "timm/"
FAMILIES: Final = ("resnet", "mobilenet")
"""The families that are taken from torchvision; timm has the others."""
IMAGENET_MEAN: Final = (123.675, 116.28, 103.53)
IMAGENET_SCALE: Final = (58.395, 57.12, 57.375)
"""Mean and standard deviation of ImageNet's red, green and blue levels, 0 to 255. The networks of
torchvision and most of timm's expect them."""
FULL: Final = 255.0
COLOURS: Final = 3
SIMILAR: Final = 3
"""How many similar names an error message offers."""


@dataclass(frozen=True, slots=True)
class InputSize:
    """Height and width of a network's input, in pixels."""

    height: int
    width: int


def known(name: str) -> bool:
    """Whether a network of this name exists."""
    if name.startswith(TORCHVISION):
        return name.removeprefix(TORCHVISION) in _torchvision()
    if name.startswith(TIMM):
        import timm

        return bool(timm.is_model(name.removeprefix(TIMM)))
    return name in OWN or name in LITE


def create(
    name: str, outputs: int, size: InputSize, *, dropout: float = 0.0, pretrained: bool = False
) -> nn.Module:
    """Create a network from normalised float ``(N, 3, H, W)`` to ``(N, outputs)``.

    Its weights are drawn from torch's global generator.

    Args:
        name: see the table at the top of this module.
        outputs: the number of outputs.
        size: of the input; only the network ``sequential`` depends on it.
        dropout: share of the features that are dropped before the last layers in training.
        pretrained: download weights from the hub of timm or torchvision. Use
            :func:`fundoscope.train.networks.weights.start`, which reports a hub that cannot be
            reached.

    Raises:
        UsageError: the network is not known, or the size is too small for it.
    """
    if not known(name):
        raise UsageError(f"network {name}", "is not known", _remedy(name))
    if name in OWN:
        return OWN[name](outputs, size.height, size.width, dropout)
    if name.startswith(TORCHVISION):
        return _of_torchvision(name.removeprefix(TORCHVISION), outputs, dropout, pretrained)
    import timm

    architecture = name.removeprefix(TIMM)
    network: nn.Module = timm.create_model(
        architecture, pretrained=pretrained, num_classes=outputs, drop_rate=dropout
    )
    return network


def require_takes(make: Callable[[], nn.Module], sizes: Sequence[InputSize], title: str) -> None:
    """Check that a network takes pictures of every size that it will be given.

    Args:
        make: creates the network. It is called on torch's "meta" device, which computes nothing.
        sizes: of the pictures.
        title: the network's name in error messages.

    Raises:
        UsageError: the network takes one size only, or needs larger pictures.
    """
    import torch

    with torch.device("meta"):
        network = make().eval()
        for size in sizes:
            try:
                network(torch.zeros(1, COLOURS, size.height, size.width))
            except (RuntimeError, ValueError, AssertionError):
                raise UsageError(
                    title,
                    f"does not take pictures of {size.height}x{size.width}",
                    "give every stage a size that this network takes, or choose another network",
                ) from None


def normalisation(name: str, mode: str) -> Normalisation:
    """The normalisation of a network's input, in a mode of :data:`normalise.MODES`."""
    if name in LITE or name in OWN:
        return Normalisation(mode)  # EfficientNet-Lite was trained on (x - 127) / 128.
    mean, scale = IMAGENET_MEAN, IMAGENET_SCALE
    if name.startswith(TIMM):
        import timm

        settings: Any = timm.get_pretrained_cfg(name.removeprefix(TIMM))
        if settings is not None:
            mean = tuple(FULL * value for value in settings.mean)
            scale = tuple(FULL * value for value in settings.std)
    return Normalisation(mode, mean, scale)


def last_layer(network: nn.Module) -> str:
    """The name of the layer that computes the outputs, e.g. ``"classifier"``."""
    from torch import nn

    names: list[str] = [
        name for name, part in network.named_modules() if isinstance(part, nn.Linear)
    ]
    return names[-1]


def set_training(network: nn.Module, frozen: int) -> None:
    """Put a network into training mode, with its first parts frozen.

    A frozen part keeps its weights and its batch statistics.

    Args:
        network: of :func:`create`.
        frozen: how many groups of blocks are frozen, and with them the stem; 0: nothing.

    Raises:
        UsageError: the network is not made of groups of blocks.
    """
    network.train().requires_grad_(True)
    if frozen == 0:
        return
    blocks: Any = getattr(network, "blocks", None)
    if blocks is None:
        raise UsageError(
            f"frozen = {frozen}",
            "needs a network made of groups of blocks",
            "choose one of the efficientnets, or leave frozen out",
        )
    stem: list[Any] = [network.conv_stem, network.bn1]
    for part in (*stem, *blocks[:frozen]):
        part.eval().requires_grad_(False)


def _of_torchvision(name: str, outputs: int, dropout: float, pretrained: bool) -> nn.Module:
    from torch import nn
    from torchvision import models

    create_model = partial(models.get_model, name)
    if not pretrained:
        network: nn.Module = create_model(num_classes=outputs)
    else:
        network = create_model(weights="DEFAULT")
        _replace_last_layer(network, outputs)
    for part in network.modules():
        if isinstance(part, nn.Dropout):
            part.p = dropout
    return network


def _replace_last_layer(network: nn.Module, outputs: int) -> None:
    from torch import nn

    name = last_layer(network)
    parent, _, child = name.rpartition(".")
    layer: Any = network.get_submodule(name)
    setattr(network.get_submodule(parent), child, nn.Linear(layer.in_features, outputs))


def _torchvision() -> list[str]:
    from torchvision import models

    return [
        name
        for name in models.list_models(module=models)
        if name.startswith(FAMILIES) and "quantized" not in name
    ]


def _remedy(name: str) -> str:
    import difflib

    import timm

    names = [*OWN, *LITE, "torchvision/NAME", "timm/NAME"]
    if name.startswith(TORCHVISION):
        names = [TORCHVISION + other for other in _torchvision()]
    elif name.startswith(TIMM):
        architecture = name.removeprefix(TIMM)
        similar = difflib.get_close_matches(architecture, timm.list_models(), SIMILAR)
        names = [TIMM + other for other in similar] or names
    return f"name one of {', '.join(names)}"
