"""Continue training from weights into which batch normalisation was merged.

In a graph of eight bits, each batch normalisation is a part of the convolution before it. A network
that is trained needs it apart: it divides by the spread of the batch. So each convolution gets the
merged weights, and its batch normalisation the mean and spread that these weights give on training
pictures, with the factor and offset that undo them. In evaluation the network calculates what the
graph calculates; in training it begins close to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from fundoscope.train.onnx.merged import Layer

if TYPE_CHECKING:
    from torch import Tensor, nn

LEAST: Final = 1e-12
"""Of a filter's norm, so that a filter of zeros can be divided by it."""


def load(network: nn.Module, layers: Mapping[str, Layer], batches: Iterable[Tensor]) -> None:
    """Give a network the weights of a graph.

    Args:
        network: with the layers of the graph; its weights change. Where a layer has more outputs
            than the graph knows, the others keep their weights.
        layers: of :func:`fundoscope.train.onnx.merged.layers`.
        batches: training pictures, normalised ``(N, 3, H, W)``, on which mean and spread are
            measured.

    Raises:
        KeyError: the network has no such layer.
        RuntimeError: a layer has another shape.
    """
    import torch

    training = network.training
    network.eval()
    with torch.no_grad():
        found = {name: _submodule(network, name) for name in layers}
        norms = {name: _norms(module.weight) for name, module in found.items()}
        for name, layer in layers.items():
            _take(found[name], network, layer)
        measured = _measured(network, layers, batches)
        for name, layer in layers.items():
            if layer.normalisation:
                module = _submodule(network, layer.normalisation)
                _separate(found[name], module, norms[name], *measured[layer.normalisation])
    network.train(training)


def _submodule(network: nn.Module, name: str) -> Any:
    try:
        return network.get_submodule(name)
    except AttributeError:
        raise KeyError(name) from None


def _take(module: Any, network: nn.Module, layer: Layer) -> None:
    """The merged weights, with a batch normalisation that only adds the merged offset."""
    import torch

    weight, bias = torch.from_numpy(layer.weight.copy()), torch.from_numpy(layer.bias.copy())
    module.weight[: len(weight)] = weight
    if layer.normalisation:
        after = _submodule(network, layer.normalisation)
        after.running_mean.zero_()
        after.running_var.fill_(1.0 - after.eps)
        after.weight.fill_(1.0)
        after.bias.copy_(bias)
    elif module.bias is not None:
        module.bias[: len(bias)] = bias


def _measured(
    network: nn.Module,
    layers: Mapping[str, Layer],
    batches: Iterable[Tensor],
) -> dict[str, tuple[Tensor, Tensor]]:
    """Mean and variance of what comes into each batch normalisation, for each channel."""
    import torch

    sums: dict[str, list[Tensor]] = {}

    def add(name: str, values: Tensor) -> None:
        values = values.double()
        count = torch.tensor(values.numel() / values.shape[1], dtype=torch.float64)
        new = [values.sum((0, 2, 3)), values.square().sum((0, 2, 3)), count]
        sums[name] = [a + b for a, b in zip(sums[name], new, strict=True)] if name in sums else new

    with ExitStack() as hooks:
        for name in {layer.normalisation for layer in layers.values() if layer.normalisation}:
            hook = _submodule(network, name).register_forward_pre_hook(
                lambda _, inputs, name=name: add(name, inputs[0])
            )
            hooks.callback(hook.remove)
        device = next(network.parameters()).device
        for pictures in batches:
            network(pictures.to(device))
    means = {name: total / count for name, (total, _, count) in sums.items()}
    return {
        name: (means[name].float(), (squares / count - means[name].square()).clamp(min=0).float())
        for name, (_, squares, count) in sums.items()
    }


def _separate(module: Any, after: Any, norms: Tensor, mean: Tensor, variance: Tensor) -> None:
    """Move a layer's scale into its batch normalisation; the two together stay what they were.

    The filters get the norms that they had before, which the learning rate is made for.
    """
    import torch

    scale = norms / _norms(module.weight).clamp(min=LEAST)
    module.weight.mul_(scale.reshape(-1, *[1] * (module.weight.dim() - 1)))
    after.bias.add_(mean)
    after.running_mean.copy_(mean * scale)
    after.running_var.copy_(variance * scale.square())
    after.weight.copy_(torch.sqrt(after.running_var + after.eps) / scale)


def _norms(weight: Tensor) -> Tensor:
    """The norm of each output's filter, ``(outputs,)``."""
    norms: Tensor = weight.flatten(1).norm(dim=1)
    return norms
