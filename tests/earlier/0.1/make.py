"""Make the runs and bundles of this folder, with the code of version 0.1 (see README.md).

    PYTHONPATH=CHECKOUT_OF_0.1/src python make.py EMPTY_FOLDER

Everything is as small as training allows: drawn eyes of 320x240 pixels, networks of 40,000 to
100,000 weights, two epochs of a few steps. Each run is interrupted in its second epoch, so its
folder holds a check-point to resume from.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import fundoscope
from fundoscope import phantom
from fundoscope.data.annotations import voc
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.phantom import PhantomSpec, files
from fundoscope.phantom.spec import TrueLesion
from fundoscope.train import config as grader_configs
from fundoscope.train import detector, detector_config, detector_export, export, grader, runs

GRADES, VALIDATION = (4, 0, 4, 4, 1, 4, 3, 4, 0, 2, 4), 3
WIDTH, HEIGHT = 320, 240
KINDS = ("neovascularisation", "optic_disc")
SHOWN = "eye0.jpg"
"""The eye that is read with the bundles."""
GRADER = """
seed = 1
threads = 1
head = "softmax"
checkpoint_every = 1

[data]
manifest = "eyes/labels.csv"
cache = "cache"
crop_size = 12

[network]
name = "sequential"
init = "none"

[optimiser]
name = "sgd"
batch = 2
rate = 0.1
momentum = 0.5
ema = 0.5

[[stages]]
size = 12
epochs = 2
"""
DETECTOR = """
seed = 1
epochs = 2
threads = 1
checkpoint_every = 1

[data]
annotations = "eyes"
radius = 100
tile = 128
overlap = 32
validation = 3
cache = "cache"
licence = "drawn eyes"

[backbone]
name = "timm/test_efficientnet"
init = "none"

[draw]
tiles = 320

[optimiser]
name = "sgd"
batch = 4
rate = RATE
ema = 0.0
"""
BOXES = (
    DETECTOR.replace("RATE", "0.05")
    + """
[shape]
channels = 8
hidden = 16
sampled = 32
"""
)
MASKS = (
    DETECTOR.replace("epochs = 2", 'epochs = 2\nhead = "mask"')
    .replace('annotations = "eyes"', 'annotations = "eyes"\nmasks = "eyes/masks"')
    .replace("RATE", "0.5")
    + """
[painter]
widths = [4, 4, 4, 4, 4]
"""
)
CONFIGS = {"grader": GRADER, "boxes": BOXES, "masks": MASKS}
LAST_STEP = {"grader": 7, "boxes": 159, "masks": 159}
"""The step of the check-point: the last but one of the second epoch."""


def draw_eyes(folder: Path) -> None:
    """Photographs with grades (labels.csv), boxes (VOC) and masks, one a kind a photograph."""
    (folder / voc.PHOTOS).mkdir(parents=True)
    (folder / "masks").mkdir()
    rows, photos = [], []
    for seed in range(len(GRADES)):
        grade = GRADES[seed]
        pixels, truth = phantom.draw(PhantomSpec(seed, WIDTH, HEIGHT, grade=grade))
        name = f"eye{seed}.jpg"
        (folder / voc.PHOTOS / name).write_bytes(files.encoded(pixels, ".jpg"))
        split = "val" if seed < VALIDATION else "train"
        rows.append((f"{voc.PHOTOS}/{name}", grade, split, "ab"[seed % 2], 1))
        (x, y), radius = truth.optic_disc.centre, truth.optic_disc.radius
        disc = TrueLesion("optic_disc", (x - radius, y - radius, x + radius, y + radius))
        boxes = [disc, *(lesion for lesion in truth.lesions if lesion.kind in KINDS)]
        annotations = tuple(Annotation(kind=lesion.kind, box=lesion.box) for lesion in boxes)
        photos.append(
            AnnotatedPhoto(image=name, width=WIDTH, height=HEIGHT, annotations=annotations)
        )
        for kind in KINDS:
            mask = mask_of([lesion.box for lesion in boxes if lesion.kind == kind])
            Image.fromarray(mask).save(folder / "masks" / f"eye{seed}_{kind}.png")
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "grade", "split", "source", "gradable"), *rows])
    names = [photo.image for photo in photos]
    splits = {"train": tuple(names[VALIDATION:]), "val": tuple(names[:VALIDATION])}
    voc.write(AnnotationSet(photos=tuple(photos), splits=splits), folder, overwrite=True)


def mask_of(boxes: list[tuple[float, float, float, float]]) -> np.ndarray:
    """The ellipses inside of some boxes."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for x0, y0, x1, y1 in boxes:
        across = (x - (x0 + x1) / 2) / ((x1 - x0) / 2)
        down = (y - (y0 + y1) / 2) / ((y1 - y0) / 2)
        mask |= np.hypot(across, down) <= 1
    return mask


def train(kind: str, last: int) -> None:
    """Train from the start or from a check-point, and interrupt the run behind a step."""

    def stop(report: object) -> None:
        if report.step > last:
            raise KeyboardInterrupt

    path = Path(f"{kind}.toml")
    path.write_text(CONFIGS[kind].lstrip())
    with contextlib.suppress(KeyboardInterrupt):
        if kind == "grader":
            config = grader_configs.read_config(path)
            grader.train(config, Path(kind), watcher=grader.Watcher(step=stop))
        else:
            config = detector_config.read_config(path)
            detector.train(config, Path(kind), watcher=detector.Watcher(step=stop))


def read(kind: str) -> dict[str, object]:
    """What the bundles of the grader and of a detector find on :data:`SHOWN`."""
    reader = fundoscope.Reader("grader-bundle", f"{kind}-bundle")
    reading = json.loads(reader.read(Path("eyes") / voc.PHOTOS / SHOWN).to_json())
    return {key: reading[key] for key in ("grade", "lesions", "anatomy")}


def pack(name: str) -> None:
    """Pack a run folder and its bundle, without the name of the user."""

    def nobody(info: tarfile.TarInfo) -> tarfile.TarInfo:
        return info.replace(uid=0, gid=0, uname="", gname="", mtime=0, deep=False)

    with tarfile.open(f"{name}.tar.xz", "w:xz") as archive:
        for folder in (name, f"{name}-bundle"):
            if Path(folder).is_dir():
                archive.add(folder, filter=nobody)


def main() -> None:
    os.chdir(sys.argv[1])
    torch.set_num_threads(1)
    draw_eyes(Path("eyes"))
    pack("eyes")
    expected = {}
    for kind in CONFIGS:
        train(kind, LAST_STEP[kind])
        exporter = export if kind == "grader" else detector_export
        exporter.export(Path(kind), Path(f"{kind}-bundle"), name=f"{kind} of 0.1")
        pack(kind)
        expected[kind] = {} if kind == "grader" else read(kind)
        train(kind, sys.maxsize)
        expected[kind]["metrics"] = runs.metrics(Path(kind))[-1]
    Path("expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
