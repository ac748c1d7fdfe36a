"""Convert the configuration of a network in a Keras file of any version to the form of Keras 3.

Nothing is built here. A configuration is JSON, and the result holds only layers of :data:`LAYERS`.
Whatever only training needs is left out: initialisers, regularisers, constraints and types. This
also removes most of what differs between versions.

Known forms: ``config`` is a list of layers (Keras up to 2.2, TensorFlow 1); a dictionary without an
InputLayer (Keras 2.3, TensorFlow 1.15 and 2.0); a dictionary whose InputLayer has
``batch_input_shape`` (TensorFlow 2.2 to 2.15) or ``batch_shape`` (Keras 3).
"""

from __future__ import annotations

import re
from typing import Any, Final

from fundoscope.errors import UsageError

LAYERS: Final = frozenset(
    (
        "Activation",
        "ActivityRegularization",
        "AdaptiveAveragePooling2D",
        "AdaptiveMaxPooling2D",
        "Add",
        "AlphaDropout",
        "Average",
        "AveragePooling2D",
        "BatchNormalization",
        "Concatenate",
        "Conv2D",
        "Conv2DTranspose",
        "Cropping2D",
        "Dense",
        "DepthwiseConv2D",
        "Dropout",
        "ELU",
        "Flatten",
        "GaussianDropout",
        "GaussianNoise",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "GroupNormalization",
        "Identity",
        "InputLayer",
        "LayerNormalization",
        "LeakyReLU",
        "Maximum",
        "MaxPooling2D",
        "Minimum",
        "Multiply",
        "Normalization",
        "Permute",
        "PReLU",
        "ReLU",
        "Rescaling",
        "Reshape",
        "SeparableConv2D",
        "Softmax",
        "SpatialDropout2D",
        "Subtract",
        "UpSampling2D",
        "ZeroPadding2D",
    )
)
"""The layers of image classifiers that are built. None of them holds code or reads a file."""
INACTIVE: Final = frozenset(
    (
        "AugMix",
        "CutMix",
        "MixUp",
        "RandAugment",
        "RandomBrightness",
        "RandomColorDegeneration",
        "RandomColorJitter",
        "RandomContrast",
        "RandomElasticTransform",
        "RandomErasing",
        "RandomFlip",
        "RandomGaussianBlur",
        "RandomGrayscale",
        "RandomHeight",
        "RandomHue",
        "RandomInvert",
        "RandomPerspective",
        "RandomPosterization",
        "RandomRotation",
        "RandomSaturation",
        "RandomSharpness",
        "RandomShear",
        "RandomTranslation",
        "RandomWidth",
        "RandomZoom",
    )
)
"""Layers that change pictures in training only. An Identity layer replaces each. (RandomCrop
is left out: it always changes the size.)"""
IDENTITY: Final = "Identity"
MODELS: Final = {
    "Sequential": ("Sequential", "keras"),
    "Functional": ("Functional", "keras.src.models.functional"),
    "Model": ("Functional", "keras.src.models.functional"),
}
"""From the class name in a file to class name and module in Keras 3. Until Keras 2.3 a functional
network was called "Model"."""
ALIASES: Final = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "AvgPool2D": "AveragePooling2D",
    "MaxPool2D": "MaxPooling2D",
    "Convolution2D": "Conv2D",
}
CODE: Final = frozenset({"Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer"})
"""Layers that hold program code, or a model in another file."""
KERAS_MODULE: Final = re.compile(
    r"(tensorflow\.(python\.)?)?keras(\.src)?(\.(layers|models|engine).*)?"
)
PACKAGE: Final = "Keras"
"""The package of Keras' own layers in a registered name, which some versions write."""
TRAINING_ONLY: Final = ("_initializer", "_regularizer", "_constraint")
OUTDATED: Final = frozenset(
    (
        "autocast",
        "batch_input_shape",
        "batch_shape",
        "build_input_shape",
        "dtype",
        "fused",
        "implementation",
        "input_dtype",
        "input_shape",
        "lora_rank",
        "optional",
        "quantization_config",
        "ragged",
        "sparse",
    )
)
"""Settings that do not change what a layer computes, or that the InputLayer has."""
DEFAULTS: Final = {"groups": 1, "adjustment": None, "virtual_batch_size": None, "renorm": False}
"""Settings that some layers of Keras 3 no longer have, each with the only value it may have."""
RENORM: Final = ("renorm_clipping", "renorm_momentum")
ENDS: Final = frozenset({"input_layers", "output_layers"})
TENSOR: Final = "__keras_tensor__"
CHANGED: Final = "hard_sigmoid"
"""The activation whose formula Keras 3 changed."""

Config = dict[str, Any]


def modern(config: object, title: str, *, old: bool) -> Config:
    """The configuration of a network in the form of Keras 3.

    Args:
        config: the file's configuration, decoded from JSON.
        title: the file's name in error messages.
        old: whether a Keras before 3 wrote it.

    Returns:
        An argument for ``keras.saving.deserialize_keras_object``.

    Raises:
        UsageError: the configuration is not a network's, or has a layer that is not built here.
    """
    try:
        if not isinstance(config, dict) or config.get("class_name") not in MODELS:
            raise _unsupported(title, "is not a Sequential or functional network")
        network = _entry(config, title, old)
        for key in ENDS & network["config"].keys():
            network["config"][key] = _single(network["config"][key])
        return network
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise _unsupported(
            title, f"describes its network in an unknown form ({type(error).__name__}: {error})"
        ) from None


