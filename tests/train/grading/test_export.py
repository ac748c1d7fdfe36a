"""A bundle for each head and input, which reads a photograph as torch would."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
import onnx
import pytest
import torch

from fundoscope import phantom
from fundoscope.errors import FundoscopeError, OutputError, UsageError
from fundoscope.grading import heads
from fundoscope.models import bundle as bundles
from fundoscope.phantom import PhantomSpec
from fundoscope.reader import Reader
from fundoscope.train.grading import config as configs
from fundoscope.train.grading import export as exporting
from fundoscope.train.grading import training as grader
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.networks import weights
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.onnx import quantise
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop
from fundoscope.train.run.plan import Stage


@pytest.fixture(autouse=True, scope="module")
def traced_once():
    """Tracing a network takes seconds: each that is the same is traced once."""
    known, trace = {}, onnx_graph.to_onnx

    def to_onnx(network, *args, **kwargs):
        values = b"".join(v.numpy().tobytes() for v in network.state_dict().values())
        key = (hashlib.sha256(values).hexdigest(), *args, *kwargs.items())
        if key not in known:
            known[key] = trace(network, *args, **kwargs)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_graph, "to_onnx", to_onnx)
        yield


@pytest.fixture
def native(config):
    """A run of one epoch on whole frames; their graph is traced by the faster exporter."""
    data = {"input": "native", "crop_size": (32, 48)}
    return configs.replaced(config, data=data, stages=(Stage((32, 48), 1),))


@pytest.fixture
def run(native, tmp_path):
    grader.train(native, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="module")
def eye():
    return phantom.draw(PhantomSpec(seed=3, width=480, height=320))[0]


def export(chosen, tmp_path, **options):
    grader.train(chosen, tmp_path / "run")
    return exporting.export(tmp_path / "run", tmp_path / "bundle", **options)


@pytest.mark.parametrize("head", heads.OUTPUTS)
def test_every_head_reads_a_photograph(native, tmp_path, eye, head):
    result = export(configs.replaced(native, head=head, normalise="samplewise"), tmp_path)
    assert result.torch_difference < exporting.MAX_DIFFERENCE
    manifest = bundles.load(tmp_path / "bundle").manifest
    assert (manifest.head, manifest.input, manifest.input_size) == (head, "native", (32, 48))
    assert manifest.name == "sequential-spp-32x48"
    grade = Reader(tmp_path / "bundle", lesions=False).read(eye).grade
    assert grade.icdr in ((0, 1) if head == "sigmoid" else range(5))
    card = (tmp_path / "bundle" / bundles.CARD).read_text()
    assert ("the output is rounded" in card) == (head == "sigmoid")


def test_a_crop_of_the_field(config, tmp_path, eye):
    chosen = configs.replaced(
        config,
        network={"name": "sequential"},
        data={"crop_size": 24},
        stages=(Stage(24, 1),),
    )
    result = export(chosen, tmp_path)
    assert result.torch_difference < exporting.MAX_DIFFERENCE
    manifest = bundles.load(tmp_path / "bundle").manifest
    assert (manifest.input, manifest.input_size) == ("crop", 24)
    assert Reader(tmp_path / "bundle", lesions=False).read(eye).grade.icdr in range(5)


def test_the_students_network_squashed(config, tmp_path, eye):
    chosen = configs.replaced(
        config, network={"name": "sequential"}, head="sigmoid", normalise="samplewise",
        data={"input": "squash", "crop_size": (20, 30)}, stages=(Stage((20, 30), 1),),
    )  # fmt: skip
    export(chosen, tmp_path, name="theirs-1")
    manifest = bundles.load(tmp_path / "bundle").manifest
    assert (manifest.input, manifest.input_size) == ("squash", (20, 30))
    assert manifest.name == "theirs-1"
    assert manifest.temperature == 1
    assert Reader(tmp_path / "bundle", lesions=False).read(eye).grade.icdr in (0, 1)


def test_a_bundle_says_what_it_was_made_of_and_not_where(run, tmp_path):
    result = exporting.export(run, tmp_path / "bundle")
    falls = [abs(v or 0) for k, v in result.tried.cost.items() if "difference" not in k]
    assert result.taken == (max(falls) <= exporting.MAX_MOVE)
    bundle = bundles.load(tmp_path / "bundle")
    trained = bundle.manifest.trained_on
    assert trained.photographs == {"a": 4, "b": 4}
    stored = configs.from_builtins(msgspec.to_builtins(trained.configuration))
    assert stored.head == "cumulative"
    assert stored.data.manifest == "labels.csv"
    assert bundle.manifest.opset == onnx_graph.OPSET
    everything = (tmp_path / "bundle" / bundles.MANIFEST).read_text()
    card = (tmp_path / "bundle" / bundles.CARD).read_text()
    for text in (everything, card, bundle.model.decode("latin-1")):
        assert str(tmp_path) not in text
        assert "site-packages" not in text
    assert "| a | 2 |" in card


def test_only_the_drawn_photographs_count_as_trained_on(native, labels, tmp_path):
    labels.write_text(labels.read_text().replace("8.png,3,train", "8.png,2,train"))
    labels.write_text(labels.read_text().replace("11.png,1,train", "11.png,3,train"))
    labels.write_text(labels.read_text().replace("10.png,0,train", "10.png,0,train"))
    export(configs.replaced(native, data={"sample": 6}), tmp_path)
    trained = bundles.load(tmp_path / "bundle").manifest.trained_on
    assert sum(trained.photographs.values()) == 6
    assert trained.configuration["data"]["sample"] == 6


def test_a_bundle_can_be_trained_on(run, native, tmp_path):
    exporting.export(run, tmp_path / "bundle")
    path = tmp_path / "bundle"
    again = configs.replaced(native, network={"init": str(path)}, head="corn")
    grader.train(again, tmp_path / "second")
    exporting.export(tmp_path / "second", tmp_path / "other")
    first, second = (
        bundles.load(tmp_path / name).manifest.trained_on.configuration
        for name in ("bundle", "other")
    )
    assert second["network"]["init"] == first


def test_a_bundle_is_replaced_when_asked(run, tmp_path):
    exporting.export(run, tmp_path / "bundle", name="one")
    with pytest.raises(OutputError, match=r"bundle\.json: exists already; add --overwrite"):
        exporting.export(run, tmp_path / "bundle", name="two")
    assert bundles.load(tmp_path / "bundle").manifest.name == "one"
    exporting.export(run, tmp_path / "bundle", name="two", overwrite=True)
    assert bundles.load(tmp_path / "bundle").manifest.name == "two"


def test_what_cannot_be_exported_is_reported(run, labels, tmp_path):
    with pytest.raises(UsageError, match="is not a run of fundoscope train"):
        exporting.export(tmp_path, tmp_path / "bundle")
    (run / loop.BEST).rename(run / "away")
    with pytest.raises(UsageError, match="no finished epoch"):
        exporting.export(run, tmp_path / "bundle")
    (run / loop.BEST).write_bytes(b"damaged")
    with pytest.raises(UsageError, match="is damaged"):
        exporting.export(run, tmp_path / "bundle")
    (run / "away").replace(run / loop.BEST)
    labels.write_text(labels.read_text() + "1.png,0,test,a,\n")
    with pytest.raises(UsageError, match="has changed since the run began"):
        exporting.export(run, tmp_path / "bundle")


def test_photographs_without_a_picture_are_reported(run, tmp_path):
    (tmp_path / "0.png").write_bytes(b"no picture")
    result = exporting.export(run, tmp_path / "bundle", cache=tmp_path / "new")
    assert [photograph.image for photograph in result.left_out] == ["0.png"]
    assert result.calibration.pooled.n == 3


def test_a_graph_that_differs_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "MAX_DIFFERENCE", 0.0)
    with pytest.raises(FundoscopeError, match="differs from torch by"):
        exporting.export(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_graph_that_gives_no_numbers_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "differences", lambda ours, *_: np.full((len(ours), 5), np.nan))
    with pytest.raises(FundoscopeError, match="differs from torch by nan"):
        exporting.export(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_weights_that_suffer_stay_whole(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "MAX_MOVE", -1.0)
    result = exporting.export(run, tmp_path / "bundle")
    assert not result.taken
    assert "full precision" in (tmp_path / "bundle" / bundles.CARD).read_text()
    kept = onnx_graph.weights(bundles.load(tmp_path / "bundle").model)
    stored = loop.read_checkpoint(run / loop.BEST)["network"]
    for key, value in stored.items():
        assert np.array_equal(kept[key], value.numpy())
    assert runs.metrics(run)


@pytest.fixture
def two_layers(monkeypatch):
    """The students' network has two convolutions."""
    monkeypatch.setattr(quantise, "FIRST_IN_FLOAT", 1)


