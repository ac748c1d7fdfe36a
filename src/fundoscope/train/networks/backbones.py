"""The backbones of a detector: networks that give feature maps, at one stride or several.

=========================================  =====================================================
name                                       backbone
=========================================  =====================================================
``efficientnet_lite0`` to ``2``            a feature pyramid, from stride 4 up
``timm/NAME``, e.g. ``timm/resnet50``,     a feature pyramid of any timm network with features of
``timm/mobilenetv2_100``                   strides 4, 8, 16 and 32
``vgg16``                                  VGG16's thirteen convolutions, one map of stride 16
=========================================  =====================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fundoscope.errors import UsageError
from fundoscope.train.networks import catalogue, hed_weights, weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

VGG16: Final = "vgg16"
STAGES: Final = (1, 2, 3, 4)
STRIDES: Final = [4, 8, 16, 32]
"""The strides of those stages of timm's networks; the pyramid adds one of 64."""
FEATURES: Final = "features."
"""The prefix of the convolutions' names in the whole VGG16."""
VGG16_LAYERS: Final = 30
"""Convolutions, activations and pools of VGG16 without the last pool."""
VGG16_FROZEN: Final = 10
"""The layers of its first two blocks. They are frozen when they start from weights, as those of
py-faster-rcnn were."""
VGG16_CHANNELS: Final = 512
IMAGENET_SIZE: Final = catalogue.InputSize(224, 224)


def levels(name: str) -> int:
    """The number of maps that a backbone gives."""
    return 1 if name == VGG16 else len(STRIDES) + 1


def create(name: str, channels: int, *, init: str) -> nn.Module:
    """Create a backbone from normalised float ``(N, 3, H, W)`` to named maps, finest first.

    Its attribute ``channels`` is the number of channels of each map. Its attribute ``levels`` lists
    the names of the maps that the second stage uses.

    Args:
        name: see the table at the top of this module.
        channels: of each level of a pyramid; VGG16's map has its own 512.
        init: the starting weights, see :mod:`fundoscope.train.networks.weights`; for ``vgg16`` also
            ``hed``, see :mod:`fundoscope.train.networks.hed_weights`.

    Raises:
        UsageError: the backbone is not known, or as
            :func:`fundoscope.train.networks.weights.start`.
        MissingExtraError: the package with the weights is not installed.
    """
    return _vgg16(init) if name == VGG16 else _pyramid(name, channels, init)


def _vgg16(init: str) -> nn.Module:
    from torch import nn
    from torchvision.models import vgg

    layers: Any = vgg.make_layers(vgg.cfgs["D"])[:VGG16_LAYERS]
    if init == weights.NONE:
        for part in layers:
            if isinstance(part, nn.Conv2d):  # as torchvision initialises its VGG
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    else:
        stored = hed_weights.read() if init == hed_weights.HED else _vgg16_features(init)
        layers.load_state_dict(stored)
        layers[:VGG16_FROZEN].requires_grad_(False)

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
    """The convolutions' weights of a whole VGG16. timm uses torchvision's names for them."""
    whole = weights.start(catalogue.TIMM + VGG16, 1, IMAGENET_SIZE, dropout=0.0, init=init)
    return {
        key.removeprefix(FEATURES): value
        for key, value in whole.state_dict().items()
        if key.startswith(FEATURES)
    }


def _pyramid(name: str, channels: int, init: str) -> nn.Module:
    """A feature pyramid (Lin et al., 2017) of strides 4, 8, 16, 32 and 64."""
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
            return self.pyramid({str(level): features for level, features in enumerate(maps)})

    return Pyramid()


def features(name: str, stages: Sequence[int], *, init: str) -> Any:
    """The part of a network that gives the feature maps of some stages.

    Args:
        name: a network with a pyramid, see the table at the top of this module.
        stages: counted from 0, the finest; stage n has stride 2^(n+1).
        init: the starting weights, see :mod:`fundoscope.train.networks.weights`.

    Raises:
        UsageError: the network is not known, or does not give these maps, or as
            :func:`fundoscope.train.networks.weights.start`.
    """
    body = _features(name, stages)
    if init != weights.NONE:
        stored = weights.start(name, 1, IMAGENET_SIZE, dropout=0.0, init=init).state_dict()
        if not body.state_dict().keys() <= stored.keys():
            raise UsageError(
                f"backbone {name}",
                "names its features differently from its weights",
                'start it with init = "none", or choose another backbone',
            )
        body.load_state_dict({key: stored[key] for key in body.state_dict()})
    return body


def _features(name: str, stages: Sequence[int]) -> Any:
    """As :func:`features`, with random weights.

    Raises:
        UsageError: the network is not known, or does not give these maps.
    """
    import timm

    architecture = name.removeprefix(catalogue.TIMM)
    strides = [2 ** (stage + 1) for stage in stages]
    known = name in catalogue.LITE or (name.startswith(catalogue.TIMM) and catalogue.known(name))
    try:
        body: Any = known and timm.create_model(
            architecture, features_only=True, out_indices=tuple(stages)
        )
    except (RuntimeError, IndexError, AttributeError, AssertionError):
        body = None  # timm raises any of these if the network has no such maps
    if not body or body.feature_info.reduction() != strides:
        raise UsageError(
            f"backbone {name}",
            f"gives no features of strides {strides}" if known else "is not known",
            f"name one of {', '.join(catalogue.LITE)}, {VGG16}, timm/resnet50,"
            " timm/mobilenetv2_100",
        )
    return body
