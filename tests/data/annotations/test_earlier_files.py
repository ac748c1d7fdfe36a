"""What ``data convert --overwrite`` leaves of an earlier conversion: nothing but foreign files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope.data.annotations import formats
from fundoscope.errors import OutputError

Command = Callable[..., Any]
FOREIGN = ("images/a.jpg", "notes.txt", "annotations/captions.json", "JPEGImages/b.jpg")


def source(path: Path, names: str, kind: str, subset: str) -> Path:
    box = f'<box label="{kind}" xtl="10" ytl="10" xbr="19" ybr="20"/>'
    photos = "".join(
        f'<image id="0" name="{name}.jpg" subset="{subset}" width="160" height="120">{box}</image>'
        for name in names
    )
    path.write_text(f"<annotations>{photos}</annotations>")
    return path


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("to", formats.FORMATS)
def test_only_the_new_annotations_are_left(to: str, tmp_path: Path) -> None:
    old = source(tmp_path / "old.xml", "abc", "haemorrhage", "val")
    new = source(tmp_path / "new.xml", "ad", "drusen", "train")
    out = tmp_path / "out"
    for name in FOREIGN:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    formats.convert(old, out, to, form="cvat")
    before = files(out)
    conversion = formats.convert(new, out, to, form="cvat", overwrite=True)
    formats.convert(new, tmp_path / "fresh", to, form="cvat")
    assert files(out) == files(tmp_path / "fresh") | set(FOREIGN)
    assert conversion.removed == len(before - files(out))
    for name in files(tmp_path / "fresh"):
        assert (out / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()


@pytest.mark.parametrize("to", ["voc", "coco", "yolo", "masks"])
def test_without_overwrite_nothing_changes(to: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    formats.convert(source(tmp_path / "old.xml", "abc", "drusen", "val"), out, to, form="cvat")
    before = {name: (out / name).read_bytes() for name in files(out)}
    with pytest.raises(OutputError, match="exists already"):
        formats.convert(source(tmp_path / "b.xml", "ab", "drusen", "val"), out, to, form="cvat")
    assert {name: (out / name).read_bytes() for name in files(out)} == before


def test_the_command_says_how_many_were_removed(tmp_path: Path, fundoscope: Command) -> None:
    old = source(tmp_path / "old.xml", "abc", "drusen", "val")
    new = source(tmp_path / "new.xml", "a", "drusen", "val")
    out = tmp_path / "out"
    assert "removed" not in fundoscope("data", "convert", old, out, "--to", "voc").out
    said = fundoscope("data", "convert", new, out, "--to", "voc", "--overwrite")
    assert "removed: 2 files of earlier annotations" in said.out.splitlines()


@pytest.mark.parametrize("name", ["../outside.png", "{outside}", "notes.txt", "sub/../../x.png"])
def test_an_edited_table_of_masks_removes_nothing_else(name: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"precious")
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "notes.txt").write_text("precious")
    (out / "masks.csv").write_text(f"image,mask\na.jpg,{name.format(outside=outside)}\n")
    new = source(tmp_path / "new.xml", "a", "drusen", "val")
    formats.convert(new, out, "masks", form="cvat", overwrite=True)
    assert outside.read_bytes() == b"precious"
    assert (out / "notes.txt").read_text() == "precious"
