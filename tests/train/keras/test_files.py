"""Keras files of every age give the network they were saved from; all else gives a clear line."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if find_spec("keras") is None:  # not imported here: it would look for tensorflow
    pytest.skip("keras is not installed", allow_module_level=True)
pytest.importorskip("h5py")

import h5py

from fundoscope.errors import UsageError
from fundoscope.train.keras import config as keras_config
from fundoscope.train.keras import files as keras_files

# Keras' variables do not know numpy 2's word for "no copy" yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

SHAPE = (20, 26, 3)
INITIALISER = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
}
TYPED_INITIALISER = {
    "class_name": "GlorotUniform",
    "config": {"seed": None, "dtype": "float32"},
}


def students_network() -> Any:
    """The students' layers, narrower, with a normalisation more."""
    keras = keras_files.framework()
    layers = keras.layers
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(4, 3, activation="relu", name="conv2d_1"),
            layers.MaxPooling2D(2, name="max_pooling2d_1"),
            layers.BatchNormalization(name="batch_normalization_1"),
            layers.Conv2D(4, 3, activation="relu", name="conv2d_2"),
            layers.Flatten(name="flatten_1"),
            layers.Dense(6, activation="relu", name="dense_1"),
            layers.Dropout(0.5, name="dropout_1"),
            layers.Dense(5, activation="softmax", name="dense_2"),
        ],
        name="sequential_1",
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 0.9, w.shape) for w in model.get_weights()])
    return model


def old_layers(initialiser: dict[str, Any], *, first_shape: bool, typed: bool) -> list[Any]:
    """The same network in the words of Keras 2."""

    def of(class_name: str, name: str, **settings: Any) -> dict[str, Any]:
        config = {"name": name, "trainable": True, **({"dtype": "float32"} if typed else {})}
        return {"class_name": class_name, "config": config | settings}

    def weighted(**settings: Any) -> dict[str, Any]:
        common = {"use_bias": True, "kernel_initializer": initialiser}
        common |= {"bias_initializer": {"class_name": "Zeros", "config": {}}}
        for key in ("kernel_regularizer", "bias_regularizer", "activity_regularizer"):
            common[key] = None
        return common | {"kernel_constraint": None, "bias_constraint": None} | settings

    def convolution(name: str) -> dict[str, Any]:
        return of(
            "Conv2D",
            name,
            **weighted(activation="relu", filters=4, kernel_size=[3, 3], strides=[1, 1]),
            padding="valid",
            data_format="channels_last",
            dilation_rate=[1, 1],
        )

    layers = [
        convolution("conv2d_1"),
        of(
            "MaxPooling2D",
            "max_pooling2d_1",
            pool_size=[2, 2],
            padding="valid",
            strides=[2, 2],
            data_format="channels_last",
        ),
        of(
            "BatchNormalizationV1",
            "batch_normalization_1",
            axis=[3],
            momentum=0.99,
            epsilon=0.001,
            center=True,
            scale=True,
            beta_initializer={"class_name": "Zeros", "config": {"dtype": "float32"}},
            gamma_initializer={"class_name": "Ones", "config": {"dtype": "float32"}},
            moving_mean_initializer={"class_name": "Zeros", "config": {}},
            moving_variance_initializer={"class_name": "Ones", "config": {}},
            beta_regularizer=None,
            gamma_regularizer=None,
            beta_constraint=None,
            gamma_constraint=None,
        ),
        convolution("conv2d_2"),
        of("Flatten", "flatten_1", data_format="channels_last"),
        of("Dense", "dense_1", **weighted(units=6, activation="relu")),
        of("Dropout", "dropout_1", rate=0.5, noise_shape=None, seed=None),
        of("Dense", "dense_2", **weighted(units=5, activation="softmax")),
    ]
    if first_shape:
        layers[0]["config"]["batch_input_shape"] = [None, *SHAPE]
    return layers


def input_layer(shape_key: str = "batch_input_shape") -> dict[str, Any]:
    config = {shape_key: [None, *SHAPE], "dtype": "float32", "sparse": False, "ragged": False}
    return {"class_name": "InputLayer", "config": config | {"name": "conv2d_1_input"}}


