"""Do annotations survive every format, and do other programs read our files correctly?

    python bench/annotations.py IDRID

IDRID is the folder of IDRiD's segmentation set. Its boxes are compared with its table and converted
through every pair of formats. Where labelImg, torchvision, supervision and pycocotools are
installed, they read the files that we wrote. Prints a table of counts; a row that disagrees ends
with WRONG, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib.util
import io
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from fundoscope.data.annotations import formats
from fundoscope.data.annotations.annotation import AnnotationSet

Row = tuple[str, str, float, float, float, float]
"""Photograph without suffix, class, and a box: in VOC's numbers, or half-open."""
FORMATS = ("voc", "coco", "yolo", "labelstudio", "cvat")
CORNERS = re.compile(r"<[xy]m(?:in|ax)>.*?<")
TOLERANCE = 0.01
"""Pixels: the error of six decimals in a YOLO file, for readers that do not round."""


def rows(result: AnnotationSet) -> list[Row]:
    """List every box, half-open, in order."""
    return [
        (Path(photo.image).stem, item.kind, *item.box)
        for photo in result.photos
        for item in photo.annotations
    ]


def as_voc(boxes: list[Row]) -> list[Row]:
    return [(name, kind, x0 + 1, y0 + 1, x1, y1) for name, kind, x0, y0, x1, y1 in boxes]


def table(path: Path) -> list[Row]:
    with path.open() as stream:
        return [
            (
                row["image"],
                row["class"],
                float(row["xmin"]),
                float(row["ymin"]),
                float(row["xmax"]),
                float(row["ymax"]),
            )
            for row in csv.DictReader(stream)
        ]


def labelimg(folder: Path) -> list[Row]:
    """Read VOC's numbers with labelImg's own reader."""
    from libs.pascal_voc_io import PascalVocReader

    return [
        (path.stem, name, *map(float, points[0]), *map(float, points[2]))
        for path in sorted((folder / "Annotations").iterdir())
        for name, points, *_ in PascalVocReader(str(path)).get_shapes()
    ]


def torchvision_voc(folder: Path, images: Path) -> list[Row]:
    """Read VOC's numbers with torchvision's VOCDetection; the photographs are not decoded."""
    from defusedxml.ElementTree import parse
    from torchvision.datasets import VOCDetection

    devkit = folder / "VOCdevkit"
    devkit.mkdir()
    (devkit / "VOC2007").symlink_to(folder)
    (folder / "JPEGImages").symlink_to(images.resolve())
    boxes: list[Row] = []
    for split in ("train", "test"):
        dataset = VOCDetection(str(folder), year="2007", image_set=split)
        for path in dataset.annotations:
            tree = dataset.parse_voc_xml(parse(path).getroot())["annotation"]
            for item in tree["object"]:
                box = item["bndbox"]
                numbers = (float(box[c]) for c in ("xmin", "ymin", "xmax", "ymax"))
                boxes.append((Path(tree["filename"]).stem, item["name"], *numbers))
    return boxes


def pycocotools(path: Path) -> list[Row]:
    """Half-open boxes, as pycocotools has them."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
    boxes: list[Row] = []
    for item in coco.loadAnns(coco.getAnnIds()):
        x, y, width, height = item["bbox"]
        name = Path(coco.imgs[item["image_id"]]["file_name"]).stem
        kind = coco.cats[item["category_id"]]["name"]
        boxes.append((name, kind, x, y, x + width, y + height))
    return boxes


def supervision(form: str, folder: Path, images: Path) -> list[Row]:
    """Read half-open boxes with supervision."""
    import supervision as sv

    sets = sv.DetectionDataset
    if form == "voc":
        result = sets.from_pascal_voc(str(images), str(folder / "Annotations"))
    elif form == "coco":
        result = sets.from_coco(str(images), str(folder / "all.json"))
    else:
        result = sets.from_yolo(str(images), str(folder / "labels"), str(folder / "data.yaml"))
    return [
        (Path(path).stem, result.classes[kind], *map(float, box))
        for path, detections in result.annotations.items()
        for box, kind in zip(detections.xyxy, detections.class_id, strict=True)
    ]


def differing(ours: list[Row], theirs: list[Row], tolerance: float = 0.0) -> int:
    """Count the boxes without a partner of the same photograph, class and place."""
    first, second = sorted(ours), sorted(theirs)
    if len(first) != len(second):
        return max(len(first), len(second))
    if tolerance == 0.0:
        return sum(a != b for a, b in zip(first, second, strict=True))
    rounded = [sorted((*row[:2], *map(round, row[2:])) for row in part) for part in (ours, theirs)]
    far = sum(max(abs(value - round(value)) for value in row[2:]) > tolerance for row in theirs)
    return far + sum(a != b for a, b in zip(*rounded, strict=True))


def checks(root: Path, folder: Path) -> Iterator[tuple[str, int, int]]:
    """Run each check: its name, the number of boxes, and how many of them differ."""
    images = root / "JPEGImages"
    result = formats.read(root)
    boxes = rows(result)
    yield (
        "IDRiD's VOC files, against objects.csv",
        len(boxes),
        differing(as_voc(boxes), table(root / "objects.csv")),
    )
    for form in FORMATS:
        formats.write(result, folder / form, form)
    formats.write(result, folder / "coco" / "all.json", "coco")
    texts = [
        (
            CORNERS.findall(path.read_text()),
            CORNERS.findall((root / "Annotations" / path.name).read_text()),
        )
        for path in sorted((folder / "voc" / "Annotations").iterdir())
    ]
    yield (
        "numbers in our VOC files, as text",
        sum(len(ours) for ours, _ in texts),
        sum(ours != theirs for ours, theirs in texts),
    )
    for form in FORMATS:
        first = formats.read(folder / form, images=images)
        yield f"{form}, read again", len(boxes), differing(boxes, rows(first))
        for other in FORMATS:
            out = folder / f"{form}-{other}"
            formats.write(first, out, other)
            again = rows(formats.read(out, images=images))
            yield f"{form} -> {other}, read again", len(again), differing(boxes, again)
    yield from other_readers(folder, images, boxes)


def other_readers(folder: Path, images: Path, boxes: list[Row]) -> Iterator[tuple[str, int, int]]:
    """Run the checks by other programs, where they are installed."""
    if importlib.util.find_spec("libs") and importlib.util.find_spec("labelImg"):
        theirs = labelimg(folder / "voc")
        yield "labelImg reads our VOC", len(theirs), differing(as_voc(boxes), theirs)
    if importlib.util.find_spec("torchvision"):
        theirs = torchvision_voc(folder / "voc", images)
        yield "torchvision reads our VOC", len(theirs), differing(as_voc(boxes), theirs)
    if importlib.util.find_spec("pycocotools"):
        theirs = pycocotools(folder / "coco" / "all.json")
        yield "pycocotools reads our COCO", len(theirs), differing(boxes, theirs)
    if importlib.util.find_spec("supervision"):
        for form in ("voc", "coco", "yolo"):
            theirs = supervision(form, folder / form, images)
            slack = TOLERANCE if form == "yolo" else 0.0
            yield f"supervision reads our {form}", len(theirs), differing(boxes, theirs, slack)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("idrid", type=Path, help="folder of IDRiD's segmentation set")
    root = parser.parse_args().idrid
    warnings.simplefilter("ignore")
    wrong = 0
    with TemporaryDirectory() as folder:
        for name, count, different in checks(root, Path(folder)):
            wrong += different
            print(f"{name:45} {count:7} {different:7}{'  WRONG' if different else ''}", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
