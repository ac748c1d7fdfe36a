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
"""Of torchvision; its others come as timm's."""
IMAGENET_MEAN: Final = (123.675, 116.28, 103.53)
IMAGENET_SCALE: Final = (58.395, 57.12, 57.375)
"""Mean and deviation of ImageNet's pixels, as torchvision's and most of timm's networks expect."""
FULL: Final = 255.0
NEIGHBOURS: Final = 3
"""Similar names that a message offers."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of what goes in, in pixels."""

    height: int
    width: int


def known(name: str) -> bool:
    """Whether there is a network of this name."""
    if name.startswith(TORCHVISION):
        return name.removeprefix(TORCHVISION) in _torchvision()
    if name.startswith(TIMM):
        import timm

        return bool(timm.is_model(name.removeprefix(TIMM)))
    return name in OWN or name in LITE


def create(
    name: str, outputs: int, size: Size, *, dropout: float = 0.0, pretrained: bool = False
) -> nn.Module:
    """A network; it takes normalised float ``(N, 3, H, W)`` and gives ``(N, outputs)``.

    Its weights are drawn from torch's global generator.

    Args:
        name: see the head of this module.
        outputs: numbers that come out.
        size: of what goes in; only the network ``sequential`` depends on it.
        dropout: share of the features that are dropped before the last layers while training.
        pretrained: with weights from the hub of timm or torchvision; see
            :mod:`fundoscope.train.networks.weights`, which says what to do where it cannot be
            reached.

    Raises:
        UsageError: no such network, or the size is too small for it.
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


def require_takes(make: Callable[[], nn.Module], sizes: Sequence[Size], title: str) -> None:
    """Check that a network takes pictures of all sizes that it will be shown.

    Args:
        make: makes the network; it is called on torch's "meta" device, which computes nothing.
        sizes: of what goes in.
        title: how messages call the network.

    Raises:
        UsageError: it takes one shape only, or needs larger pictures.
    """
    import torch

    with torch.device("meta"):
        network = make().eval()
        for size in sizes:
            try:
                network(torch.zeros(1, 3, size.height, size.width))
            except (RuntimeError, ValueError, AssertionError):
                raise UsageError(
                    title,
                    f"does not take pictures of {size.height}x{size.width}",
                    "give every stage the size that this network wants, or take another network",
                ) from None


def normalisation(name: str, mode: str) -> Normalisation:
    """How a network's pixels are normalised in a mode of :data:`normalise.MODES`."""
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
    """The name of the layer that gives the outputs, e.g. ``"classifier"``."""
    from torch import nn

    names: list[str] = [
        name for name, part in network.named_modules() if isinstance(part, nn.Linear)
    ]
    return names[-1]


def set_training(network: nn.Module, frozen: int) -> None:
    """Put a network into training mode but for its first parts, which rest.

    Args:
        network: of :func:`create`.
        frozen: how many parts rest, weights and batch statistics: the stem with the first group of
            blocks, then a group each; 0 for none.

    Raises:
        UsageError: the network has no groups of blocks.
    """
    network.train().requires_grad_(True)
    if frozen == 0:
        return
    blocks: Any = getattr(network, "blocks", None)
    if blocks is None:
        raise UsageError(
            f"frozen = {frozen}",
            "needs a network made of groups of blocks",
            "take one of the efficientnets, or leave frozen out",
        )
    stem: list[Any] = [network.conv_stem, network.bn1]
    for part in (*stem, *blocks[:frozen]):
        part.eval().requires_grad_(False)


def _of_torchvision(name: str, outputs: int, dropout: float, pretrained: bool) -> nn.Module:
    from torch import nn
    from torchvision import models

    make = partial(models.get_model, name)
    if not pretrained:
        network: nn.Module = make(num_classes=outputs)
    else:
        network = make(weights="DEFAULT")
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

    plain = (*OWN, *LITE)
    if name.startswith(TORCHVISION):
        near = [TORCHVISION + other for other in _torchvision()]
    elif name.startswith(TIMM):
        wanted = name.removeprefix(TIMM)
        near = [TIMM + n for n in difflib.get_close_matches(wanted, timm.list_models(), NEIGHBOURS)]
    else:
        near = []
    return f"name one of {', '.join(near or (*plain, 'torchvision/NAME', 'timm/NAME'))}"
