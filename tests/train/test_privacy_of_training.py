"""Training and the exchange of networks send nothing and leave nothing in the home folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.voc import layout as voc_layout
from fundoscope.data.annotations.voc.write import write_voc
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


@pytest.fixture
def vessels(tmp_path: Path) -> Path:
    """Eyes with boxes around their new vessels."""
    folder = tmp_path / "voc"
    (folder / voc_layout.PHOTOS).mkdir(parents=True)
    photos = []
    for seed in range(6):
        pixels, truth = phantom.draw(PhantomSpec(seed=seed, width=320, height=240, grade=4))
        Image.fromarray(pixels).save(folder / voc_layout.PHOTOS / f"p{seed}.png")
        items = tuple(
            Annotation(kind=each.kind, box=each.box)
            for each in truth.lesions
            if each.kind == "neovascularisation"
        )
        photos.append(
            AnnotatedPhoto(image=f"p{seed}.png", width=320, height=240, annotations=items)
        )
    write_voc(AnnotationSet(photos=tuple(photos)), folder)
    return folder


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


@exchanges
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
def test_a_bundle_from_keras(run_alone: Alone, tmp_path: Path) -> None:
    from fundoscope.train.keras import files

    keras, path = files.framework(), tmp_path / "network.keras"
    layers = [
        keras.Input((24, 36, 3)),
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(5, activation="softmax"),
    ]
    files.save(keras.Sequential(layers), path)
    options = ("--input", "squash", "--classes", "0,1,2,3,4")
    run_alone("bundle", "from-keras", path, tmp_path / "bundle", *options)


def test_weights_of_eight_bits(run_alone: Alone, table: Path, tmp_path: Path) -> None:
    config = written(tmp_path, GRADER, data=table, network="efficientnet_lite0")
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    run_alone("train", "grader", config, "--out", run)
    # onnx names a temporary file by `uuid1`, for which the C library opens a socket and asks the
    # system for the address of its network card.
    run_alone("train", "export", run, bundle, "--int8", unused_socket=True)


def test_a_detector(run_alone: Alone, vessels: Path, tmp_path: Path) -> None:
    config = written(tmp_path, DETECTOR, data=vessels)
    run_alone("train", "detector", config, "--out", tmp_path / "run")
