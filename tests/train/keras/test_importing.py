"""Keras classifiers as bundles: each ending gets its head, and the graph predicts as Keras."""

from __future__ import annotations

import itertools
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if find_spec("keras") is None or find_spec("h5py") is None:
    pytest.skip("the extra [keras] is not installed", allow_module_level=True)

import torch

from fundoscope.cli import main
from fundoscope.errors import FundoscopeError, OutputError, UsageError
from fundoscope.grading import grader, heads
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.reader import Reader
from fundoscope.train.keras import config as keras_config
from fundoscope.train.keras import ending as keras_ending
from fundoscope.train.keras import files as keras_files
from fundoscope.train.keras import importing as keras_import
from fundoscope.train.keras.importing import ImportOptions
from fundoscope.train.onnx import graph as onnx_graph

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

SIZE = (24, 36)


def classifier(outputs: int, activation: str, size: tuple[int | None, int | None] = SIZE) -> Any:
    keras = keras_files.framework()
    layers = keras.layers
    keras.utils.set_random_seed(outputs)
    return keras.Sequential(
        [
            keras.Input((*size, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(outputs, activation=activation, kernel_initializer="random_normal"),
        ]
    )


def saved(model: Any, path: Path) -> Path:
    keras_files.save(model, path)
    return path


@pytest.fixture
def quick_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """The older exporter, which takes seconds less; the real one has a test of its own."""
    import onnx

    real = onnx_graph.to_onnx

    def export(network: Any, normalisation: Any, height: int, width: int) -> bytes:
        proto = onnx.load_from_string(real(network, normalisation, height, width, free=True))
        dims = proto.graph.input[0].type.tensor_type.shape.dim
        dims[1].dim_value, dims[2].dim_value = height, width
        content: bytes = proto.SerializeToString()
        return content

    monkeypatch.setattr(onnx_graph, "to_onnx", export)


ENDINGS = [
    (5, "softmax", (0, 1, 2, 3, 4), None, "softmax"),
    (5, "softmax", (4, 2, 0, 1, 3), None, "softmax"),
    (2, "softmax", (0, 2), None, "softmax"),
    (3, "linear", (0, 1, 4), "softmax", "softmax"),
    (1, "sigmoid", None, None, "sigmoid"),
    (1, "sigmoid", (0, 1), None, "sigmoid"),
    (1, "sigmoid", (0, 2), None, "softmax"),
    (1, "sigmoid", (3, 1), None, "softmax"),
    (4, "sigmoid", None, "cumulative", "cumulative"),
    (4, "sigmoid", None, "corn", "corn"),
    (4, "linear", None, "cumulative", "cumulative"),
    (5, "sigmoid", None, None, "cumulative"),
    (5, "sigmoid", None, "cumulative", "cumulative"),
    (5, "linear", None, "cumulative", "cumulative"),
    (1, "linear", None, None, "regression"),
]


@pytest.mark.parametrize(("outputs", "activation", "classes", "head", "expected"), ENDINGS)
def test_endings(
    outputs: int,
    activation: str,
    classes: tuple[int, ...] | None,
    head: str | None,
    expected: str,
) -> None:
    ending = keras_ending.find(classifier(outputs, activation), classes, head, "x.h5")
    assert ending.head == expected
    logits = np.random.default_rng(0).normal(0, 4, (6, outputs)).astype(np.float32)
    raw = {
        "softmax": lambda: heads.probabilities(logits, head="softmax"),
        "sigmoid": lambda: 1 / (1 + np.exp(-logits)),
        "linear": lambda: logits,
    }[activation]().astype(np.float32)
    ours = keras_ending.outputs(torch.from_numpy(raw), ending).numpy()
    assert ours.shape == (6, heads.OUTPUTS[expected])
    theirs = keras_ending.keras_probabilities(raw, ending)
    assert np.abs(keras_ending.bundle_probabilities(ours, ending) - theirs).max() < 1e-6
    p = heads.probabilities(ours, head=expected)
    assert np.allclose(p.sum(axis=1), 1)
    if expected == "softmax":
        grades = ending.grades
        two = np.hstack([1 - raw, raw]) if outputs == 1 else theirs
        assert np.allclose(p[:, list(grades)], two, atol=1e-6)
        others = [grade for grade in range(5) if grade not in grades]
        assert p[:, others].max(initial=0.0) < 1e-10


def test_five_sigmoids_are_grade_i_or_more() -> None:
    """As in the public networks for APTOS: [1, 1, 1, 0, 0] is grade 2."""
    ending = keras_ending.find(classifier(5, "sigmoid"), None, None, "x.h5")
    raw = torch.tensor([[0.9] * (grade + 1) + [0.1] * (4 - grade) for grade in range(5)])
    outputs = keras_ending.outputs(raw, ending).numpy()
    p = heads.probabilities(outputs, head=ending.head)
    assert heads.icdr(heads.expected(p), keras_ending.cut_points(ending)).tolist() == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert ending.unused == 1


def test_the_command_says_how_it_reads_five_sigmoids(
    tmp_path: Path, quick_export: None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(classifier(5, "sigmoid"), tmp_path / "aptos.h5")
    arguments = ["bundle", "from-keras", str(file), str(tmp_path / "b"), "--input", "squash"]
    assert main.run(arguments) == 0
    assert "the first is always true and not used" in capsys.readouterr().out
    assert grader.load(tmp_path / "b").manifest.head == "cumulative"


def augmented() -> Any:
    """A network with layers that do nothing when it reads, one of them in a block."""
    keras = keras_files.framework()
    layers = keras.layers
    keras.utils.set_random_seed(8)
    block = keras.Sequential([layers.RandomRotation(0.1), layers.RandomZoom(0.1)], name="block")
    front = keras.Input((*SIZE, 3))
    values = layers.RandomFlip("horizontal")(front)
    values = block(values)
    values = layers.RandomContrast(0.2)(values, training=True)
    values = layers.GaussianNoise(0.1)(layers.Conv2D(4, 3)(values))
    values = layers.SpatialDropout2D(0.2)(layers.ActivityRegularization(0.1)(values))
    values = layers.AlphaDropout(0.1)(layers.GlobalAveragePooling2D()(values))
    values = layers.GaussianDropout(0.1)(layers.Dropout(0.3)(values))
    return keras.Model(front, layers.Dense(5, activation="softmax")(values))


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_layers_that_do_nothing_when_it_reads_are_no_obstacle(suffix: str, tmp_path: Path) -> None:
    model = augmented()
    read = keras_files.read(saved(model, tmp_path / f"augmented{suffix}")).model
    pixels = np.random.default_rng(0).uniform(0, 1, (2, *SIZE, 3)).astype(np.float32)
    # RandomContrast is called with training=True, so the original itself is random there.
    kept = {layer.name: layer.get_weights() for layer in read.layers if layer.weights}
    for name, weights in kept.items():
        for ours, theirs in zip(weights, model.get_layer(name).get_weights(), strict=True):
            assert np.array_equal(ours, theirs)
    first, second = (np.asarray(read(pixels, training=False).detach()) for _ in range(2))
    assert np.array_equal(first, second)
    assert {type(layer).__name__ for layer in read.layers} >= {"Identity", "SpatialDropout2D"}


def test_every_inactive_layer_is_one_of_keras_that_changes_nothing() -> None:
    keras = keras_files.framework()
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)
    needed = {
        "RandomPosterization": {"factor": 4},
        "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
        "RandomZoom": {"height_factor": 0.2},
    }
    factor = {"RandomBrightness", "RandomContrast", "RandomRotation", "RandomSaturation"}
    factor |= {"RandomHue", "RandomSharpness", "RandomColorDegeneration", "RandomErasing"}
    checked = 0
    for name in keras_config.INACTIVE:
        kind = getattr(keras.layers, name, None)
        if kind is None:  # of Keras 2 alone
            continue
        layer = kind(**needed.get(name, {"factor": 0.5} if name in factor else {}))
        assert np.array_equal(np.asarray(layer(pixels, training=False)), pixels), name
        checked += 1
    assert checked > 15


def test_certain_outputs_stay_finite() -> None:
    certain = torch.tensor([[1.0, 0.0]])
    for activation in ("softmax", "sigmoid"):
        ending = keras_ending.Ending(activation, "softmax", (0, 2))
        values = certain if activation == "softmax" else certain[:, :1]
        p = heads.probabilities(keras_ending.outputs(values, ending).numpy(), head="softmax")
        assert p[0, 0 if activation == "softmax" else 2] > 1 - 1e-6
    raw = keras_ending.outputs(certain[:, :1], keras_ending.Ending("sigmoid", "sigmoid"))
    assert torch.isfinite(raw).all()


@pytest.mark.parametrize(
    ("outputs", "activation", "classes", "head", "message"),
    [
        (5, "softmax", None, None, "state the grade of each output with --classes"),
        (5, "softmax", (0, 1), None, "names 2 grades, and x.h5 has 5 classes"),
        (2, "softmax", (0, 5), None, "name grades of 0 to 4"),
        (2, "softmax", (1, 1), None, "each once"),
        (5, "softmax", (0, 1, 2, 3, 4), "corn", "change or leave out --classes 0,1,2,3,4"),
        (4, "sigmoid", None, None, "write --head cumulative"),
        (4, "linear", None, None, "or --head softmax with --classes"),
        (5, "sigmoid", (0, 1, 2, 3, 4), None, "omit --classes and --head"),
        (5, "sigmoid", None, "corn", "omit --classes and --head"),
        (5, "softmax", None, "cumulative", "change or leave out --head cumulative"),
        (3, "sigmoid", None, None, "3 outputs with sigmoid; give a network that grades"),
        (5, "linear", None, None, "write --head softmax and --classes"),
        (1, "linear", (0,), None, "change or leave out --classes 0"),
        (1, "sigmoid", (0, 2, 3), None, "names 3 grades, and x.h5 has 2 classes"),
        (1, "sigmoid", None, "regression", "change or leave out --head regression"),
        (5, "relu", (0, 1, 2, 3, 4), None, "ends in relu"),
    ],
)
def test_endings_that_do_not_fit(
    outputs: int,
    activation: str,
    classes: tuple[int, ...] | None,
    head: str | None,
    message: str,
) -> None:
    with pytest.raises(UsageError) as raised:
        keras_ending.find(classifier(outputs, activation), classes, head, "x.h5")
    assert message in str(raised.value)


def test_the_last_activation_is_found_wherever_it_stands() -> None:
    keras = keras_files.framework()
    layers = keras.layers
    front = keras.Input((8, 8, 3))
    flat = layers.Flatten()(front)
    five = (0, 1, 2, 3, 4)
    soft = keras.Model(front, layers.Softmax()(layers.Dense(5)(flat)))
    named = keras.Model(front, layers.Activation("softmax")(layers.Dense(5)(flat)))
    inside = keras.Sequential([keras.Input((8, 8, 3)), soft])
    for model in (soft, named, inside):
        assert keras_ending.find(model, five, None, "x").activation == "softmax"
    pooled = keras.Model(front, layers.GlobalMaxPooling2D()(layers.Conv2D(5, 3)(front)))
    assert keras_ending.find(pooled, five, "softmax", "x").activation == "linear"
    for activation, outputs in (("softmax", 5), ("sigmoid", 1)):
        maps = layers.Conv2D(outputs, 3, activation=activation)(front)
        mean = keras.Model(front, layers.GlobalAveragePooling2D()(maps))
        classes = five if outputs == 5 else None
        assert keras_ending.find(mean, classes, None, "x").activation == activation
    maps = layers.Conv2D(5, 3, activation="softmax")(front)
    largest = keras.Model(front, layers.GlobalMaxPooling2D()(maps))
    with pytest.raises(UsageError, match="ends in GlobalMaxPooling2D"):
        keras_ending.find(largest, five, None, "x")
    flattened = keras.Model(front, flat)
    with pytest.raises(UsageError, match="ends in Flatten"):
        keras_ending.find(flattened, None, None, "x")
    maps = keras.Model(front, layers.Conv2D(1, 3)(front))
    with pytest.raises(UsageError, match="gives 6x6x1 numbers a picture"):
        keras_ending.find(maps, None, None, "x")


def test_cut_points_lie_half_way_between_what_can_come_out() -> None:
    def cuts(*grades: int) -> tuple[float, ...]:
        return keras_ending.cut_points(keras_ending.Ending("softmax", "softmax", grades))

    assert cuts(0, 1, 2, 3, 4) == cuts() == (0.5, 1.5, 2.5, 3.5)
    assert cuts(2, 0)[:2] == (1.0, 1.0)
    for count in range(2, 6):
        for grades in itertools.combinations(range(5), count):
            certain = np.eye(5)[list(grades)]
            icdr = heads.icdr(heads.expected(certain), cuts(*grades))
            assert icdr.tolist() == list(grades)


def test_the_raw_sigmoid_is_referable_where_it_says_more_than_a_half() -> None:
    threshold = keras_ending.referable_threshold(keras_ending.Ending("sigmoid", "sigmoid"))
    p = heads.probabilities([[-0.01], [0.0], [0.01]], head="sigmoid")
    assert (heads.referable(p) >= threshold).tolist() == [False, True, True]
    assert keras_ending.referable_threshold(keras_ending.Ending("softmax", "softmax")) == 0.5


@pytest.mark.parametrize("normalise", keras_import.NORMALISATIONS)
def test_a_bundle_says_what_keras_says(normalise: str, tmp_path: Path, quick_export: None) -> None:
    model = classifier(3, "softmax")
    file = saved(model, tmp_path / "three.h5")
    options = ImportOptions(input="squash", classes=(2, 0, 4), normalise=normalise, licence="ours")
    made = keras_import.from_keras(file, tmp_path / "bundle", options)
    assert made.difference < 1e-5
    loaded = grader.load(tmp_path / "bundle")
    manifest = loaded.manifest
    assert (manifest.name, manifest.input, manifest.height_width) == ("three", "squash", SIZE)
    assert manifest.licence == "ours"
    assert manifest.trained_on.configuration["origin"] == "keras"
    assert manifest.cut_points == (1.0, 1.0, 3.0, 3.0)
    pixels = np.random.default_rng(3).integers(0, 256, (2, *SIZE, 3), np.uint8)
    scaled = pixels.astype(np.float32)
    inputs = {
        "rescale": scaled / 255,
        "samplewise": scaled / 255
        - np.array([one.mean() for one in scaled / 255])[:, None, None, None],
        "none": scaled,
        "lite": (scaled - 127) / 128,
        "signed": scaled / 127.5 - 1,
        "imagenet": (scaled / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    }[normalise]
    theirs = model.predict_on_batch(inputs)
    ours = heads.probabilities(runtime.run(loaded.session, pixels), head="softmax")
    assert np.abs(ours[:, [2, 0, 4]] - theirs).max() < 1e-5
    card = (tmp_path / "bundle" / bundles.CARD).read_text()
    assert "What is not known" in card
    assert f"(`{normalise}`)" in card


def test_the_command_and_the_pipeline(
    tmp_path: Path, quick_export: None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(classifier(1, "sigmoid"), tmp_path / "theirs.h5")
    arguments = ["bundle", "from-keras", str(file), str(tmp_path / "bundle"), "--input", "squash"]
    assert main.run([*arguments, "--name", "students-1"]) == 0
    printed = capsys.readouterr().out
    assert "largest difference of a probability" in printed
    assert "students-1, 24x36, head sigmoid" in printed
    made = (tmp_path / "bundle" / bundles.MANIFEST).read_bytes()
    assert main.run([*arguments, "--name", "students-2"]) == 2
    assert "exists already; add --overwrite" in capsys.readouterr().err
    assert (tmp_path / "bundle" / bundles.MANIFEST).read_bytes() == made
    assert main.run([*arguments, "--name", "students-1", "--overwrite"]) == 0
    eye, _ = draw(PhantomSpec(1, 480, 320))
    reading = Reader(tmp_path / "bundle", lesions=False).read(eye)
    assert reading.grade.icdr in (0, 1)
    # An imported network is not one of `fundoscope train`, so it cannot be exported again.
    assert main.run(["bundle", "to-keras", str(tmp_path / "bundle"), str(tmp_path / "b.h5")]) == 2
    assert "does not name its network" in capsys.readouterr().err
    assert not (tmp_path / "b.h5").exists()


def test_a_network_for_any_size(tmp_path: Path, quick_export: None) -> None:
    file = saved(classifier(5, "softmax", (None, None)), tmp_path / "any.keras")
    five = (0, 1, 2, 3, 4)
    with pytest.raises(UsageError, match="takes pictures of any size; choose one with --size"):
        keras_import.from_keras(file, tmp_path / "out", ImportOptions(input="crop", classes=five))
    options = ImportOptions(input="crop", classes=five, size=(32, 32))
    made = keras_import.from_keras(file, tmp_path / "out", options)
    assert (made.height, made.width) == (32, 32)
    assert grader.load(tmp_path / "out").manifest.input == "crop"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ImportOptions(input="native"), "input native: is not known"),
        (ImportOptions(input="squash", normalise="caffe"), "normalise caffe: is not known"),
        (ImportOptions(input="crop"), "takes 24x36, and a crop is square"),
        (ImportOptions(input="squash", size=(36, 24)), "size 36x24: does not fit theirs.h5"),
    ],
)
def test_invalid_options(options: ImportOptions, message: str, tmp_path: Path) -> None:
    file = saved(classifier(1, "sigmoid"), tmp_path / "theirs.h5")
    with pytest.raises(UsageError) as raised:
        keras_import.from_keras(file, tmp_path / "out", options)
    assert message in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_networks_that_are_no_graders(tmp_path: Path) -> None:
    keras = keras_files.framework()
    layers = keras.layers
    row = keras.Sequential([keras.Input((7,)), layers.Dense(1)])
    with pytest.raises(UsageError, match="takes anyx7"):
        keras_import.from_keras(
            saved(row, tmp_path / "row.h5"), tmp_path / "out", ImportOptions(input="squash")
        )
    one, other = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    two = keras.Model([one, other], layers.Flatten()(layers.Add()([one, other])))
    with pytest.raises(UsageError, match="has 2 inputs and 1 outputs"):
        keras_import.from_keras(
            saved(two, tmp_path / "two.keras"), tmp_path / "out", ImportOptions(input="squash")
        )


def test_a_graph_that_differs_or_cannot_be(
    tmp_path: Path, quick_export: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = saved(classifier(1, "sigmoid"), tmp_path / "theirs.h5")
    options = ImportOptions(input="squash")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        keras_import.from_keras(file, tmp_path / "file", options)
    monkeypatch.setattr(keras_ending, "keras_probabilities", lambda raw, ending: raw + 0.01)
    with pytest.raises(FundoscopeError, match=r"differs from Keras by 1\.0e-02"):
        keras_import.from_keras(file, tmp_path / "out", options)

    def fail(*_: object) -> bytes:
        raise RuntimeError("a layer of another world")

    monkeypatch.setattr(onnx_graph, "to_onnx", fail)
    with pytest.raises(UsageError, match="cannot be exported"):
        keras_import.from_keras(file, tmp_path / "out", options)
    monkeypatch.setattr(onnx_graph, "to_onnx", lambda *_: b"12")
    monkeypatch.setattr(keras_import.limits, "MAX_MODEL_BYTES", 1)
    with pytest.raises(UsageError, match="too large for a bundle"):
        keras_import.from_keras(file, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_functional_network_by_the_real_exporter(tmp_path: Path) -> None:
    keras = keras_files.framework()
    layers = keras.layers
    front = keras.Input((40, 60, 3))
    maps = layers.Rescaling(1 / 127.5, offset=-1)(front)
    maps = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(maps)
    maps = layers.ReLU(6.0)(layers.BatchNormalization()(maps))
    maps = layers.Add()([maps, layers.DepthwiseConv2D(3, padding="same")(maps)])
    fine = layers.SeparableConv2D(8, 3, padding="same", strides=2)(maps)
    coarse = layers.MaxPooling2D(3, strides=2, padding="same")(maps)
    pooled = layers.GlobalAveragePooling2D()(layers.Concatenate()([fine, coarse]))
    model = keras.Model(front, layers.Dense(2, activation="softmax")(layers.Dropout(0.3)(pooled)))
    file = saved(model, tmp_path / "functional.keras")
    options = ImportOptions(input="squash", classes=(0, 2), normalise="none")
    made = keras_import.from_keras(file, tmp_path / "out", options)
    assert made.difference < 1e-5
    assert made.rescales