@pytest.mark.usefixtures("two_layers")
def test_eight_bits_are_told_and_read(run, tmp_path, eye, monkeypatch):
    monkeypatch.setattr(exporting, "MAX_FALL", 1.0)
    result = exporting.export(run, tmp_path / "bundle", int8=True)
    assert result.taken
    assert result.torch_difference < exporting.MAX_DIFFERENCE
    manifest = bundles.load(tmp_path / "bundle").manifest
    assert manifest.stored.weights == "int8"
    assert manifest.stored.cost.keys() >= {*exporting.APART, "kappa, together", "auc, together"}
    assert 0 < manifest.stored.cost[exporting.APART[0]] < 0.2
    assert "eight bits" in (tmp_path / "bundle" / bundles.CARD).read_text()
    grade = Reader(tmp_path / "bundle", lesions=False).read(eye)
    assert Reader(tmp_path / "bundle", lesions=False, threads=3).read(eye) == grade
    # The bundle also holds float weights to train on from.
    init = str(tmp_path / "bundle")
    size = networks.InputSize(32, 48)
    started = weights.start("sequential-spp", 4, size, dropout=0.0, init=init).state_dict()
    trained = torch.load(run / loop.BEST, weights_only=True)["network"]
    for name, values in trained.items():
        assert torch.allclose(started[name], values, atol=1e-3), name


