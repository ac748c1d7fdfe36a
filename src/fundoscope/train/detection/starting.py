"""The weights that a detector's training starts from: of an earlier run, or of a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.errors import UsageError
from fundoscope.models import bundle as bundles
from fundoscope.train.detection import registry
from fundoscope.train.detection.boxes.head import PREDICTOR
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.networks import unmerged, weights
from fundoscope.train.onnx import merged
from fundoscope.train.run import loop

if TYPE_CHECKING:
    from torch import Tensor, nn

REMEDY: Final = "name best.pt of a run with the same backbone, shape, anchors and kinds"


def require_start(config: DetectorConfig) -> None:
    """Check that what a run starts from exists.

    Raises:
        UsageError: there is no such file or folder.
    """
    path = Path(config.start)
    if config.start and not (path.is_file() or bundles.is_bundle(path)):
        raise UsageError(
            f"start = {config.start}",
            "is neither best.pt of a run nor a bundle",
            "name best.pt of an earlier run or a bundle, or leave it out",
        )


def start(
    network: nn.Module,
    config: DetectorConfig,
    kinds: Sequence[str],
    batches: Callable[[], Iterable[Tensor]],
) -> None:
    """Load the weights that ``config.start`` names into a new network.

    Args:
        network: of the configuration; its weights change.
        config: of the run.
        kinds: the class list. Those that a bundle does not know keep the weights that they have.
        batches: gives training tiles, normalised ``(N, 3, H, W)``; it is called for a bundle of
            eight bits, see :mod:`fundoscope.train.networks.unmerged`.

    Raises:
        UsageError: it holds no weights, or those of another network or class list.
        BundleError: the bundle cannot be read, or was not made by ``fundoscope train``.
    """
    path = Path(config.start)
    try:
        if bundles.is_bundle(path) and weights.only_merged(bundle := bundles.load(path)):
            _require_kinds(path, kinds)
            unmerged.load(network, merged.layers(bundle.model), batches())
            return
        own = network.state_dict()
        stored = of_bundle(path, own, kinds) if bundles.is_bundle(path) else _of_run(path)
        registry.of(config).start(network, stored)
    except (KeyError, RuntimeError, TypeError):
        raise UsageError(
            f"start = {config.start}", "holds no weights of this network and class list", REMEDY
        ) from None


def _of_run(best: Path) -> Mapping[str, Tensor]:
    stored: Mapping[str, Tensor] = loop.read_checkpoint(best)["network"]
    return stored


def of_bundle(path: Path, own: Mapping[str, Tensor], kinds: Sequence[str]) -> Mapping[str, Tensor]:
    """The weights of a bundle, and a network's own for kinds that the bundle does not know.

    Args:
        path: of the bundle.
        own: the weights of the network.
        kinds: its class list.

    Raises:
        BundleError: the bundle cannot be read, or has weights of eight bits.
        KeyError: this class list does not begin with its classes.
    """
    import torch

    _require_kinds(path, kinds)
    stored = weights.stored(path)
    for name, values in stored.items():
        if name.startswith(PREDICTOR) and len(values) < len(own[name]):
            stored[name] = torch.cat((values, own[name][len(values) :]))
    return {**weights.counters(own), **stored}


def _require_kinds(path: Path, kinds: Sequence[str]) -> None:
    known = bundles.load_detector(path).manifest.classes
    if tuple(kinds[: len(known)]) != tuple(known):
        raise KeyError(", ".join(known))