def _keras_2_2() -> Any:
    return old_layers(INITIALISER, first_shape=True, typed=False)


def _keras_2_3() -> Any:
    layers = old_layers(INITIALISER, first_shape=True, typed=True)
    return {"name": "sequential_1", "layers": layers}


def _tensorflow_1_15() -> Any:
    layers = old_layers(TYPED_INITIALISER, first_shape=True, typed=True)
    return {"name": "sequential_1", "layers": layers}


def _tensorflow_2_0_built_late() -> Any:
    layers = old_layers(TYPED_INITIALISER, first_shape=False, typed=True)
    shape = {"class_name": "TensorShape", "items": [None, *SHAPE]}
    return {"name": "sequential_1", "layers": layers, "build_input_shape": shape}


def _tensorflow_2_15() -> Any:
    layers = old_layers(INITIALISER, first_shape=True, typed=True)
    for layer in layers:
        layer |= {"module": "keras.layers", "registered_name": None}
        layer["build_config"] = {"input_shape": [None, *SHAPE]}
    layers[2]["class_name"] = "BatchNormalization"
    return {"name": "sequential_1", "layers": [input_layer(), *layers]}


OLD = {
    "2.2.4": _keras_2_2,
    "2.3.1": _keras_2_3,
    "2.2.4-tf": _tensorflow_1_15,
    "2.2.4-tf late": _tensorflow_2_0_built_late,
    "2.15.0": _tensorflow_2_15,
}


