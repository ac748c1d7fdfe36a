"""From marked photographs to a bundle that finds a disc, by command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fundoscope import phantom
from fundoscope.cli.main import run
from fundoscope.lesions import landmarks
from fundoscope.models import bundle as bundles
from fundoscope.photo import decode, field
from fundoscope.train.landmarks import marks
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop

CONFIG = """
threads = 1
checkpoint_every = 1
[data]
manifest = "{table}"
cache = "{cache}"
crop_size = 64
licence = "drawn"
[network]
init = "none"
channels = 8
[optimiser]
batch = 2
[[stages]]
size = 64
epochs = {epochs}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of one epoch on four drawn eyes, with two for validation."""
    folder = tmp_path_factory.mktemp("landmarks")
    with (folder / "marks.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(marks.COLUMNS)
        for seed in range(6):
            pixels, truth = phantom.draw(phantom.PhantomSpec(seed=seed, width=320, height=300))
            Image.fromarray(pixels).save(folder / f"{seed}.png")
            side = 2 * truth.optic_disc.radius
            marked = (*truth.optic_disc.centre, side, side, *truth.fovea)
            writer.writerow([f"{seed}.png", "train" if seed < 4 else "val", *marked])
    text = CONFIG.format(table=folder / "marks.csv", cache=folder / "cache", epochs=1)
    (folder / "landmarks.toml").write_text(text)
    return folder / "landmarks.toml"


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    network: dict[str, torch.Tensor] = loop.read_checkpoint(folder / loop.BEST)["network"]
    return network


def test_a_run_becomes_a_bundle_that_looks_for_landmarks(config: Path, tmp_path: Path) -> None:
    out, bundle = tmp_path / "run", tmp_path / "bundle"
    assert run(["train", "landmarks", str(config), "--out", str(out), "--bundle", str(bundle)]) == 0
    (line,) = runs.metrics(out)
    assert np.isfinite(line["loss"])
    manifest = bundles.load_landmarks(bundle).manifest
    assert manifest.trained_on.photographs
    assert str(tmp_path) not in (bundle / bundles.MANIFEST).read_text()
    loaded = landmarks.load(bundle)
    photo = decode.decode_file(config.parent / "0.png")
    found = landmarks.find(loaded, photo, field.find(photo))
    assert found is not None


def test_a_run_that_was_killed_reaches_the_same_weights(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run(["train", "landmarks", str(config), "--out", str(whole)]) == 0
    step, steps = loop._step, []

    def dies(*given: object) -> float:
        steps.append(1)
        if len(steps) == 2:
            raise KeyboardInterrupt
        return step(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_step", dies)
        assert run(["train", "landmarks", str(config), "--out", str(killed)]) == 130
    assert run(["train", "landmarks", str(config), "--out", str(killed)]) == 0
    assert json.loads((killed / runs.CONFIG).read_text()) == json.loads(
        (whole / runs.CONFIG).read_text()
    )
    ours, theirs = weights_of(killed), weights_of(whole)
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
