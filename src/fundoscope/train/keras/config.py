"""What a Keras file says of its network, of any age, in the form that Keras 3 builds from.

Nothing is built here: a configuration is JSON, and what comes out holds only layers of
:data:`LAYERS`. Everything that only training needs is left out, which is also what cures the old
forms: initialisers, regularisers, constraints and types.

Forms that were seen: ``config`` a bare list of layers (Keras up to 2.2, TensorFlow 1), a dictionary
without an InputLayer (Keras 2.3, TensorFlow 1.15 and 2.0), with one of ``batch_input_shape``
(TensorFlow 2.2 to 2.15) and of ``batch_shape`` (Keras 3).
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
"""Layers of picture classifiers. None of them holds code or reads a file."""
MODELS: Final = {
    "Sequential": ("Sequential", "keras"),
    "Functional": ("Functional", "keras.src.models.functional"),
    "Model": ("Functional", "keras.src.models.functional"),
}
"""By the name of a file: the name and module of Keras 3. "Model" was Functional's until 2.3."""
ALIASES: Final = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "AvgPool2D": "AveragePooling2D",
    "MaxPool2D": "MaxPooling2D",
    "Convolution2D": "Conv2D",
}
CODE: Final = frozenset({"Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer"})
"""Layers that are program code of the file's, or a model in another file."""
KERAS_MODULE: Final = re.compile(
    r"(tensorflow\.(python\.)?)?keras(\.src)?(\.(layers|models|engine).*)?"
)
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
"""Settings that say nothing about what a layer computes, or that stand in the InputLayer."""
DEFAULTS: Final = {"groups": 1, "adjustment": None, "virtual_batch_size": None, "renorm": False}
"""Settings that not every layer of Keras 3 knows any more, and the one value they may have."""
RENORM: Final = ("renorm_clipping", "renorm_momentum")
ENDS: Final = frozenset({"input_layers", "output_layers"})
TENSOR: Final = "__keras_tensor__"
CHANGED: Final = "hard_sigmoid"
"""The activation whose formula is another one since Keras 3."""

Config = dict[str, Any]


def modern(config: object, title: str, *, old: bool) -> Config:
    """The configuration of a network in the form of Keras 3.

    Args:
        config: what the file has, decoded from JSON.
        title: how messages call the file.
        old: whether a Keras before 3 wrote it.

    Returns:
        What ``keras.saving.deserialize_keras_object`` takes.

    Raises:
        UsageError: it is no network, or it holds something that is not built here.
    """
    try:
        if not isinstance(config, dict) or config.get("class_name") not in MODELS:
            raise _refused(title, "is not a Sequential or functional network")
        network = _entry(config, title, old)
        for key in ENDS & network["config"].keys():
            network["config"][key] = _alone(network["config"][key])
        return network
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise _refused(
            title, f"describes its network in an unknown form ({type(error).__name__}: {error})"
        ) from None


def _entry(entry: Config, title: str, old: bool) -> Config:
    """One layer or network."""
    given: str = entry["class_name"]
    name = ALIASES.get(given, given)
    if name in CODE:
        raise UsageError(
            title,
            f"has a {name} layer, whose content is program code; it is not run",
            "build the network without it, of Keras' own layers, and save it again",
        )
    module = entry.get("module")
    registered = entry.get("registered_name")
    own = module is not None and not KERAS_MODULE.fullmatch(module)
    if own or registered not in (None, given) or not (name in LAYERS or name in MODELS):
        raise _refused(title, f"has a layer {registered or given!r} that is unknown here")
    if name in MODELS:
        name, module = MODELS[name]
        inside = _sequential if name == "Sequential" else _functional
        config = inside(entry, title, old)
    else:
        module, config = "keras.layers", _layer(name, entry["config"], title, old)
    built = {"class_name": name, "module": module, "registered_name": None, "config": config}
    if "inbound_nodes" in entry:
        nodes = entry["inbound_nodes"]
        _require_plain(nodes, title)
        built |= {"name": entry.get("name") or config["name"], "inbound_nodes": nodes}
    return built


def _sequential(entry: Config, title: str, old: bool) -> Config:
    shape = _shape(entry)
    if shape is None:
        raise _refused(title, "does not say how large its input is")
    config = entry["config"]
    layers = config if isinstance(config, list) else config["layers"]
    name = "sequential" if isinstance(config, list) else config["name"]
    rest = [_entry(one, title, old) for one in layers if one["class_name"] != "InputLayer"]
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
        "layers": [_entry(one, title, old) for one in config["layers"]],
        **{key: _alone(config[key]) if old else config[key] for key in ENDS},
    }


def _alone(ends: list[Any]) -> list[Any]:
    """The tensor of a list of one: Keras 2 always wrote lists, and Keras 3 would return one."""
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
        raise _refused(title, f"uses {CHANGED}, which means something else since Keras 3")
    return kept


def _left_out(key: str, config: Config) -> bool:
    if key in RENORM:
        return not config.get("renorm")
    changes_nothing = key in DEFAULTS and config[key] == DEFAULTS[key]
    return key.endswith(TRAINING_ONLY) or key in OUTDATED or changes_nothing


def _value(value: Any, title: str, old: bool) -> Any:
    """A setting without the wrappers of the several ages."""
    if isinstance(value, list):
        return [_value(one, title, old) for one in value]
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
    return {key: _value(one, title, old) for key, one in value.items()}


def _shape(entry: Config) -> list[int | None] | None:
    """The shape of what goes in, batch first; ``None`` where it is not said."""
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
    """Refuse a node of the graph that brings in anything but the output of another layer."""
    if isinstance(node, dict):
        if node.get("class_name", TENSOR) not in (TENSOR, "__tuple__"):
            raise _refused(title, f"calls a layer with a {node['class_name']!r}, unknown here")
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            _require_plain(one, title)


def _refused(title: str, why: str) -> UsageError:
    return UsageError(title, why, "docs/how-to/keras.md says which networks can be taken over")