def write_old_h5(path: Path, model: Any, config: object, version: str) -> Path:
    """A file as Keras 2 laid it out: ``model_weights/<layer>/<layer>/kernel:0``."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version.encode()
        file.attrs["backend"] = b"tensorflow"
        file.attrs["model_config"] = json.dumps(config).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        group.attrs["keras_version"] = version.encode()
        for layer in model.layers:
            part = group.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            part.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.get_weights(), strict=True):
                part[name] = weight
    return path


def difference(one: Any, other: Any) -> float:
    shape = one.inputs[0].shape[1:]
    pictures = np.random.default_rng(1).random((3, *shape), np.float32)
    return float(np.abs(one.predict_on_batch(pictures) - other.predict_on_batch(pictures)).max())


@pytest.mark.parametrize("version", OLD)
def test_hdf5_of_the_students_time(version: str, tmp_path: Path) -> None:
    model = students_network()
    config = {"class_name": "Sequential", "config": OLD[version]()}
    path = write_old_h5(tmp_path / "old.h5", model, config, version.partition(" ")[0])
    before = path.read_bytes()
    read = keras_files.read(path)
    assert difference(read.model, model) <= 1e-6
    assert read.version == version.partition(" ")[0]
    assert path.read_bytes() == before


@pytest.mark.parametrize("container", ["layers", "_layer_checkpoint_dependencies"])
def test_zip_of_tensorflow_2_15(container: str, tmp_path: Path) -> None:
    model = students_network()
    new, old = tmp_path / "new.keras", tmp_path / "old.keras"
    keras_files.save(model, new)
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(old, "w") as target:
        config = {"module": "keras", "class_name": "Sequential", "registered_name": "Sequential"}
        target.writestr("config.json", json.dumps(config | {"config": _tensorflow_2_15()}))
        target.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        weights = io.BytesIO(source.read("model.weights.h5"))
        with h5py.File(weights, "r+") as file:
            file.move("layers", "kept")
            for name in list(file["kept"]):
                file.move(f"kept/{name}", f"{container}/{name}")
            del file["kept"]
        target.writestr("model.weights.h5", weights.getvalue())
    read = keras_files.read(old)
    assert difference(read.model, model) <= 1e-6
    assert read.version == "2.15.0"


def functional(nested: bool) -> Any:
    keras = keras_files.framework()
    layers = keras.layers
    keras.utils.set_random_seed(5)
    front = keras.Input((16, 16, 3), name="input_1")
    # Two branches of the same shape: by order alone their weights could be exchanged.
    left = layers.Conv2D(4, 3, padding="same", name="left")(front)
    right = layers.Conv2D(4, 3, padding="same", name="right")(front)
    maps = layers.LeakyReLU(0.2, name="leaky")(layers.Subtract(name="less")([left, right]))
    if nested:
        base = keras.Model(front, maps, name="base")
        base.trainable = False
        front = keras.Input((16, 16, 3), name="input_2")
        maps = base(front, training=False)
    pooled = layers.GlobalAveragePooling2D(name="pool")(maps)
    return keras.Model(front, layers.Dense(5, activation="softmax", name="dense")(pooled))


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize(
    "make", [students_network, lambda: functional(False), lambda: functional(True)]
)
def test_files_of_today(make: Callable[[], Any], suffix: str, tmp_path: Path) -> None:
    model = make()
    path = tmp_path / f"today.{suffix}"
    keras_files.save(model, path)
    renamed = path.rename(tmp_path / "model.weights.bin")  # what it is called does not matter
    read = keras_files.read(renamed)
    assert difference(read.model, model) == 0
    assert read.version.startswith("3.")


def test_functional_network_of_keras_2(tmp_path: Path) -> None:
    def node(*names: str) -> list[Any]:
        return [[[name, 0, 0, {}] for name in names]]

    def layer(class_name: str, name: str, nodes: list[Any], **config: Any) -> dict[str, Any]:
        settings = {"name": name, "trainable": True, "dtype": "float32"} | config
        return {"class_name": class_name, "name": name, "config": settings, "inbound_nodes": nodes}

    model = functional(False)
    convolution = {"filters": 4, "kernel_size": [3, 3], "padding": "same", "groups": 1}
    config = {
        "name": "model_1",
        "layers": [
            layer("InputLayer", "input_1", [], batch_input_shape=[None, 16, 16, 3], sparse=False),
            # Not in the order in which Keras 3 has them.
            layer("Conv2D", "right", node("input_1"), **convolution),
            layer("Conv2D", "left", node("input_1"), **convolution),
            layer("Subtract", "less", node("left", "right")),
            layer("LeakyReLU", "leaky", node("less"), alpha=0.2),
            layer("GlobalAveragePooling2D", "pool", node("leaky"), data_format="channels_last"),
            layer("Dense", "dense", node("pool"), units=5, activation="softmax"),
        ],
        "input_layers": [["input_1", 0, 0]],
        "output_layers": [["dense", 0, 0]],
    }
    path = write_old_h5(
        tmp_path / "old.h5", model, {"class_name": "Model", "config": config}, "2.3.1"
    )
    assert difference(keras_files.read(path).model, model) <= 1e-6


def students_config() -> dict[str, Any]:
    return {"class_name": "Sequential", "config": _keras_2_3()}


def with_layer(class_name: str, **entry: Any) -> dict[str, Any]:
    config = students_config()
    config["config"]["layers"].append(
        {"class_name": class_name, "config": {"name": "last"}} | entry
    )
    return config


def with_activation(activation: object) -> dict[str, Any]:
    config = students_config()
    config["config"]["layers"][0]["config"]["activation"] = activation
    return config


REFUSED = {
    "Lambda": (
        with_layer("Lambda", config={"function": ["4wEAAAA=", None, None]}),
        "has a Lambda layer, which holds program code",
    ),
    "lambda as a setting": (
        with_activation({"class_name": "__lambda__", "config": {"value": ["x"]}}),
        "program code",
    ),
    "torch's pickle": (with_layer("TorchModuleWrapper"), "program code"),
    "custom layer": (with_layer("MyAttention"), "'MyAttention', which is not supported"),
    "custom of a known name": (
        with_layer("Dense", registered_name="mine>Dense"),
        "'mine>Dense', which is not supported",
    ),
    "another package": (with_layer("Dense", module="os.path"), "which is not supported"),
    "custom activation": (
        with_activation({"class_name": "function", "module": "mine", "config": "mish_of_mine"}),
        "cannot build",
    ),
    "a number as an activation": (
        with_activation({"class_name": "__numpy__"}),
        "which is not supported",
    ),
    "changed activation": (with_activation("hard_sigmoid"), "whose formula Keras 3 changed"),
    "no network": ({"class_name": "Dense", "config": {}}, "is not a Sequential or functional"),
    "no dictionary": ([1, 2], "is not a Sequential or functional"),
    "no layers": ({"class_name": "Sequential", "config": {"name": "x"}}, "the size of its input"),
    "half a layer": (
        {"class_name": "Functional", "config": {"name": "x", "layers": [{}]}},
        "in an unknown form (KeyError: 'class_name')",
    ),
    "setting of another age": (
        with_layer("Dense", config={"name": "last", "output_dim": 5}),
        "cannot build",
    ),
    "weights beyond memory": (
        with_layer("Dense", config={"name": "last", "units": 10**9}),
        "a bundle holds at most 268,435,456",
    ),
    "one layer too many": (
        with_layer("Dense", config={"name": "last", "units": 5}),
        "has weights of other layers than its network (last)",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_networks(kind: str, tmp_path: Path) -> None:
    config, message = REFUSED[kind]
    path = write_old_h5(tmp_path / "bad.h5", students_network(), config, "2.3.1")
    with pytest.raises(UsageError) as raised:
        keras_files.read(path)
    assert message in str(raised.value)
    assert str(raised.value).startswith("bad.h5: ")
    assert "\n" not in str(raised.value)


def test_a_node_that_brings_an_object_in_is_refused() -> None:
    nodes = [{"args": [{"class_name": "Lambda", "config": {}}], "kwargs": {}}]
    layer = {"class_name": "Dense", "name": "d", "config": {"name": "d"}, "inbound_nodes": nodes}
    with pytest.raises(UsageError, match="calls a layer with a 'Lambda'"):
        keras_config.modern(
            {"class_name": "Functional", "config": {"name": "m", "layers": [layer]}}, "x", old=False
        )


def spoil_weights(file: Any) -> None:
    file["model_weights/dense_2/dense_2/kernel:0"][:] = np.nan


def shrink_weights(file: Any) -> None:
    del file["model_weights/dense_2/dense_2/kernel:0"]
    file["model_weights/dense_2/dense_2/kernel:0"] = np.zeros((2, 2), np.float32)


def lose_weights(file: Any) -> None:
    del file["model_weights"]


def lose_network(file: Any) -> None:
    del file.attrs["model_config"]
    for name in list(file["model_weights"]):
        file.move(f"model_weights/{name}", name)
    file.attrs["layer_names"] = file["model_weights"].attrs["layer_names"]


def lose_all(file: Any) -> None:
    lose_weights(file)
    del file.attrs["model_config"]


def break_config(file: Any) -> None:
    file.attrs["model_config"] = b'{"class_name": "Sequ'


def nest_config(file: Any) -> None:
    file.attrs["model_config"] = b"[" * 50_000


def link_outside(file: Any) -> None:
    del file["model_weights/dense_2/dense_2/kernel:0"]
    file["model_weights/dense_2/dense_2/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/x")


def keep_outside(file: Any) -> None:
    del file["model_weights/dense_2/dense_2/kernel:0"]
    file["model_weights/dense_2/dense_2"].create_dataset(
        "kernel:0", (6, 5), "f4", external=[("/etc/passwd", 0, 120)]
    )


def name_a_type(file: Any) -> None:
    file["kind"] = np.dtype("f4")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (name_a_type, "is damaged"),
        (spoil_weights, "not finite"),
        (shrink_weights, "do not fit its network"),
        (lose_weights, "without its weights"),
        (lose_network, "holds weights only"),
        (lose_all, "holds no Keras network"),
        (break_config, "is damaged"),
        (nest_config, "is damaged"),
        (link_outside, "has a link at 'kernel:0'"),
        (keep_outside, "in another file"),
    ],
)
def test_damaged_hdf5(damage: Callable[[Any], None], message: str, tmp_path: Path) -> None:
    path = write_old_h5(tmp_path / "bad.h5", students_network(), students_config(), "2.3.1")
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(UsageError, match=message):
        keras_files.read(path)


def test_cut_off_files(tmp_path: Path) -> None:
    model = students_network()
    for suffix in ("h5", "keras"):
        path = tmp_path / f"whole.{suffix}"
        keras_files.save(model, path)
        content = path.read_bytes()
        for share in (0.02, 0.3, 0.7, 0.99):
            cut = tmp_path / f"cut.{suffix}"
            cut.write_bytes(content[: int(len(content) * share)])
            with pytest.raises(UsageError):
                keras_files.read(cut)


@pytest.mark.parametrize("part", ["config.json", "model.weights.h5"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_damage_within_a_compressed_part(part: str, compression: int, tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.keras", tmp_path / "bad.keras"
    keras_files.save(students_network(), whole)
    rewrite(whole, path, {}, compression)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(part).header_offset + 30 + len(part)
    content = bytearray(path.read_bytes())
    content[start + 5 : start + 45] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is damaged"):
        keras_files.read(path)


def test_parts_of_a_zip_that_hold_something_else(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.keras", tmp_path / "bad.keras"
    keras_files.save(students_network(), whole)
    rewrite(whole, path, {"metadata.json": b"[]"})
    with pytest.raises(UsageError, match="is damaged"):
        keras_files.read(path)
    nested = b"[" * 900 + b"]" * 900  # json reads it, and what converts it must not fail
    with zipfile.ZipFile(whole) as archive:
        config = archive.read("config.json").replace(b'"filters": 4', b'"filters": ' + nested, 1)
    rewrite(whole, path, {"config.json": config})
    with pytest.raises(UsageError, match="in an unknown form"):
        keras_files.read(path)


def rewrite(
    given: Path, path: Path, parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED
) -> None:
    """Write a ``.keras`` file again, with other parts."""
    with zipfile.ZipFile(given) as source, zipfile.ZipFile(path, "w", compression) as target:
        for name in source.namelist():
            target.writestr(name, parts.get(name, source.read(name)))


def test_turned_bytes_never_end_in_anything_but_a_line(tmp_path: Path) -> None:
    path = write_old_h5(tmp_path / "old.h5", students_network(), students_config(), "2.3.1")
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(4)
    for _ in range(30):
        bad = content.copy()
        for place in rng.integers(0, 4096, 3):
            bad[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bad)
        with suppress(UsageError):
            keras_files.read(path)


def test_what_is_no_keras_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        keras_files.read(tmp_path / "none.h5")
    with pytest.raises(UsageError, match="is a folder"):
        keras_files.read(tmp_path)
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(UsageError, match="is neither an HDF5 nor a"):
        keras_files.read(tmp_path / "text.h5")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("hello.txt", "no")
    with pytest.raises(UsageError, match="holds no Keras network"):
        keras_files.read(tmp_path / "other.keras")


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "today.keras"
    keras_files.save(students_network(), path)
    monkeypatch.setattr(keras_files.limits, "MAX_KERAS_CONFIG_BYTES", 10)
    with pytest.raises(UsageError, match="is too large when it is unpacked"):
        keras_files.read(path)
    monkeypatch.setattr(keras_files.limits, "MAX_KERAS_FILE_BYTES", 10)
    with pytest.raises(UsageError, match="has more than"):
        keras_files.read(path)


def test_another_backend_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(UsageError, match="Keras on jax: is not supported"):
        keras_files.framework()


def test_a_list_of_one_input_is_that_input(tmp_path: Path) -> None:
    keras = keras_files.framework()
    front = keras.Input((8, 8, 3))
    back = keras.layers.Dense(2)(keras.layers.Flatten()(front))
    keras_files.save(keras.Model([front], [back]), tmp_path / "lists.keras")
    read = keras_files.read(tmp_path / "lists.keras")
    assert read.model(np.zeros((2, 8, 8, 3), np.float32)).shape == (2, 2)
