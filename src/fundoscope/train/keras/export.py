"""Write a bundle of ``sequential`` or ``sequential-spp`` as a Keras file of the same network.

The Keras network takes normalised ``float32 (N, H, W, 3)`` RGB. It gives the probabilities of the
bundle's head, or for regression the grade.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.grading import heads, inputs
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.models.bundle import Bundle, GraderManifest
from fundoscope.train.keras import files as keras_files
from fundoscope.train.networks import catalogue, normalise, sequential
from fundoscope.train.networks.normalise import Normalisation
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.writing import refuse_existing

SUFFIXES: Final = (".h5", ".keras")
ACTIVATIONS: Final = {
    heads.SOFTMAX: "softmax",
    heads.CUMULATIVE: "sigmoid",
    heads.CORN: "sigmoid",
    heads.SIGMOID: "sigmoid",
    heads.REGRESSION: "linear",
}
"""By head: the activation that turns its outputs into probabilities (for regression, grades)."""
FIRST, SECOND, HIDDEN, LAST = "0", "3", "7", "10"
"""The layers with weights, by their names in :mod:`fundoscope.train.networks.sequential`."""
FLATTEN_INPUT: Final = 3
"""The Keras layer in front of ``Flatten``."""
CHANNELS_LAST: Final = {"data_format": "channels_last"}
"""Given to every layer, because the user's Keras settings can change the default."""
MAX_DIFFERENCE: Final = 1e-4
"""Largest accepted difference of a probability between Keras and ONNX Runtime."""
COMPARED: Final = 4
"""Random pictures on which Keras and ONNX Runtime are compared."""

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export.

    Attributes:
        path: the Keras file.
        network: its name in :mod:`fundoscope.train.networks.catalogue`.
        layers: the class names of the Keras layers, in order.
        parameters: the number of weights.
        shape: height and width of the input in pixels; ``None``: any.
        normalise: how the input must be normalised: a mode of
            :mod:`fundoscope.train.networks.normalise`.
        head: the bundle's head, see :data:`ACTIVATIONS`.
        difference: the largest difference of a probability between Keras and ONNX Runtime, on
            random pictures.
    """

    path: Path
    network: str
    layers: tuple[str, ...]
    parameters: int
    shape: tuple[int, int] | None
    normalise: str
    head: str
    difference: float


def to_keras(path: Path, out: Path, *, overwrite: bool = False) -> Exported:
    """Write a bundle's network as a Keras file.

    Args:
        path: a bundle of ``fundoscope train``.
        out: the file; its suffix is ``.h5`` or ``.keras``.
        overwrite: replace an existing file.

    Raises:
        UsageError: ``out`` has another suffix, or the bundle has another network.
        FundoscopeError: the predictions of Keras and of the bundle differ.
        OutputError: the file exists, or cannot be written.
    """
    if out.suffix not in SUFFIXES:
        raise UsageError(
            out.name, "does not end in the suffix of a Keras file", "end it in .h5 or .keras"
        )
    refuse_existing(out, overwrite=overwrite)
    bundle = bundles.load_grader(path)
    name, mode = _origin(bundle.manifest, path.name)
    keras = keras_files.framework()
    with keras.device("cpu"):
        model = definition(name, bundle.manifest)
        _set_weights(model, _weights(bundle, path.name), path.name)
        difference = _compare(model, bundle, catalogue.normalisation(name, mode))
        keras_files.save(model, out)
    return Exported(
        path=out,
        network=name,
        layers=tuple(type(layer).__name__ for layer in model.layers),
        parameters=model.count_params(),
        shape=_shape(bundle.manifest),
        normalise=mode,
        head=bundle.manifest.head,
        difference=difference,
    )


def definition(name: str, manifest: GraderManifest) -> Any:
    """The network in Keras with random weights: a ``keras.Model``.

    Args:
        name: ``"sequential"`` or ``"sequential-spp"``.
        manifest: of its bundle, for the input's shape and the head.
    """
    keras = keras_files.framework()
    layers = keras.layers
    shape = _shape(manifest) or (None, None)
    convolution = {"kernel_size": sequential.KERNEL, "activation": "relu"} | CHANNELS_LAST
    features = [
        layers.Conv2D(sequential.FILTERS, **convolution),
        layers.MaxPooling2D(sequential.POOL, **CHANNELS_LAST),
        layers.Conv2D(sequential.FILTERS, **convolution),
        layers.MaxPooling2D(sequential.POOL, **CHANNELS_LAST),
    ]
    classifier = [
        layers.Dense(sequential.HIDDEN, activation="relu"),
        layers.Dropout(sequential.DROPOUT),
        layers.Dense(heads.OUTPUTS[manifest.head], activation=ACTIVATIONS[manifest.head]),
    ]
    front = keras.Input((*shape, 3))
    if name == catalogue.SEQUENTIAL:
        flatten = layers.Flatten(**CHANNELS_LAST)
        return keras.Sequential([front, *features, flatten, *classifier], name=name)
    maps = _chain(features, front)
    cells = [
        layers.Flatten(**CHANNELS_LAST)(layers.AdaptiveMaxPooling2D(level, **CHANNELS_LAST)(maps))
        for level in sequential.PYRAMID
    ]
    outputs = _chain(classifier, layers.Concatenate()(cells))
    return keras.Model(front, outputs, name=name.replace("-", "_"))


def _chain(layers: list[Any], values: Any) -> Any:
    for layer in layers:
        values = layer(values)
    return values


def _origin(manifest: GraderManifest, title: str) -> tuple[str, str]:
    """The names of the bundle's network and of its normalisation."""
    configuration: Any = manifest.trained_on.configuration
    network = configuration.get("network")
    name = network.get("name") if isinstance(network, dict) else None
    if name not in catalogue.OWN:
        raise UsageError(
            title,
            f"has the network {name}" if name else "does not name its network",
            f"only {' and '.join(catalogue.OWN)} of `fundoscope train` can be written for Keras",
        )
    mode = configuration.get("normalise")
    if mode not in normalise.MODES:
        raise UsageError(title, f"has an unknown normalisation, {mode!r}", "export it again")
    return name, mode


