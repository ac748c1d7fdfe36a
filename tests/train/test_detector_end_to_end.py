"""From boxes to a reading, on kinds of lesion that no line of code names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.voc import layout as voc_layout
from fundoscope.data.annotations.voc.write import write_voc
from fundoscope.lesions import detector as detectors
from fundoscope.models import bundle as bundles
from fundoscope.phantom import PhantomSpec
from fundoscope.photo import decode, field
from fundoscope.train.detection import config as configs
from fundoscope.train.detection import export as detector_export
from fundoscope.train.detection import parity as detection_parity
from fundoscope.train.detection import training as detector
from fundoscope.train.run import folder as runs

SOURCE = Path(__file__).parents[2] / "src"

pytestmark = pytest.mark.slow


@pytest.fixture
def vessels(tmp_path):
    """Phantoms of proliferative retinopathy with boxes around their new vessels alone."""
    root = tmp_path / "vessels"
    (root / voc_layout.PHOTOS).mkdir(parents=True)
    photos = []
    for seed in range(6):
        pixels, truth = phantom.draw(PhantomSpec(seed=seed, width=320, height=240, grade=4))
        boxes = [each.box for each in truth.lesions if each.kind == "neovascularisation"]
        Image.fromarray(pixels).save(root / voc_layout.PHOTOS / f"p{seed}.png")
        annotations = tuple(Annotation(kind="neovascularisation", box=box) for box in boxes)
        photos.append(
            AnnotatedPhoto(image=f"p{seed}.png", width=320, height=240, annotations=annotations)
        )
    write_voc(AnnotationSet(photos=tuple(photos)), root)
    return root


def test_a_set_of_new_vessels_trains_exports_and_reads(
    detector_config, vessels, tmp_path, monkeypatch
):
    # The scores of so short a training are nearly equal, and equal boxes change places.
    monkeypatch.setattr(detection_parity, "STRAY", 0.05)
    chosen = configs.replaced(configs.on_other_data(detector_config, vessels), epochs=1, seed=2)
    detector.train(chosen, tmp_path / "run")
    detector_export.export(tmp_path / "run", tmp_path / "bundle", name="vessels-1")
    manifest = bundles.load_detector(tmp_path / "bundle").manifest
    assert manifest.classes == ("neovascularisation",)
    loaded = detectors.load(tmp_path / "bundle")
    path = vessels / voc_layout.PHOTOS / "p0.png"
    photo = decode.decode_file(path, min_side=loaded.decode_side)
    result = detectors.candidates(loaded, photo, field.find(photo))
    assert {lesion.kind for lesion in result} == {"neovascularisation"}
    inside = np.array([lesion.box for lesion in result])
    assert inside[:, :2].min() >= -1
    assert (inside[:, 2:] <= np.array([321, 241])).all()


def test_two_processes_make_one_run(detector_config, vessels, tmp_path):
    chosen = configs.replaced(configs.on_other_data(detector_config, vessels), epochs=1)
    settings = msgspec.to_builtins(chosen)
    tables = {key: value for key, value in settings.items() if isinstance(value, dict)}
    lines = [f"{k} = {json.dumps(v)}" for k, v in settings.items() if k not in tables]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())]
    (tmp_path / "mine.toml").write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "fundoscope", "train", "detector", "mine.toml", "--out", "run",
         "--devices", "2"],
        capture_output=True, text=True, timeout=500, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for once in ("weights", "pictures 6/6", "anchors, pixels", "epoch 1 training", "trained;"):
        assert done.stdout.count(once) == 1, done.stdout
    (line,) = runs.metrics(tmp_path / "run")
    assert line["step"] == 2
    assert line["training"]["boxes_a_tile"] >= 0
