"""``fundoscope data convert``: what it says, what it leaves alone, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VOC = """<annotation><filename>a b.jpg</filename>
<size><width>100</width><height>80</height><depth>3</depth></size>
<object><name>微血管瘤</name><difficult>1</difficult>
<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>
</annotation>"""


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A folder with one VOC file, as labelImg leaves it."""
    folder = tmp_path / "mes données"
    folder.mkdir()
    (folder / "a b.xml").write_text(VOC)
    return folder


def test_a_folder_without_lists_becomes_coco(
    fundoscope: Callable[..., Any], drawn: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    said = fundoscope("data", "convert", drawn, out, "--to", "coco")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"voc -> coco: 1 photographs, 1 objects, in {out}\n"
    (item,) = json.loads(out.read_text())["annotations"]
    assert item["bbox"] == [10, 20, 20, 20]


def test_what_is_not_kept_is_reported(
    fundoscope: Callable[..., Any], drawn: Path, tmp_path: Path
) -> None:
    said = fundoscope("data", "convert", drawn, tmp_path / "yolo", "--to", "yolo", "--from", "voc")
    assert said.code == 0
    assert said.out.splitlines()[1:] == ["not kept: difficult (1)", "not kept: size (1)"]
    line = (tmp_path / "yolo" / "labels" / "a b.txt").read_text()
    assert line == "0 0.200000 0.375000 0.200000 0.250000\n"


def test_nothing_is_replaced_unasked(
    fundoscope: Callable[..., Any], drawn: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    out.write_text("mine")
    said = fundoscope("data", "convert", drawn, out, "--to", "coco")
    assert said.code == 2
    assert "exists already; add --overwrite to replace it" in said.err
    assert out.read_text() == "mine"
    assert fundoscope("data", "convert", drawn, out, "--to", "coco", "--overwrite").code == 0
    assert out.read_text() != "mine"


def test_the_origin_is_given_or_warned_of(
    fundoscope: Callable[..., Any], drawn: Path, tmp_path: Path
) -> None:
    out = tmp_path / "zero.json"
    assert fundoscope("data", "convert", drawn, out, "--to", "coco", "--origin", "0").code == 0
    assert json.loads(out.read_text())["annotations"][0]["bbox"] == [11, 21, 20, 20]
    (drawn / "a b.xml").write_text(VOC.replace("<xmin>11", "<xmin>0"))
    said = fundoscope("data", "convert", drawn, tmp_path / "b.json", "--to", "coco")
    assert said.code == 0
    assert "a b.xml has a coordinate of 0" in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "pascal"], "pascal"),
        ([], "--to"),
        (["--to", "coco", "--origin", "2"], "--origin"),
        (["--to", "coco", "--from", "cvat"], ""),
    ],
)
def test_misuse_leaves_with_2(
    fundoscope: Callable[..., Any], drawn: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    result = fundoscope("data", "convert", drawn, tmp_path / "out", *arguments)
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err


def test_a_faulty_file_is_one_line(
    fundoscope: Callable[..., Any], drawn: Path, tmp_path: Path
) -> None:
    (drawn / "a b.xml").write_text(VOC.replace("30", "NaN"))
    said = fundoscope("data", "convert", drawn, tmp_path / "out", "--to", "coco")
    assert said.code == 2
    (line,) = said.complaints
    assert "a b.xml, object 1 (微血管瘤), xmax: NaN is not a finite number" in line
    assert not (tmp_path / "out").exists()


def test_a_damaged_mask_leaves_with_3(fundoscope: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "a_MA.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    said = fundoscope("data", "convert", tmp_path, tmp_path / "out.json", "--to", "coco")
    assert said.code == 3
    assert "a_MA.png" in said.err
    assert not (tmp_path / "out.json").exists()


def test_unknown_classes_are_reported(
    fundoscope: Callable[..., Any], drawn: Path, tmp_path: Path
) -> None:
    (drawn / "a b.xml").write_text(VOC.replace("微血管瘤", "microanuerysm"))
    said = fundoscope("data", "convert", drawn, tmp_path / "out", "--to", "voc")
    assert said.code == 0
    assert "the nearest known one is microaneurysm" in said.err
