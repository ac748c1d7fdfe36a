"""What the tests of training share: they are skipped where the extra [train] is not installed."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("timm")
pytest.importorskip("lightning")

from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.voc import layout as voc_layout
from fundoscope.data.annotations.voc.read import read_voc
from fundoscope.data.annotations.voc.write import write_voc
from fundoscope.train.detection.config import Backbone, DetectorConfig, Draw, LesionData, Shape
from fundoscope.train.grading.config import Data, GraderConfig, NetworkChoice
from fundoscope.train.run.optimisers import Optimiser
from fundoscope.train.run.plan import Stage

SIDE = 96
LESION_PHOTO = (240, 180)
"""Width and height."""
LESIONS = {
    "haemorrhage": (5, (90, 20, 10)),
    "hard_exudate": (4, (250, 230, 120)),
    "optic_disc": (16, (255, 210, 150)),
}
"""Radius in pixels, and colour."""


@pytest.fixture(scope="session")
def recipe_text() -> str:
    """A grader's configuration with places for ``table``, ``cache`` and ``epochs``."""
    return """
checkpoint_every = 1
threads = 1
[data]
manifest = "{table}"
cache = "{cache}"
crop_size = 48
[network]
name = "sequential-spp"
init = "none"
[optimiser]
batch = 4
[[stages]]
size = 32
epochs = {epochs}
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Results do not depend on how many processors a machine has."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw_eye(grade: int, rng: np.random.Generator) -> np.ndarray:
    """A reddish disc with more dark spots the higher the grade, ``uint8 (SIDE, SIDE, 3)``."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    inside = np.hypot(x, y) < SIDE * 0.45
    pixels = np.zeros((SIDE, SIDE, 3), np.float64)
    pixels[inside] = (180, 90, 40)
    for _ in range(6 * grade):
        row, column = rng.uniform(-SIDE / 4, SIDE / 4, 2)
        pixels[np.hypot(x - column, y - row) < 4] = (90, 20, 10)
    pixels[inside] += rng.normal(0, 4, (int(inside.sum()), 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A label table of twelve photographs, two sources, both splits, every grade."""
    rng = np.random.default_rng(7)
    lines = ["image,grade,split,source,gradable"]
    for i in range(12):
        grade, split = i % 5, "val" if i % 3 == 0 else "train"
        Image.fromarray(draw_eye(grade, rng)).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{grade},{split},{'ab'[i % 2]},1")
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def config(labels: Path, tmp_path: Path) -> GraderConfig:
    """A run of four epochs of two steps each."""
    return GraderConfig(
        data=Data(str(labels), str(tmp_path / "cache"), crop_size=48),
        stages=(Stage(32, 2), Stage(48, 2)),
        network=NetworkChoice("sequential-spp", init="none"),
        optimiser=Optimiser(batch=4, rate=1e-3),
        checkpoint_every=1,
    )


@pytest.fixture(autouse=True)
def retina_without_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests train on drawn discs, which need not look like a retina."""
    monkeypatch.setattr("fundoscope.photo.retina.plausible", lambda *_: True)


@pytest.fixture
def save_config(tmp_path: Path) -> Callable[[GraderConfig], Path]:
    """Write a configuration as a TOML file (none of its values is a list of lists)."""

    def save(config: GraderConfig) -> Path:
        settings = msgspec.to_builtins(config)
        lines = [f"{k} = {json.dumps(v)}" for k, v in settings.items() if not _nested(v)]
        for name, section in settings.items():
            if isinstance(section, dict):
                lines += [f"[{name}]", *_lines(section)]
        for stage in settings["stages"]:
            lines += ["[[stages]]", *_lines(stage)]
        path = tmp_path / "grader.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    return save


def _lines(section: dict[str, object]) -> list[str]:
    return [f"{k} = {json.dumps(v)}" for k, v in section.items() if v is not None]


def _nested(value: object) -> bool:
    return value is None or isinstance(value, dict | list | tuple)


@functools.cache
def draw_lesions(
    seed: int, kinds: tuple[tuple[str, int], ...]
) -> tuple[Image.Image, tuple[Annotation, ...]]:
    """An eye of 240x180 with N round lesions of each kind, and their places."""
    rng = np.random.default_rng(seed)
    width, height = LESION_PHOTO
    y, x = np.mgrid[:height, :width] + 0.5
    from_middle = np.hypot(x - width / 2, y - height / 2)
    shade = sum(
        rng.uniform(5, 9) * np.sin(x * rng.uniform(0.1, 0.5) + y * rng.uniform(0.1, 0.5) + k)
        for k in range(8)
    )
    pixels = np.zeros((height, width, 3))
    pixels[:] = (190, 100, 45)
    pixels += shade[..., None]
    result: list[Annotation] = []
    free = from_middle < 80
    for kind, count in kinds:
        radius, colour = LESIONS.get(kind, (6, (30, 120, 60)))
        for _ in range(count):
            cy, cx = rng.choice(np.argwhere(free & (from_middle < 80 - radius))).astype(float)
            free &= np.hypot(x - cx, y - cy) > radius + 20  # the largest lesion, and a gap
            pixels[np.hypot(x - cx, y - cy) < radius] = colour
            box = (cx - radius, cy - radius, cx + radius, cy + radius)
            result.append(Annotation(kind=kind, box=tuple(map(float, box))))
    pixels[from_middle > 86] = 0
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), tuple(result)


def write_lesions(
    root: Path,
    photos: Mapping[str, dict[str, int]],
    splits: Mapping[str, list[str]] | None = None,
) -> Path:
    """Write photographs with lesions as a VOC folder: how many of each kind, by name."""
    (root / voc_layout.PHOTOS).mkdir(parents=True, exist_ok=True)
    annotated = []
    for seed, (name, kinds) in enumerate(photos.items()):
        picture, result = draw_lesions(seed, tuple(kinds.items()))
        picture.save(root / voc_layout.PHOTOS / f"{name}.png")
        annotated.append(
            AnnotatedPhoto(
                image=f"{name}.png",
                width=LESION_PHOTO[0],
                height=LESION_PHOTO[1],
                annotations=result,
            )
        )
    members = {k: tuple(f"{n}.png" for n in v) for k, v in (splits or {}).items()}
    write_voc(AnnotationSet(photos=tuple(annotated), splits=members), root, overwrite=True)
    return root


def write_lesion_set(root: Path) -> Path:
    """Eight photographs in training, one of them without a lesion, and three in validation."""
    photos = {
        f"eye{i:02d}": {"haemorrhage": 3, "hard_exudate": 4, "optic_disc": 1} for i in range(11)
    }
    photos["eye03"] = {}
    names = list(photos)
    return write_lesions(root, photos, {"train": names[:8], "val": names[8:]})


def small_detector(folder: Path) -> DetectorConfig:
    """A run of two epochs of two steps each, on tiles of 64, from the set in ``folder/voc``."""
    return DetectorConfig(
        data=LesionData(
            str(folder / "voc"), radius=86, tile=64, overlap=16, cache=str(folder / "cache")
        ),
        epochs=2,
        backbone=Backbone(init="none"),
        shape=Shape(channels=8, hidden=16, proposals_kept=20, detections=20, sampled=16),
        anchors=1,
        draw=Draw(tiles=4),
        optimiser=Optimiser(batch=2, rate=1e-3, ema=0.0),
        checkpoint_every=1,
    )


@pytest.fixture
def save_lesions(tmp_path: Path) -> Callable[..., Path]:
    """:func:`write_lesions` into a folder of the test's own."""

    def save(
        photos: dict[str, dict[str, int]],
        splits: dict[str, list[str]] | None = None,
        folder: str = "voc",
    ) -> Path:
        return write_lesions(tmp_path / folder, photos, splits)

    return save


@pytest.fixture
def lesion_set(tmp_path: Path) -> Path:
    """The set of :func:`write_lesion_set`."""
    return write_lesion_set(tmp_path / "voc")


@pytest.fixture
def detector_config(lesion_set: Path) -> DetectorConfig:
    """The configuration of :func:`small_detector`."""
    return small_detector(lesion_set.parent)


@pytest.fixture(scope="session")
def trained_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the set, the cache and the run of one epoch: copy it to change it."""
    import torch

    from fundoscope.train.detection import training

    folder = tmp_path_factory.mktemp("detector")
    write_lesion_set(folder / "voc")
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fundoscope.photo.retina.plausible", lambda *_: True)
        training.train(msgspec.structs.replace(small_detector(folder), epochs=1), folder / "run")
    return folder


@pytest.fixture
def lesion_masks(lesion_set: Path, tmp_path: Path) -> Path:
    """Masks of the round lesions of :func:`lesion_set`, one a kind a photograph."""
    folder = tmp_path / "masks"
    folder.mkdir()
    width, height = LESION_PHOTO
    y, x = np.mgrid[:height, :width] + 0.5
    for photo in read_voc(lesion_set).photos:
        for kind in {item.kind for item in photo.annotations}:
            painted = np.zeros((height, width), bool)
            for item in photo.annotations:
                if item.kind == kind:
                    x0, y0, x1, y1 = item.box
                    away = np.hypot(x - (x0 + x1) / 2, y - (y0 + y1) / 2)
                    painted |= away < (x1 - x0) / 2
            Image.fromarray(painted).save(folder / f"{Path(photo.image).stem}_{kind}.png")
    return folder
