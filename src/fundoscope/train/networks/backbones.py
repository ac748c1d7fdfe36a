"""What a detector sees with: maps of features, at several strides or at one.

=========================================  =====================================================
name                                       backbone
=========================================  =====================================================
``efficientnet_lite0`` to ``2``            a pyramid of features from stride 4 up
``timm/NAME``, e.g. ``timm/resnet50``,     the same of any network of timm that gives features of
``timm/mobilenetv2_100``                   strides 4, 8, 16 and 32
``vgg16``                                  VGG16's thirteen convolutions, one map of stride 16
=========================================  =====================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fundoscope.errors import UsageError
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.networks import hed_weights, weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

VGG16: Final = "vgg16"
STAGES: Final = (1, 2, 3, 4)
STRIDES: Final = [4, 8, 16, 32]
"""Of those stages of timm's networks; the pyramid adds one of 64."""
FEATURES: Final = "features."
"""What stands before the convolutions in the whole network."""
VGG16_LAYERS: Final = 30
"""Convolutions, activations and pools of VGG16 without the last pool."""
VGG16_RESTING: Final = 10
"""Those of its first two blocks, which rest when they start from weights, as those of
py-faster-rcnn did."""
VGG16_CHANNELS: Final = 512
IMAGENET_SIZE: Final = networks.Size(224, 224)


def levels(name: str) -> int:
    """How many maps a backbone gives."""
    return 1 if name == VGG16 else len(STRIDES) + 1


def create(name: str, channels: int, *, init: str) -> nn.Module:
    """A backbone; it takes normalised float ``(N, 3, H, W)`` and gives named maps, finest first.

    Its attribute ``channels`` says how many each map has, ``levels`` names those that the second
    stage looks at.

    Args:
        name: see the head of this module.
        channels: of each level of a pyramid; VGG16's map has its own 512.
        init: what it starts from, see :mod:`fundoscope.train.networks.weights`; for ``vgg16`` also
        ``hed``,
            see :mod:`fundoscope.train.networks.hed_weights`.

    Raises:
        UsageError: no such backbone, or as :func:`fundoscope.train.networks.weights.start`.
        MissingExtraError: the package with the weights is not installed.
    """
    return _vgg16(init) if name == VGG16 else _pyramid(name, channels, init)


def _vgg16(init: str) -> nn.Module:
    from torch import nn
    from torchvision.models import vgg

    layers: Any = vgg.make_layers(vgg.cfgs["D"])[:VGG16_LAYERS]
    if init == weights.NONE:
        for part in layers:
            if isinstance(part, nn.Conv2d):  # as torchvision's VGG starts
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    else:
        stored = hed_weights.read() if init == hed_weights.HED else _vgg16_features(init)
        layers.load_state_dict(stored)
        layers[:VGG16_RESTING].requires_grad_(False)

    class Vgg16(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = layers
            self.channels = VGG16_CHANNELS
            self.levels = ["0"]

        def forward(self, tiles: Any) -> Any:
            return {"0": self.body(tiles)}

    return Vgg16()


def _vgg16_features(init: str) -> dict[str, Any]:
    """Of the whole network, whose weights timm keeps under torchvision's names."""
    whole = weights.start(networks.TIMM + VGG16, 1, IMAGENET_SIZE, dropout=0.0, init=init)
    return {
        key.removeprefix(FEATURES): value
        for key, value in whole.state_dict().items()
        if key.startswith(FEATURES)
    }


def _pyramid(name: str, channels: int, init: str) -> nn.Module:
    """A network's features as a pyramid (Lin et al., 2017) of strides 4, 8, 16, 32 and 64."""
    from torch import nn
    from torchvision.ops import FeaturePyramidNetwork
    from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

    body = features(name, STAGES, init=init)

    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = body
            self.pyramid = FeaturePyramidNetwork(
                body.feature_info.channels(), channels, LastLevelMaxPool()
            )
            self.channels = channels
            self.levels = ["0", "1", "2", "3"]

        def forward(self, tiles: Any) -> Any:
            maps = self.body(tiles)
            return self.pyramid({str(level): found for level, found in enumerate(maps)})

    return Pyramid()


def features(name: str, stages: Sequence[int], *, init: str) -> Any:
    """The part of a network that gives the maps of some stages, that of stage n of stride 2^(n+1).

    Args:
        name: a network with pyramids, see the head of this module.
        stages: from 0, the finest.
        init: what it starts from, see :mod:`fundoscope.train.networks.weights`.

    Raises:
        UsageError: there is no such network, or it gives other maps, or as
            :func:`fundoscope.train.networks.weights.start`.
    """
    body = _features(name, stages)
    if init != weights.NONE:
        stored = weights.start(name, 1, IMAGENET_SIZE, dropout=0.0, init=init).state_dict()
        if not body.state_dict().keys() <= stored.keys():
            raise UsageError(
                f"backbone {name}",
                "names its features otherwise than its weights",
                'start it with init = "none", or take another backbone',
            )
        body.load_state_dict({key: stored[key] for key in body.state_dict()})
    return body


def _features(name: str, stages: Sequence[int]) -> Any:
    """The same with random weights.

    Raises:
        UsageError: there is no such network, or it gives other maps.
    """
    import timm

    architecture = name.removeprefix(networks.TIMM)
    strides = [2 ** (stage + 1) for stage in stages]
    known = name in networks.LITE or (name.startswith(networks.TIMM) and networks.known(name))
    try:
        body: Any = known and timm.create_model(
            architecture, features_only=True, out_indices=tuple(stages)
        )
    except (RuntimeError, IndexError, AttributeError, AssertionError):
        body = None  # timm's ways to say that a network has no such maps
    if not body or body.feature_info.reduction() != strides:
        raise UsageError(
            f"backbone {name}",
            f"gives no features of strides {strides}" if known else "is not known",
            f"name one of {', '.join(networks.LITE)}, {VGG16}, timm/resnet50, timm/mobilenetv2_100",
        )
    return body