@pytest.mark.usefixtures("two_layers")
@pytest.mark.parametrize("weights", [bundles.INT8, bundles.FLOAT16, bundles.FLOAT32])
def test_what_is_fitted_is_fitted_to_the_graph_that_ships(run, tmp_path, monkeypatch, weights):
    """Further outputs move the logits of a graph of eight bits."""
    measured, outputs_of = set(), exporting.outputs_of

    def measure(model, *others):
        measured.add(hashlib.sha256(model).hexdigest())
        return outputs_of(model, *others)

    def with_features(model):
        """The small network of the tests has no features."""
        proto = onnx.load_from_string(model)
        (logits,) = proto.graph.output
        proto.graph.node.append(onnx.helper.make_node("Identity", [logits.name], ["copy"]))
        proto.graph.output.append(logits)
        proto.graph.output[1].name = "copy"
        return proto.SerializeToString()

    monkeypatch.setattr(exporting, "outputs_of", measure)
    monkeypatch.setattr(exporting.onnx_features, "with_features", with_features)
    monkeypatch.setattr(exporting, "MAX_FALL", 1.0)
    if weights == bundles.FLOAT32:
        monkeypatch.setattr(exporting, "MAX_MOVE", -1.0)
    result = exporting.export(run, tmp_path / "bundle", int8=weights == bundles.INT8)
    assert result.taken == (weights != bundles.FLOAT32)
    assert bundles.load(tmp_path / "bundle").manifest.model_sha256 in measured


@pytest.mark.usefixtures("two_layers")
def test_eight_bits_that_cost_too_much_are_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "MAX_FALL", -2.0)
    with pytest.raises(FundoscopeError, match="lowers kappa, together on validation by"):
        exporting.export(run, tmp_path / "bundle", int8=True)
    assert not (tmp_path / "bundle").exists()
