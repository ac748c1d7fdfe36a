"""DDR: ``DR_grading`` with lists of grades, ``lesion_segmentation`` and ``lesion_detection``.

A line of ``DR_grading/train.txt`` (``valid.txt``, ``test.txt``) is a name and a grade; the
photographs lie in folders named as the lists. Grade 5 is *ungradable* and is left out. Lesions are
masks, ``lesion_segmentation/train/label/{MA,HE,EX,SE}/*.tif`` with photographs in ``image``, or,
without masks, the boxes of ``lesion_detection/train/*.xml``.

Layout from documentation: github.com/nkicsl/DDR-dataset, and programs that read the set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.importers.source import (
    TEST,
    TRAIN,
    VAL,
    Imported,
    Label,
    Part,
    assemble_parts,
    files_named,
    joined,
    nothing_of,
    subfolder,
)
from fundoscope.data.table import decoded, read_bytes
from fundoscope.errors import TableError

SPLITS: Final = {"train": TRAIN, "valid": VAL, "val": VAL, "test": TEST}
GRADING: Final = "DR_grading"
MASKS, BOXES = "lesion_segmentation", "lesion_detection"
UNGRADABLE: Final = "5"
BOXES_LEFT: Final = f"the boxes of {BOXES} were left out: the masks are more exact"


def read(folder: Path) -> Imported:
    """Grades and lesions of DDR, as far as present.

    Raises:
        TableError: no part is present, or a list, mask or document is not valid.
        PhotoError: a mask or photograph cannot be read.
    """
    lists = [
        path
        for path in files_named(folder, *(f"{name}.txt" for name in SPLITS))
        if (path.parent / path.stem).is_dir() and path.parent.name.lower() == GRADING.lower()
    ]
    masks, boxes = _folder(folder, MASKS), _folder(folder, BOXES)
    lesions = list(_masks(masks)) if masks else []
    note = (BOXES_LEFT,) if lesions and boxes else ()
    if boxes and not lesions:
        lesions = list(_boxes(boxes, masks))
    if not lists and not lesions:
        raise nothing_of(folder, "DDR", f"{GRADING}, {MASKS} or {BOXES}")
    graded = _graded(folder, lists) if lists else Imported()
    annotations = joined(folder, lesions) if lesions else None
    return replace(graded, annotations=annotations, notes=graded.notes + note)


def _folder(folder: Path, name: str) -> Path | None:
    if folder.name.lower() == name:
        return folder
    return next((path for path in sorted(folder.rglob(name)) if path.is_dir()), None)


def _graded(folder: Path, lists: list[Path]) -> Imported:
    parts = [(_labels(path), Pictures.of(path.parent / path.stem)) for path in lists]
    return assemble_parts(folder, parts, ungraded=(UNGRADABLE,))


def _labels(path: Path) -> list[Label]:
    labels = []
    for number, line in enumerate(decoded(path.name, read_bytes(path)).splitlines(), start=1):
        if not line.strip():
            continue
        name, _, grade = line.strip().rpartition(" ")
        if not name:
            raise TableError(
                f"{path.name}, line {number}", "is not a name and a grade", "write a.jpg 2"
            )
        labels.append(
            Label(
                photo=name.strip(),
                grade=grade,
                place=f"{path.name}, line {number}",
                cells={"source": "ddr", "split": SPLITS[path.stem.lower()]},
            )
        )
    return labels


def _masks(folder: Path) -> Iterator[Part]:
    from fundoscope.data.annotations.masks.read import read_masks

    for inner, split in _split_folders(folder):
        images = subfolder(inner, "image")
        labels = subfolder(inner, "segmentation label", "label", "annotation")
        if images is not None and labels is not None:
            yield split, images, read_masks(labels, images=images)


def _boxes(folder: Path, segmentation: Path | None) -> Iterator[Part]:
    from fundoscope.data.annotations.voc.read import read_voc

    for inner, split in _split_folders(folder):
        beside = subfolder(segmentation / inner.name, "image") if segmentation else None
        images = subfolder(inner, "image") or beside or inner
        yield split, images, read_voc(inner, images=images)


def _split_folders(folder: Path) -> Iterator[tuple[Path, str]]:
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and inner.name.lower() in SPLITS:
            yield inner, SPLITS[inner.name.lower()]
