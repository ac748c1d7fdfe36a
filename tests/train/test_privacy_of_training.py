"""Training and the exchange of networks send nothing and leave nothing in the home folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.phantom import PhantomSpec

pytestmark = pytest.mark.slow

Alone = Callable[..., None]

exchanges = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("keras", "h5py")),
    reason="needs the extra [keras]",
)

GRADER = """
checkpoint_every = 1
threads = 1
[data]
manifest = "{data}"
cache = "{cache}"
crop_size = 48
[network]
name = "{network}"
init = "none"
[optimiser]
batch = 2
[[stages]]
size = 32
epochs = 1
"""
DETECTOR = """
epochs = 1
checkpoint_every = 1
threads = 1
anchors = 1
[data]
annotations = "{data}"
radius = 86
tile = 64
overlap = 16
cache = "{cache}"
[backbone]
init = "none"
[shape]
channels = 8
hidden = 16
proposals_kept = 20
detections = 20
sampled = 16
[draw]
tiles = 4
[optimiser]
batch = 2
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Ten eyes of grades 0 to 4: a label table with a training and a validation part."""
    lines = ["image,grade,patient,split"]
    for seed in range(10):
        spec = PhantomSpec(seed=seed, width=256, height=224, grade=seed % 5)
        Image.fromarray(phantom.draw(spec)[0]).save(tmp_path / f"{seed}.jpg", quality=95)
        lines.append(f"{seed}.jpg,{seed % 5},p{seed},{'train' if seed < 5 else 'val'}")
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def written(tmp_path: Path, text: str, **values: object) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(text.format(cache=tmp_path / "cache", **values), encoding="utf-8")
    return path


@exchanges
def test_a_grader_and_keras(run_alone: Alone, table: Path, tmp_path: Path) -> None:
    config = written(tmp_path, GRADER, data=table, network="sequential-spp")
    bundle, keras = tmp_path / "bundle", tmp_path / "network.keras"
    run_alone("train", "grader", config, "--out", tmp_path / "run", "--bundle", bundle)
    run_alone("bundle", "to-keras", bundle, keras)
    back = ("--input", "crop", "--head", "cumulative", "--size", "32x32")
    run_alone("bundle", "from-keras", keras, tmp_path / "back", *back)


def test_weights_of_eight_bits(run_alone: Alone, table: Path, tmp_path: Path) -> None:
    config = written(tmp_path, GRADER, data=table, network="efficientnet_lite0")
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    run_alone("train", "grader", config, "--out", run)
    run_alone("train", "export", run, bundle, "--int8")


def test_a_detector(run_alone: Alone, lesion_set: Path, tmp_path: Path) -> None:
    config = written(tmp_path, DETECTOR, data=lesion_set)
    run_alone("train", "detector", config, "--out", tmp_path / "run")
