"""What the tests of training share: they are skipped where the extra [train] is not installed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("timm")
pytest.importorskip("lightning")

from fundoscope.train.config import Data, GraderConfig, NetworkChoice
from fundoscope.train.optimisers import Optimiser
from fundoscope.train.plan import Stage

SIDE = 96


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
