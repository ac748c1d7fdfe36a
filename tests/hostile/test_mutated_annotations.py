"""Annotations and tables with random damage: each is read, or refused in one sentence.

Run longer with FUNDOSCOPE_MUTATIONS=2000.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.data.annotations import formats
from fundoscope.data.importers import label_table
from fundoscope.errors import FundoscopeError

from .seeds import COCO

MUTATIONS = int(os.environ.get("FUNDOSCOPE_MUTATIONS", "25"))
SEED = 20261129
NASTY = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\x1b[2J",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"null",
    b"-1",
    b"1e999999999",
    b"NaN",
    b"9" * 5_000,
    b"[" * 3_000,
    b'"' + b"x" * 100_000 + b'"',
    b"../../../../etc/passwd",
    b"a" * 300,
    b"\xe2\x80\xa8",
    b"true",
    b"{}",
    b"[]",
    b"\n\n",
    b",;\t",
    b"&#1;",
    b"<object/>",
)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A file with one to three damages."""
    for _ in range(rng.randint(1, 3)):
        place, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        match rng.randrange(5):
            case 0:
                data = data[:place] + rng.choice(NASTY) + data[place:]
            case 1:
                data = data[:place] + rng.choice(NASTY) + data[min(end, place + 12) :]
            case 2:
                data = data[:place] + data[end:]
            case 3:
                data = data[:place] + data[place:end] * 2 + data[end:]
            case _:
                data = data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
    return data


def label_studio() -> bytes:
    value = {"x": 10, "y": 10, "width": 5, "height": 5, "rotation": 3, "rectanglelabels": ["MA"]}
    polygon = {"points": [[1, 2], [30, 4], [5, 60]], "polygonlabels": ["HE"]}
    results = [
        {"id": f"r{n}", "type": "x", "original_width": 64, "original_height": 48, "value": each}
        for n, each in enumerate((value, polygon))
    ]
    work = {"id": 7, "completed_by": 2, "result": results, "was_cancelled": False}
    return json.dumps(
        [{"id": 1, "data": {"image": "/data/upload/1/0f6142fb-a.png"}, "annotations": [work]}]
    ).encode()


VOC = b"""<annotation><filename>a.png</filename><size><width>64</width><height>48</height></size>
<object><name>MA</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax>
<ymax>9</ymax></bndbox><polygon><x1>1</x1><y1>2</y1><x2>9</x2><y2>2</y2><x3>9</x3><y3>9</y3>
</polygon></object><object><name>EX</name><robndbox><cx>9</cx><cy>9</cy><w>4</w><h>3</h>
<angle>0.5</angle></robndbox></object></annotation>"""
CVAT = b"""<annotations><version>1.1</version><image id="0" name="a.png" width="64" height="48">
<box label="MA" xtl="1" ytl="2" xbr="9" ybr="9" rotation="10"/><polygon label="HE"
points="1,2;9,2;9,9"/><mask label="EX" left="1" top="1" width="4" height="2" rle="1, 3, 4"/>
<ellipse label="SE" cx="9" cy="9" rx="3" ry="2"/></image></annotations>"""
YAML = b"names:\n  0: MA\n  1: 'H E'\ntrain: images\nval: images\n"
LINES = b"0 0.5 0.5 0.1 0.1\n1 0.1 0.1 0.2 0.1 0.2 0.2 0.5\n"


def cases(folder: Path) -> dict[str, tuple[Path, bytes]]:
    """Of each format: the file that is damaged, and its content when it is whole."""
    return {
        "coco": (folder / "coco.json", COCO),
        "labelstudio": (folder / "ls.json", label_studio()),
        "voc": (folder / "voc" / "a.xml", VOC),
        "cvat": (folder / "annotations.xml", CVAT),
        "yolo": (folder / "yolo" / "labels" / "a.txt", LINES),
        "yaml": (folder / "yolo" / "data.yaml", YAML),
        "masks": (folder / "masks" / "masks.csv", MASKS),
    }


MASKS = b"image,width,height,kind,mask,source,splits\na.png,64,48,EX,a_EX.png,,train;val\n"
READ = {
    "coco": ("coco", "coco.json"),
    "labelstudio": ("labelstudio", "ls.json"),
    "voc": ("voc", "voc"),
    "cvat": ("cvat", "annotations.xml"),
    "yolo": ("yolo", "yolo"),
    "yaml": ("yolo", "yolo"),
    "masks": ("masks", "masks"),
}


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((48, 64), 255, np.uint8)).save(path)


@pytest.mark.parametrize("name", READ)
def test_damaged_annotations(name: str, tmp_path: Path) -> None:
    for place in ("yolo/images/a.png", "masks/a_EX.png", "voc/a.png"):
        picture(tmp_path / place)
    for path, data in cases(tmp_path).values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    path, whole = cases(tmp_path)[name]
    form, root = READ[name]
    rng = random.Random(f"{SEED} {name}")
    assert formats.read(tmp_path / root, form=form).photos[0].annotations
    for number in range(MUTATIONS):
        path.write_bytes(mutated(whole, rng))
        survives(partial(use, tmp_path / root, form, tmp_path / f"out{number}"))


def use(path: Path, form: str, out: Path) -> None:
    """Read a set, write it in every format, and read back what must be readable."""
    formats.detect(path)
    annotations = formats.read(path, form=form)
    for target in ("voc", "coco", "cvat", "labelstudio", "yolo"):
        try:
            formats.write(annotations, out / target, target)
        except FundoscopeError as error:
            one_line(error)
            continue
        if target != "yolo":
            formats.read(out / target, form=target)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_damaged_tables(separator: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    rows = (("", "Image", "level", "eye"), ("0", "a.png", "0", "l"), ("1", "b", "2.0", "é"))
    whole = "\n".join(separator.join(row) for row in rows).encode("latin-1")
    table = tmp_path / "labels.csv"
    rng = random.Random(f"{SEED} {separator}")
    table.write_bytes(whole)
    imported = label_table.read(table).table
    assert imported is not None
    assert [(row.image, row.grade) for row in imported.rows] == [("a.png", 0), ("b.png", 2)]
    for _ in range(MUTATIONS * 4):
        table.write_bytes(mutated(whole, rng))
        survives(lambda: label_table.read(table))


def survives(action: Callable[[], object]) -> None:
    try:
        action()
    except FundoscopeError as error:
        one_line(error)


def one_line(error: FundoscopeError) -> None:
    """A message is short."""
    assert len(str(error)) < 2_000
