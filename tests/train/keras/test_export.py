"""Our two plain networks as Keras files: same layers, same weights, same predictions."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if find_spec("keras") is None or find_spec("h5py") is None:
    pytest.skip("the extra [keras] is not installed", allow_module_level=True)

import torch

from fundoscope.errors import FundoscopeError, OutputError, UsageError
from fundoscope.grading import heads
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.train.keras import export as keras_export
from fundoscope.train.keras import files as keras_files
from fundoscope.train.networks import catalogue
from fundoscope.train.networks.normalise import Normalisation
from fundoscope.train.onnx import graph as onnx_graph

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

SIZE = (30, 45)


def write_bundle(
    folder: Path,
    *,
    name: str = "sequential",
    head: str = "softmax",
    kind: str = "squash",
    normalise: str = "samplewise",
    half: bool = False,
    configuration: dict[str, Any] | None = None,
) -> Path:
    torch.manual_seed(2)
    network = catalogue.create(name, heads.OUTPUTS[head], catalogue.InputSize(*SIZE))
    model = onnx_graph.to_onnx(network, Normalisation(normalise), *SIZE, free=True)
    if kind != "native":
        model = at_one_size(model)
    model = onnx_graph.halve(model) if half else model
    stated = {"network": {"name": name}, "normalise": normalise}
    manifest = bundles.GraderManifest(
        name="test-1",
        task="grading",
        input=kind,
        input_size=SIZE,
        head=head,
        classes=("0", "1", "2", "3", "4"),
        cut_points=(0.5, 1.5, 2.5, 3.5),
        temperature=1.0,
        referable_threshold=0.5,
        minimum_radius=80.0,
        opset=onnx_graph.OPSET,
        model_sha256=hashlib.sha256(model).hexdigest(),
        trained_on=bundles.TrainedOn(
            manifest_sha256="",
            photographs={},
            seed=0,
            configuration=stated if configuration is None else configuration,
        ),
        licence="none",
        versions={},
    )
    bundles.write(folder, manifest, model, "# card")
    return folder


def at_one_size(model: bytes) -> bytes:
    """Of a graph for any size; exporting for one size takes far longer."""
    import onnx

    proto = onnx.load_from_string(model)
    for dim, side in zip(proto.graph.input[0].type.tensor_type.shape.dim[1:], SIZE, strict=False):
        dim.dim_value = side
    content: bytes = proto.SerializeToString()
    return content


def pictures(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (count, height, width, 3), np.uint8)


def samplewise(pixels: np.ndarray) -> np.ndarray:
    """As ``ImageDataGenerator(rescale=1/255, samplewise_center=True)``."""
    scaled = pixels.astype(np.float32) / 255
    return scaled - scaled.mean(axis=(1, 2, 3), keepdims=True)


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("head", ["softmax", "cumulative", "sigmoid", "regression"])
def test_predictions_are_equal(head: str, suffix: str, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", head=head, half=head == "cumulative")
    written = keras_export.to_keras(folder, tmp_path / f"out.{suffix}")
    assert written.difference < 1e-5
    keras = keras_files.framework()
    with keras_files.quiet():
        model = keras.models.load_model(tmp_path / f"out.{suffix}")
    pixels = pictures(5, *SIZE)
    session = runtime.session(bundles.load(folder))
    ours = keras_export.meaning(runtime.run(session, pixels), head)
    assert np.abs(model.predict_on_batch(samplewise(pixels)) - ours).max() < 1e-5


def test_layers_and_weights_are_those_of_the_students_definition(tmp_path: Path) -> None:
    keras = keras_files.framework()
    layers = keras.layers
    theirs = keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    folder = write_bundle(tmp_path / "bundle", head="sigmoid")
    written = keras_export.to_keras(folder, tmp_path / "out.h5")
    with pytest.raises(OutputError, match="exists already; add --overwrite"):
        keras_export.to_keras(folder, tmp_path / "out.h5")
    keras_export.to_keras(folder, tmp_path / "out.h5", overwrite=True)
    assert written.layers == tuple(type(layer).__name__ for layer in theirs.layers)
    assert written.parameters == theirs.count_params()
    network = catalogue.create("sequential", 1, catalogue.InputSize(*SIZE))
    assert written.parameters == sum(weight.numel() for weight in network.parameters())
    ours = keras_files.read(tmp_path / "out.h5").model

    def settings(model: Any) -> list[dict[str, Any]]:
        configs = [layer.get_config() for layer in model.layers]
        return [{k: v for k, v in one.items() if k not in ("name", "dtype")} for one in configs]

    assert settings(ours) == settings(theirs)


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_the_pyramid_takes_any_size(suffix: str, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", name="sequential-spp", kind="native")
    written = keras_export.to_keras(folder, tmp_path / f"out.{suffix}")
    assert written.shape is None
    keras = keras_files.framework()
    with keras_files.quiet():
        model = keras.models.load_model(tmp_path / f"out.{suffix}")
    session = runtime.session(bundles.load(folder))
    for size in (SIZE, (41, 34)):
        pixels = pictures(3, *size)
        ours = keras_export.meaning(runtime.run(session, pixels), "softmax")
        assert np.abs(model.predict_on_batch(samplewise(pixels)) - ours).max() < 1e-5


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({}, "does not name its network"),
        ({"origin": "keras"}, "does not name its network"),
        ({"network": {"name": "efficientnet_lite0"}}, "has the network efficientnet_lite0"),
        ({"network": {"name": "sequential"}, "normalise": "other"}, "unknown normalisation"),
    ],
)
def test_other_networks_are_rejected(
    configuration: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "bundle", configuration=configuration)
    with pytest.raises(UsageError, match=message):
        keras_export.to_keras(folder, tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_what_cannot_be_written(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle")
    with pytest.raises(UsageError, match=r"end it in \.h5 or \.keras"):
        keras_export.to_keras(folder, tmp_path / "out.pb")
    with pytest.raises(OutputError, match="cannot be written"):
        keras_export.to_keras(folder, tmp_path / "none" / "out.keras")


def test_weights_that_are_not_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_bundle(tmp_path / "bundle")
    result = onnx_graph.weights(bundles.load(folder).model)
    monkeypatch.setattr(onnx_graph, "weights", lambda _: {})
    with pytest.raises(UsageError, match="own names"):
        keras_export.to_keras(folder, tmp_path / "out.h5")
    other = result | {"10.bias": np.zeros(3, np.float32)}
    monkeypatch.setattr(onnx_graph, "weights", lambda _: other)
    with pytest.raises(UsageError, match="another shape"):
        keras_export.to_keras(folder, tmp_path / "out.h5")
    wrong = result | {"10.bias": np.arange(5, dtype=np.float32)}
    monkeypatch.setattr(onnx_graph, "weights", lambda _: wrong)
    with pytest.raises(FundoscopeError, match="gives other results in Keras"):
        keras_export.to_keras(folder, tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()
