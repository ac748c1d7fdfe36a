"""``fundoscope data import``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fundoscope.cli.data.importing import SOURCES
from fundoscope.data import manifest as manifests
from fundoscope.data.importers.registry import MODULES

Command = Callable[..., Any]


@pytest.fixture
def eyepacs(tmp_path: Path) -> Path:
    folder = tmp_path / "eyepacs 眼"
    (folder / "train").mkdir(parents=True)
    for name in ("10_left", "10_right", "13_left"):
        (folder / "train" / f"{name}.jpeg").touch()
    (folder / "trainLabels.csv").write_text("image,level\n10_left,0\n10_right,4\n15_left,2\n")
    return folder


@pytest.fixture
def lesions(tmp_path: Path) -> Path:
    folder = tmp_path / "ddr"
    base = folder / "lesion_segmentation" / "train"
    pixels = np.zeros((8, 12), np.uint8)
    pixels[2:4, 3:6] = 255
    for path in (base / "image" / "a.jpg", base / "label" / "MA" / "a.tif"):
        path.parent.mkdir(parents=True)
        Image.fromarray(pixels).save(path)
    return folder


def test_the_help_names_every_source() -> None:
    assert tuple(MODULES) == SOURCES


def test_a_table_and_what_was_left_out(fundoscope: Command, eyepacs: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables" / "eyepacs.csv"
    said = fundoscope("data", "import", "eyepacs", eyepacs, "--out", out)
    assert said.code == 0
    assert said.out == f"{out}: 2 photographs (1 of grade 0, 1 of grade 4)\n"
    assert len(said.complaints) == 2
    assert said.complaints[1] == "1 photographs have no label"
    table = manifests.read(out)
    table.require_files()
    assert [(row.grade, row.patient, row.eye) for row in table.rows] == [
        (0, "10", "left"),
        (4, "10", "right"),
    ]


def test_nothing_is_overwritten_unasked(
    fundoscope: Command, eyepacs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.csv").write_text("mine")
    said = fundoscope("data", "import", "eyepacs", eyepacs)
    assert said.code == 2
    assert "labels.csv: exists already; add --overwrite to replace it" in said.complaints
    assert (tmp_path / "labels.csv").read_text() == "mine"
    assert fundoscope("data", "import", "eyepacs", eyepacs, "--overwrite").code == 0


def test_lesions(fundoscope: Command, lesions: Path, tmp_path: Path) -> None:
    said = fundoscope("data", "import", "ddr", lesions)
    assert said.code == 2
    assert "has lesions, but no grades; name a file for them with --annotations" in said.err
    out = tmp_path / "ddr.json"
    said = fundoscope("data", "import", "ddr", lesions, "--annotations", out)
    assert said.code == 0
    assert said.out == f"{out}: 1 objects on 1 photographs\n"
    document = json.loads(out.read_text(encoding="utf-8"))
    assert document["images"][0]["file_name"] == "lesion_segmentation/train/image/a.jpg"
    assert document["annotations"][0]["bbox"] == [3, 2, 3, 2]
    folder = tmp_path / "coco"
    assert fundoscope("data", "import", "ddr", lesions, "--annotations", folder).code == 0
    assert (folder / "annotations" / "instances_train.json").is_file()


def test_both_at_once(fundoscope: Command, lesions: Path, tmp_path: Path) -> None:
    grading = lesions / "DR_grading"
    (grading / "train").mkdir(parents=True)
    (grading / "train" / "b.jpg").touch()
    (grading / "train.txt").write_text("b.jpg 1\n")
    out = tmp_path / "ddr.csv"
    said = fundoscope("data", "import", "ddr", lesions, "--out", out)
    assert said.code == 0
    assert said.complaints == [
        "there are lesions as well: to write them, name a file with --annotations"
    ]
    assert manifests.read(out).rows[0].split == "train"


@pytest.mark.parametrize(
    ("source", "annotations", "complaint"),
    [
        ("imagenet", (), "imagenet: is not a known source; name one of: class-folders"),
        ("aptos", (), "has no files of APTOS 2019; name the folder that holds train.csv"),
        ("eyepacs", ("--annotations", "x.json"), "has no lesions; leave out --annotations"),
    ],
)
def test_misuse(
    fundoscope: Command,
    eyepacs: Path,
    tmp_path: Path,
    source: str,
    annotations: tuple[str, ...],
    complaint: str,
) -> None:
    out = tmp_path / "t.csv"
    said = fundoscope("data", "import", source, eyepacs, "--out", out, *annotations)
    assert said.code == 2
    assert len(said.complaints) == 1
    assert complaint in said.complaints[0]
    assert not out.exists()
