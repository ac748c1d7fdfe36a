"""IDRiD: ``A. Segmentation``, ``B. Disease Grading`` and ``C. Localization``, as far as present.

Grading: ``2. Groundtruths/a. IDRiD_Disease Grading_Training Labels.csv`` (Image name, Retinopathy
grade, Risk of macular edema; trailing blank columns and rows), photographs in ``1. Original
Images/a. Training Set``. The same name is a different eye in the training and the testing set.
Localisation: tables of the centres of optic disc and fovea, in pixels; the label table has them
too if both parts are present. Segmentation: ``2. All Segmentation Groundtruths/a.
Training Set/1. Microaneurysms/IDRiD_01_MA.tif`` and so on.

Names of files and masks checked on real files; folders and tables from documentation: the set's
page (ieee-dataport.org/open-access/indian-diabetic-retinopathy-image-dataset-idrid) and programs
that read the set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from fundoscope import kinds
from fundoscope.data.annotations.annotation import POINT, AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.importers.source import (
    TEST,
    TRAIN,
    Imported,
    Label,
    Part,
    assemble_parts,
    files_named,
    joined,
    nothing_of,
    photograph,
    subfolder,
)
from fundoscope.data.table import Table, read_table
from fundoscope.errors import TableError
from fundoscope.quoting import quoted

SETS: Final = {"train": TRAIN, "test": TEST}
"""A word in the names of folders and tables, and the split."""
GRADING: Final = "*Disease*Grading*Labels.csv"
CENTRES: Final = {
    kinds.OPTIC_DISC.key: "*OD_Center*.csv",
    kinds.FOVEA.key: "*Fovea_Center*.csv",
}
GROUNDTRUTHS: Final = "Segmentation Groundtruths"
ORIGINALS: Final = "Original Images"
IMAGE_NAME, GRADE, EDEMA = "Image name", "Retinopathy grade", "Risk of macular edema"
IMAGE_NO: Final = "Image No"
COORDINATES: Final = ("xcoordinate", "ycoordinate")
"""``X- Coordinate`` and ``Y - Coordinate``, without blanks and hyphens."""
CENTRE: Final = {POINT: "centre"}
"""Attributes of a centre: its box is a single pixel."""
ONLY_CENTRES: Final = (
    "on {count} photographs of C. Localization only the centres of disc and fovea are marked:"
    " nobody looked for lesions there; to train a detector, import A. Segmentation alone"
)

Centres = dict[tuple[str, str], dict[str, tuple[int, int]]]
"""Column and row of optic disc and fovea, by split and photograph."""


def read(folder: Path) -> Imported:
    """Grades, lesions and landmarks of IDRiD, as far as present.

    Raises:
        TableError: no part is present, or a table or mask is not valid.
        PhotoError: a mask or photograph cannot be read.
    """
    grading = files_named(folder, GRADING)
    tables = {kind: files_named(folder, pattern) for kind, pattern in CENTRES.items()}
    centres = _centres(tables)
    graded = _graded(folder, grading, centres) if grading else Imported()
    lesions, points = [*_lesions(folder)], [*_points(tables, centres)]
    if not grading and not lesions and not points:
        raise nothing_of(folder, "IDRiD", "A. Segmentation or B. Disease Grading")
    parts = [*lesions, *points]
    notes = graded.notes
    if lesions and points:
        count = sum(len(part.photos) for _, _, part in points)
        notes = (*notes, ONLY_CENTRES.format(count=count))
    return replace(graded, annotations=joined(folder, parts) if parts else None, notes=notes)


def _graded(folder: Path, tables: list[Path], centres: Centres) -> Imported:
    parts = []
    for path in tables:
        split = _split(path.name)
        table = read_table(path, required=(IMAGE_NAME, GRADE))
        labels = [_label(table, row, split, centres) for row in range(len(table.lines))]
        parts.append((labels, Pictures.of(_photographs(path.parent.parent, split))))
    return assemble_parts(folder, parts)


def _label(table: Table, row: int, split: str, centres: Centres) -> Label:
    name = table.cells[IMAGE_NAME][row]
    cells = {"source": "idrid", "split": split}
    if EDEMA in table.cells:
        cells["dme"] = table.cells[EDEMA][row]
    for kind, (x, y) in centres.get((split, name), {}).items():
        cells |= {f"{kind}_x": str(x), f"{kind}_y": str(y)}
    grade, place = table.cells[GRADE][row], table.place(row, GRADE)
    return Label(photo=name, grade=grade, place=place, cells=cells)


def _lesions(folder: Path) -> Iterator[Part]:
    from fundoscope.data.annotations.masks.read import read_masks

    truths = [path for path in folder.rglob("*") if GROUNDTRUTHS in path.name and path.is_dir()]
    for truth in sorted(truths):
        for split in SETS.values():
            masks = subfolder(truth, split)
            if masks is not None:
                images = _photographs(truth.parent, split)
                yield split, images, read_masks(masks, images=images)


def _points(tables: dict[str, list[Path]], centres: Centres) -> Iterator[Part]:
    places = {_split(path.name): path for paths in tables.values() for path in paths}
    for split, table in places.items():
        images = _photographs(table.parent.parent.parent, split)
        pictures = Pictures.of(images)
        photos = [
            AnnotatedPhoto(
                image=image,
                width=size[0],
                height=size[1],
                annotations=tuple(_point(kind, *point) for kind, point in points.items()),
            )
            for (of, name), points in sorted(centres.items())
            if of == split and (image := photograph(pictures, name)) is not None
            for size in [pictures.size(image)]
        ]
        yield split, images, AnnotationSet(photos=tuple(photos), kinds=tuple(CENTRES))


def _point(kind: str, x: int, y: int) -> Annotation:
    return Annotation(kind=kind, box=(x, y, x + 1, y + 1), attributes=CENTRE)


def _centres(tables: dict[str, list[Path]]) -> Centres:
    centres: Centres = {}
    for kind, paths in tables.items():
        for path in paths:
            split, table = _split(path.name), read_table(path, required=(IMAGE_NO,))
            columns = {name.casefold().translate(_PLAIN): name for name in table.columns}
            if not set(COORDINATES) <= set(columns):
                raise TableError(
                    f"{path.name}, line 1",
                    f"has no columns of coordinates (it has: {', '.join(table.columns)})",
                    "give the table of the official set",
                )
            for row, name in enumerate(table.cells[IMAGE_NO]):
                x, y = (_number(table, row, columns[axis]) for axis in COORDINATES)
                centres.setdefault((split, name), {})[kind] = (x, y)
    return centres


_PLAIN: Final = str.maketrans("", "", " -")


def _number(table: Table, row: int, column: str) -> int:
    cell = table.cells[column][row]
    if not cell.isdecimal():
        raise TableError(
            table.place(row, column), f"is {quoted(cell)}, not a pixel", "write 0, 1, 2 …"
        )
    return int(cell)


def _photographs(part: Path, split: str) -> Path:
    """The folder of the photographs of a part, for training or testing."""
    originals = subfolder(part, ORIGINALS)
    photographs = subfolder(originals, split) if originals else None
    if photographs is None:
        raise TableError(
            str(part),
            f"has no folder of photographs of split {split}",
            f"unpack the whole set: they lie in 1. {ORIGINALS}",
        )
    return photographs


def _split(name: str) -> str:
    for word, split in SETS.items():
        if f"{word}ing" in name.lower():
            return split
    raise TableError(name, "is neither of training nor of testing", "keep the official names")
