"""Whole files of every kind that is read, and what a user does with them."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Parts = tuple[Callable[[Path], object], tuple[str, ...], Callable[[Path], object]]
"""What makes the files, which of them are damaged, and what uses them."""

PHOTO = "photo"
FORMATS = ("voc", "coco", "cvat", "labelstudio", "yolo")


def eye(size: tuple[int, int] = (240, 180)) -> np.ndarray:
    """A reddish disc with vessels on black, ``uint8 (H, W, 3)``."""
    rng = np.random.default_rng(3)
    width, height = size
    y, x = np.mgrid[:height, :width]
    inside = np.hypot(x - width / 2, y - height / 2) < 0.46 * height
    pixels = np.zeros((height, width, 3))
    pixels[inside] = (180, 90, 40)
    pixels[inside & (np.abs(y - height / 2 - 12 * np.sin(x / 9)) < 2)] = (110, 40, 25)
    pixels += rng.normal(0, 4, pixels.shape) * inside[..., None]
    return np.clip(pixels, 0, 255).astype(np.uint8)


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    picture = Image.fromarray(eye())
    if mode == "I;16":
        picture = Image.fromarray(eye()[..., 0].astype(np.uint16) * 200)
    elif mode != "RGB":
        picture = picture.convert(mode)
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def exif() -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = 6
    block[0x010E] = "right eye"
    return block


def photograph(kind: str, mode: str = "RGB", **options: Any) -> Parts:
    return (
        lambda folder: (folder / PHOTO).write_bytes(encoded(kind, mode, **options)),
        (PHOTO,),
        read_photograph,
    )


def read_photograph(folder: Path) -> None:
    """Decode a photograph, find its field of view, cut it out, and ask for its size."""
    from fundoscope.data.annotations.pictures import picture_size
    from fundoscope.photo import field
    from fundoscope.photo.decode import decode_file

    photo = decode_file(folder / PHOTO, min_side=128)
    found = field.find(photo)
    if found.found:
        field.crop(photo, found, 64)
    picture_size(folder / PHOTO)


def picture(path: Path, size: tuple[int, int] = (64, 48)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, 255).save(path)


def written(name: str, data: bytes, *pictures: str) -> Callable[[Path], None]:
    """A maker of a file beside pictures."""

    def make(folder: Path) -> None:
        for each in pictures:
            picture(folder / each)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return make


def annotations(form: str, path: str, folder: Path) -> None:
    """Read annotations, write them in every format, and read back what must be readable."""
    from fundoscope.data.annotations import formats
    from fundoscope.errors import FundoscopeError

    read = formats.read(folder / path, form=form)
    formats.detect(folder / path)
    for target in (*FORMATS, "masks"):
        out = folder / "out" / target
        try:
            formats.write(read, out, target)
        except FundoscopeError:
            continue
        if target != "yolo":
            formats.read(out, form=target)


COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
        "categories": [{"id": 1, "name": "MA"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [1, 2, 3, 4],
                "segmentation": [[1, 2, 9, 2, 9, 9]],
                "score": 0.5,
                "attributes": {"rotation": 5.0},
            },
            {
                "id": 2,
                "image_id": 1,
                "category_id": 1,
                "segmentation": {"size": [48, 64], "counts": [100, 10, 2962]},
            },
        ],
    }
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
MASKS = b"image,width,height,kind,mask,source,splits\na.png,64,48,EX,a_EX.png,,train;val\n"
TABLE = b"image,grade,patient,eye,split\na.png,0,p1,left,train\nb.png,2,p2,right,val\n"


def label_studio() -> bytes:
    value = {"x": 10, "y": 10, "width": 5, "height": 5, "rotation": 3, "rectanglelabels": ["MA"]}
    polygon = {"points": [[1, 2], [30, 4], [5, 60]], "polygonlabels": ["HE"]}
    ring = {"x": 50, "y": 50, "radiusX": 5, "radiusY": 3, "rotation": 0, "ellipselabels": ["EX"]}
    results = [
        {"id": f"r{n}", "type": "x", "original_width": 64, "original_height": 48, "value": each}
        for n, each in enumerate((value, polygon, ring))
    ]
    work = {"id": 7, "completed_by": 2, "result": results, "was_cancelled": False}
    return json.dumps(
        [{"id": 1, "data": {"image": "/data/upload/1/0f6142fb-a.png"}, "annotations": [work]}]
    ).encode()


def yolo(folder: Path) -> None:
    written("set/labels/a.txt", LINES, "set/images/a.png")(folder)
    (folder / "set" / "data.yaml").write_bytes(YAML)


def masks(folder: Path) -> None:
    written("set/masks.csv", MASKS)(folder)
    pixels = np.zeros((48, 64), np.uint8)
    pixels[5:9, 6:12] = pixels[20:30, 30:44] = 255
    Image.fromarray(pixels).save(folder / "set" / "a_EX.png")


def use_table(name: str, folder: Path) -> None:
    """Read a label table, and check it as the command does."""
    from fundoscope.data import manifest
    from fundoscope.data.importers import label_table

    picture(folder / "a.png")
    picture(folder / "b.png")
    manifest.read(folder / name)
    label_table.read(folder / name)


def use_parquet(name: str, folder: Path) -> None:
    """Read a table in this process, where a failure is seen."""
    from fundoscope.data.files import parquet_child
    from fundoscope.data.files.parquet_child import Bounds

    parquet_child.answer_to(name, (folder / name).read_bytes(), Bounds.usual())


def workbook(folder: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["image", "grade", "patient"], ["a.png", 2, "p1"], ["b.png", 0, None]):
        book.active.append(row)
    book.save(folder / "labels.xlsx")


def parquet(folder: Path) -> None:
    from fundoscope.data.files import parquet as files

    rows = [["a.png", "0"], ["b.png", "2"]]
    (folder / "labels.parquet").write_bytes(files.to_bytes(["image", "grade"], rows))


def shipped(task: str, folder: Path) -> None:
    """A shipped bundle without its network, as one of version 0.1, which nothing seals."""
    from fundoscope.models import bundle

    source = bundle.shipped(task)
    content = json.loads((source / "bundle.json").read_text())
    content.pop("sealed", None)
    content["model_sha256"] = hashlib.sha256(b"network").hexdigest()
    (folder / "b").mkdir()
    (folder / "b" / "bundle.json").write_text(json.dumps(content))
    (folder / "b" / "model.onnx").write_bytes(b"network")
    (folder / "b" / "card.md").write_text("# Card\n")


def zipped(folder: Path) -> None:
    shipped("grading", folder)
    with zipfile.ZipFile(folder / "b.zip", "w") as archive:
        for file in sorted((folder / "b").iterdir()):
            archive.writestr(file.name, file.read_bytes())


def use_bundle(path: str, folder: Path) -> None:
    from fundoscope.models import bundle

    bundle.load(folder / path)
    bundle.card(folder / path)


def graph(folder: Path) -> None:
    """The smallest shipped network."""
    from fundoscope.lesions import merge

    (folder / "model.onnx").write_bytes(merge.GRAPH.read_bytes())


def use_graph(folder: Path) -> None:
    from fundoscope.models import runtime

    runtime.open_graph((folder / "model.onnx").read_bytes(), "model.onnx")


def rules(folder: Path) -> None:
    from importlib import resources

    from fundoscope.grading.rules import rulesets

    text = (resources.files(rulesets.PACKAGE) / rulesets.FOLDER / "icdr.toml").read_bytes()
    (folder / "mine.toml").write_bytes(text.replace(b'id = "icdr"', b'id = "mine"'))


def use_rules(folder: Path) -> None:
    from fundoscope.grading.rules import rulesets

    rulesets.load(str(folder / "mine.toml"))


def grader_config(folder: Path) -> Any:
    from fundoscope.train.grading.config import Data, GraderConfig, NetworkChoice, Stage

    return GraderConfig(
        data=Data(str(folder / "labels.csv"), str(folder / "cache"), crop_size=48),
        stages=(Stage(32, 1),),
        network=NetworkChoice("sequential-spp", init="none"),
    )


def pack(folder: Path) -> None:
    from fundoscope.train.pack import pack as packs

    rows = ["image,grade,split"]
    for number in range(10):
        Image.fromarray(eye() // (1 + number % 5)).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{number % 5},{'train' if number < 5 else 'val'}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    packs.write_grader(grader_config(folder), folder / "pack.zip")


def use_pack(folder: Path) -> None:
    from fundoscope.data import manifest
    from fundoscope.train.pack import unpack

    if unpack.is_pack(folder / "pack.zip"):
        config = unpack.grader(grader_config(folder), folder / "pack.zip")
        manifest.read(config.data.manifest)


def keras_network(suffix: str, folder: Path) -> None:
    from fundoscope.train.keras import files

    keras = files.framework()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(2, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    files.save(model, folder / f"network{suffix}")


def use_keras(suffix: str, folder: Path) -> None:
    from fundoscope.train.keras import files

    files.read(folder / f"network{suffix}")


def animated() -> bytes:
    stream = io.BytesIO()
    first, second = (Image.fromarray(eye() // k) for k in (1, 2))
    first.save(stream, "MPO", save_all=True, append_images=[second])
    return stream.getvalue()


def big_tiff() -> bytes:
    """A BigTIFF with one strip."""
    pixels = eye().tobytes()
    tags = [
        (256, 4, 240), (257, 4, 180), (258, 3, 8), (259, 3, 1), (262, 3, 2), (273, 16, 0),
        (277, 3, 3), (278, 4, 180), (279, 16, len(pixels)),
    ]  # fmt: skip
    start = 16 + 8 + 20 * len(tags) + 8
    entries = b"".join(
        struct.pack("<HHQQ", tag, kind, 1, start if tag == 273 else value)
        for tag, kind, value in tags
    )
    head = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, len(tags))
    return head + entries + bytes(8) + pixels


def _form(form: str, path: str, make: Callable[[Path], object], *targets: str) -> Parts:
    return make, targets or (path,), partial(annotations, form, path)


def kinds() -> dict[str, Parts]:
    """The kinds that the installed extras can read."""
    known: dict[str, Parts] = {
        "jpeg": photograph("JPEG"),
        "jpeg-progressive": photograph("JPEG", progressive=True),
        "jpeg-turned": photograph("JPEG", exif=exif()),
        "jpeg-several": (written(PHOTO, animated()), (PHOTO,), read_photograph),
        "png": photograph("PNG"),
        "png-palette": photograph("PNG", "P"),
        "png-deep": photograph("PNG", "I;16"),
        "png-turned": photograph("PNG", exif=exif()),
        "tiff": photograph("TIFF"),
        "tiff-lzw": photograph("TIFF", compression="tiff_lzw"),
        "tiff-jpeg": photograph("TIFF", compression="jpeg"),
        "tiff-big": (written(PHOTO, big_tiff()), (PHOTO,), read_photograph),
        "coco": _form("coco", "coco.json", written("coco.json", COCO)),
        "voc": _form("voc", "set", written("set/a.xml", VOC, "set/a.png"), "set/a.xml"),
        "cvat": _form("cvat", "a.xml", written("a.xml", CVAT)),
        "labelstudio": _form("labelstudio", "a.json", written("a.json", label_studio())),
        "yolo": _form("yolo", "set", yolo, "set/labels/a.txt", "set/data.yaml"),
        "masks": _form("masks", "set", masks, "set/masks.csv", "set/a_EX.png"),
        "csv": (written("labels.csv", TABLE), ("labels.csv",), partial(use_table, "labels.csv")),
        "rules": (rules, ("mine.toml",), use_rules),
        "grader": (partial(shipped, "grading"), ("b/bundle.json",), partial(use_bundle, "b")),
        "detector": (partial(shipped, "detection"), ("b/bundle.json",), partial(use_bundle, "b")),
        "bundle-zip": (zipped, ("b.zip",), partial(use_bundle, "b.zip")),
        "graph": (graph, ("model.onnx",), use_graph),
    }
    if importlib.util.find_spec("openpyxl"):
        name = "labels.xlsx"
        known["workbook"] = (workbook, (name,), partial(use_table, name))
    if importlib.util.find_spec("polars"):
        name = "labels.parquet"
        known["parquet"] = (parquet, (name,), partial(use_parquet, name))
    if importlib.util.find_spec("torch"):
        known["pack"] = (pack, ("pack.zip",), use_pack)
    if importlib.util.find_spec("keras"):
        for suffix in (".keras", ".h5"):
            name = f"network{suffix}"
            make, use = partial(keras_network, suffix), partial(use_keras, suffix)
            known[f"keras{suffix.replace('.', '-')}"] = (make, (name,), use)
    return known


KINDS = kinds()