def _shape(manifest: GraderManifest) -> tuple[int, int] | None:
    return None if manifest.input == inputs.NATIVE else manifest.height_width


def _weights(bundle: Bundle[GraderManifest], title: str) -> Weights:
    weights = onnx_graph.weights(bundle.model)
    needed = {f"{n}.{part}" for n in (FIRST, SECOND, HIDDEN, LAST) for part in ("weight", "bias")}
    if needed - set(weights):
        raise UsageError(
            title, "does not hold its weights under the network's own names", "export it again"
        )
    return weights


def _set_weights(model: Any, weights: Weights, title: str) -> None:
    """Give a Keras network of :func:`definition` the weights of the torch network."""
    hidden = weights[f"{HIDDEN}.weight"]
    if model.name == catalogue.SEQUENTIAL:
        _, rows, columns, _ = model.layers[FLATTEN_INPUT].output.shape
        hidden = _channels_last(hidden, rows, columns)
    kernels = (
        _convolution(weights[f"{FIRST}.weight"]),
        _convolution(weights[f"{SECOND}.weight"]),
        hidden.T,
        weights[f"{LAST}.weight"].T,
    )
    biases = (weights[f"{number}.bias"] for number in (FIRST, SECOND, HIDDEN, LAST))
    values = [value for pair in zip(kernels, biases, strict=True) for value in pair]
    try:
        model.set_weights(values)
    except ValueError:
        raise UsageError(
            title, "has weights of another shape than its network", "export it again"
        ) from None


def _convolution(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """From torch's (out, in, rows, columns) to Keras' (rows, columns, in, out)."""
    return kernel.transpose(2, 3, 1, 0)


def _channels_last(kernel: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Features in Keras' order: torch flattens channel by channel, Keras pixel by pixel.

    After the pyramid this is not needed: both have all channels of a cell, then the next cell.
    """
    units = len(kernel)
    return kernel.reshape(units, -1, rows, columns).transpose(0, 2, 3, 1).reshape(units, -1)


def meaning(outputs: NDArray[np.float32], head: str) -> NDArray[np.float64]:
    """Apply a head's activation to a bundle's outputs: the outputs of the Keras network."""
    values = outputs.astype(np.float64)
    activation = ACTIVATIONS[head]
    if activation == "softmax":
        return heads.probabilities(values, head=heads.SOFTMAX)
    return 1 / (1 + np.exp(-values)) if activation == "sigmoid" else values


def _compare(model: Any, bundle: Bundle[GraderManifest], normalisation: Normalisation) -> float:
    """The largest difference of a probability on random pictures.

    Raises:
        FundoscopeError: it is more than :data:`MAX_DIFFERENCE`.
    """
    import torch

    height, width = bundle.manifest.height_width
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (COMPARED, height, width, 3), dtype=np.uint8)
    session = runtime.session(bundle)
    ours = np.concatenate([runtime.run(session, picture[np.newaxis]) for picture in pixels])
    planes = normalisation(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
    batch = planes.permute(0, 2, 3, 1).numpy()
    theirs = np.concatenate([model.predict_on_batch(picture[np.newaxis]) for picture in batch])
    difference = float(np.abs(meaning(ours, bundle.manifest.head) - theirs).max())
    if not difference < MAX_DIFFERENCE:
        raise FundoscopeError(
            bundle.manifest.name,
            f"gives other results in Keras: a probability differs by {difference:.1e}",
            "report it with the versions of keras and onnxruntime",
        )
    return difference