def _entry(entry: Config, title: str, old: bool) -> Config:
    """Convert a layer, or a network inside the network."""
    given: str = entry["class_name"]
    name = ALIASES.get(given, given)
    if name in CODE:
        raise UsageError(
            title,
            f"has a {name} layer, which holds program code; it is not run",
            "build the network from Keras' own layers, and save it again",
        )
    module = entry.get("module")
    registered = entry.get("registered_name")
    foreign = module is not None and not KERAS_MODULE.fullmatch(module)
    known = name in LAYERS or name in MODELS or name in INACTIVE
    if foreign or registered not in (None, given, f"{PACKAGE}>{given}") or not known:
        raise _unsupported(title, f"has a layer {registered or given!r}, which is not supported")
    if name in MODELS:
        name, module = MODELS[name]
        convert = _sequential if name == "Sequential" else _functional
        config = convert(entry, title, old)
    elif name in INACTIVE:
        name, module, config = IDENTITY, "keras.layers", {"name": entry["config"]["name"]}
    else:
        module, config = "keras.layers", _layer(name, entry["config"], title, old)
    converted = {"class_name": name, "module": module, "registered_name": None, "config": config}
    if "inbound_nodes" in entry:
        nodes = entry["inbound_nodes"]
        _require_plain(nodes, title)
        if name == IDENTITY:
            nodes = _without_training(nodes)
        converted |= {"name": entry.get("name") or config["name"], "inbound_nodes": nodes}
    return converted


def _without_training(node: Any) -> Any:
    """The calls of a layer without the argument ``training``, which an Identity does not take."""
    if isinstance(node, list):
        return [_without_training(item) for item in node]
    if isinstance(node, dict):
        return {key: _without_training(item) for key, item in node.items() if key != "training"}
    return node


def _sequential(entry: Config, title: str, old: bool) -> Config:
    shape = _shape(entry)
    if shape is None:
        raise _unsupported(title, "does not state the size of its input")
    config = entry["config"]
    layers = config if isinstance(config, list) else config["layers"]
    name = "sequential" if isinstance(config, list) else config["name"]
    rest = [_entry(layer, title, old) for layer in layers if layer["class_name"] != "InputLayer"]
    front = {
        "class_name": "InputLayer",
        "module": "keras.layers",
        "registered_name": None,
        "config": {"batch_shape": shape, "name": f"{name}_input"},
    }
    return {"name": name, "layers": [front, *rest]}


def _functional(entry: Config, title: str, old: bool) -> Config:
    config = entry["config"]
    return {
        "name": config["name"],
        "layers": [_entry(layer, title, old) for layer in config["layers"]],
        **{key: _single(config[key]) if old else config[key] for key in ENDS},
    }


def _single(ends: list[Any]) -> list[Any]:
    """The only input or output of a list, else the list.

    Keras 2 always wrote a list. From a list Keras 3 would build a network that returns one.
    """
    return ends[0] if len(ends) == 1 and isinstance(ends[0], list) else ends


def _layer(name: str, config: Config, title: str, old: bool) -> Config:
    if name == "InputLayer":
        return {"name": config["name"], "batch_shape": _shape({"config": config})}
    kept = {key: _value(v, title, old) for key, v in config.items() if not _left_out(key, config)}
    if isinstance(kept.get("axis"), list) and len(kept["axis"]) == 1:
        kept["axis"] = kept["axis"][0]
    if "alpha" in kept and name == "LeakyReLU":
        kept["negative_slope"] = kept.pop("alpha")
    if old and kept.get("activation") == CHANGED:
        raise _unsupported(title, f"uses {CHANGED}, whose formula Keras 3 changed")
    return kept


def _left_out(key: str, config: Config) -> bool:
    """Whether a setting does not change what the layer computes."""
    if key in RENORM:
        return not config.get("renorm")
    default = key in DEFAULTS and config[key] == DEFAULTS[key]
    return key.endswith(TRAINING_ONLY) or key in OUTDATED or default


def _value(value: Any, title: str, old: bool) -> Any:
    """A setting's value without the wrappers that some versions put around it."""
    if isinstance(value, list):
        return [_value(item, title, old) for item in value]
    if not isinstance(value, dict):
        return value
    if "items" in value:  # a tuple, or a shape
        return _value(value["items"], title, old)
    if value.get("type") == "ndarray":
        return value["value"]
    if value.get("class_name") == "function" and isinstance(value["config"], str):
        return value["config"]
    if "class_name" in value:
        return _entry(value, title, old)
    return {key: _value(item, title, old) for key, item in value.items()}


def _shape(entry: Config) -> list[int | None] | None:
    """The shape of a network's input, batch first; ``None`` if it is not stated."""
    config = entry["config"]
    if isinstance(config, list):
        return _shape(config[0]) if config else None
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if shape is None and config.get("layers"):
        shape = _shape(config["layers"][0])
    shape = shape or config.get("build_input_shape")
    shape = shape or (entry.get("build_config") or {}).get("input_shape")
    if isinstance(shape, dict):
        shape = shape["items"]
    return None if shape is None else [None, *shape[1:]]


def _require_plain(node: Any, title: str) -> None:
    """Reject a call of a layer with anything other than the outputs of layers."""
    if isinstance(node, dict):
        if node.get("class_name", TENSOR) not in (TENSOR, "__tuple__"):
            raise _unsupported(
                title, f"calls a layer with a {node['class_name']!r}, which is not supported"
            )
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            _require_plain(item, title)


def _unsupported(title: str, why: str) -> UsageError:
    return UsageError(title, why, "docs/how-to/keras.md lists the networks that can be imported")
