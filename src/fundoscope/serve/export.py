"""What people reviewed, as photographs, labels and annotations for the next training."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fundoscope.data.annotations import formats
from fundoscope.data.annotations.annotation import AnnotatedPhoto, AnnotationSet, Loss
from fundoscope.errors import UsageError
from fundoscope.kinds import KINDS
from fundoscope.reading import Reading
from fundoscope.serve.annotations import SHORT, name_of, reviewed_photo
from fundoscope.serve.store import audit, reviews
from fundoscope.serve.store.database import writing
from fundoscope.serve.store.photographs import path_of
from fundoscope.serve.store.records import Record
from fundoscope.serve.store.reviews import Review
from fundoscope.serve.store.store import Store
from fundoscope.writing import explained, refuse_results, write_files

PHOTOGRAPHS: Final = "JPEGImages"
"""The folder of the photographs, as in Pascal VOC."""
LABELS: Final = "labels.csv"
COLUMNS: Final = (
    "image", "grade", "eye", "reader", "confidence", "first_grade", "software_grade",
    "changed_mind",
)  # fmt: skip
"""The columns of a label table, and what else a reader noted."""
PATIENT: Final = "patient"
SUFFIXES: Final = {b"\x89PNG": ".png", b"II*\x00": ".tif", b"MM\x00*": ".tif"}
"""By the first bytes of a file; all others are JPEG."""
OUR_NAME: Final = re.compile(rf"[0-9a-f]{{{SHORT}}}\.(jpg|png|tif)")
"""The name of an exported photograph, see :func:`fundoscope.serve.annotations.name_of`."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported.

    Attributes:
        photographs: with a grade or boxes.
        graded: with a grade.
        boxed: with boxes, or none because there are no lesions.
        losses: what the format could not hold.
    """

    photographs: int
    graded: int
    boxed: int
    losses: tuple[Loss, ...]


@dataclass(slots=True)
class _Photograph:
    """The latest reviews of one photograph."""

    record: Record
    graded: Review | None = None
    boxed: Review | None = None
    first_grade: int | None = None


def export(
    store: Store,
    out: Path,
    form: str,
    *,
    by: str,
    patients: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write the reviewed photographs, a label table, and the boxes that people went through.

    Of several reviews of a photograph the latest counts, for grade and boxes separately.
    Photographs are named by their hashes. Those of an earlier export that are no longer exported,
    because they were deleted, leave the folder.

    Args:
        store: where the reviews are.
        out: the folder to write.
        form: of the annotations, see :data:`fundoscope.data.annotations.formats.FORMATS`.
        by: who exports, for the audit log.
        patients: whether the label table names patients, so that splits keep them together.
        overwrite: replace an earlier export.

    Raises:
        UsageError: the format is unknown, nothing was reviewed, or ``out`` has an earlier export.
        OutputError: a file cannot be written.
        DatabaseError: the database cannot be used.
    """
    chosen = formats.named(form)
    refuse_results(out, (LABELS, PHOTOGRAPHS, *chosen.written), overwrite=overwrite)
    photographs = list(_photographs(store))
    if not photographs:
        earlier = next(_earlier(out / PHOTOGRAPHS), None) is not None
        remedy = f"delete the earlier export in {out}" if earlier else "review some readings first"
        raise UsageError(str(store.data), "holds no finished review", remedy)
    with writing(store.engine) as connection:  # before photographs leave the store
        detail = {"photographs": len(photographs), "patients": patients}
        audit.append(connection, by, audit.EXPORTED, detail=detail)
    boxed = tuple(sorted(_boxed(store, photographs), key=lambda photo: photo.image))
    losses: tuple[Loss, ...] = ()
    if boxed or any((out / name).exists() for name in chosen.written):
        annotations = AnnotationSet(photos=boxed, kinds=tuple(KINDS))
        losses = chosen.write(annotations, out, overwrite=overwrite)
    files = [(out / LABELS, _labels(store, photographs, patients=patients))]
    write_files(files, overwrite=overwrite)
    _copy(store, photographs, out / PHOTOGRAPHS)
    graded = sum(each.graded is not None for each in photographs)
    return Exported(len(photographs), graded, len(boxed), losses)


def _photographs(store: Store) -> Iterable[_Photograph]:
    """The reviews of each photograph, whichever of its readings was reviewed."""
    by_hash: dict[str, _Photograph] = {}
    for record, review, first in reviews.finished(store):
        each = by_hash.setdefault(record.photograph, _Photograph(record))
        if review.opinion.ungradable:
            each.graded = None
        if review.opinion.grade is not None:
            each.graded, each.record, each.first_grade = review, record, first
        if review.opinion.boxes is not None:
            each.boxed = review
    return [each for each in by_hash.values() if each.graded or each.boxed]


def _boxed(store: Store, photographs: Iterable[_Photograph]) -> Iterator[AnnotatedPhoto]:
    for each in photographs:
        if each.boxed is not None:
            reading = Reading.from_json(each.record.reading or "")
            yield reviewed_photo(reading, each.boxed, _name(store, each.record))


def _labels(store: Store, photographs: Iterable[_Photograph], *, patients: bool) -> bytes:
    text = io.StringIO()
    columns = (*COLUMNS, PATIENT) if patients else COLUMNS
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for each in photographs:
        if each.graded is not None:
            writer.writerow(_row(store, each, each.graded))
    return text.getvalue().encode()


def _row(store: Store, each: _Photograph, review: Review) -> dict[str, object]:
    opinion, given = review.opinion, each.record.given
    reading = Reading.from_json(each.record.reading or "")
    row = {
        "image": f"{PHOTOGRAPHS}/{_name(store, each.record)}",
        "grade": opinion.grade,
        "eye": given.eye,
        "reader": review.reader,
        "confidence": opinion.confidence,
        "first_grade": each.first_grade,
        "software_grade": reading.grade.icdr,
        "changed_mind": opinion.changed_mind,
        PATIENT: given.patient,
    }
    return {name: "" if value is None else value for name, value in row.items()}


def _name(store: Store, record: Record) -> str:
    with path_of(store.data, record.photograph).open("rb") as stream:
        start = stream.read(max(map(len, SUFFIXES)))
    suffix = next((suffix for sign, suffix in SUFFIXES.items() if start.startswith(sign)), ".jpg")
    return name_of(record, suffix)


def _copy(store: Store, photographs: Iterable[_Photograph], folder: Path) -> None:
    def contents() -> Iterator[tuple[Path, bytes]]:
        for each in photographs:
            content = path_of(store.data, each.record.photograph).read_bytes()
            yield folder / _name(store, each.record), content

    with explained(folder):
        write_files(contents(), folder=folder, overwrite=True, old=_earlier(folder))


def _earlier(folder: Path) -> Iterator[Path]:
    """The photographs of an earlier export; files with other names are not ours."""
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if OUR_NAME.fullmatch(path.name))
