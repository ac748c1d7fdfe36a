"""The result of every importer, and their common steps: finding files, and labels to rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Final

from fundoscope.data import manifest as manifests
from fundoscope.data.annotations.annotation import AnnotatedPhoto, AnnotationSet, Loss
from fundoscope.data.annotations.flags import flag
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES
from fundoscope.data.columns import UNKNOWN
from fundoscope.data.files.walk import files_below
from fundoscope.data.manifest import GRADES, Manifest, Row
from fundoscope.errors import TableError
from fundoscope.quoting import quoted, shown

Part = tuple[str, Path, AnnotationSet]
"""Split (may be empty), folder of photographs, and their annotations."""

TRAIN, VAL, TEST = "train", "val", "test"
NO_GRADES: Final = "the photographs have no grades"
MAX_SHOWN: Final = 40
"""Characters of an invalid cell that an error shows."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The content of a source.

    Attributes:
        table: the graded photographs; ``None`` where the source has no grades.
        annotations: their ``image`` is relative to the imported folder; ``None`` where the source
            has none.
        notes: sentences about what was left out, and why.
    """

    table: Manifest | None = None
    annotations: AnnotationSet | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of a source.

    Attributes:
        photo: the name or path of the photograph in the source, with or without its suffix.
        grade: as in the source.
        place: of the label, for errors: ``trainLabels.csv, line 2, column level``.
        cells: further columns of the label table, all text; ``gradable`` as a flag, e.g. ``"1"`` or
            ``"no"``.
    """

    photo: str
    grade: str
    place: str
    cells: Mapping[str, str] = field(default_factory=dict)


def files_named(folder: Path, *patterns: str) -> list[Path]:
    """The files in a folder and below whose name fits one of the patterns, nearest first.

    Case does not matter; hidden files are skipped.

    Raises:
        TableError: it is not a folder, or it or a folder below cannot be read.
    """
    if not folder.is_dir():
        why = "is a file" if folder.exists() else "does not exist"
        raise TableError(str(folder), why, "name the folder of the source")
    try:
        paths = [
            path
            for path in files_below(folder)
            if any(fnmatch(path.name.lower(), pattern.lower()) for pattern in patterns)
            and path.is_file()
        ]
    except OSError as error:
        raise TableError(
            str(folder),
            f"cannot be read ({error.strerror})",
            "check its permissions, or name another",
        ) from None
    return sorted(paths, key=lambda path: (len(path.parts), path))


def subfolder(folder: Path, *words: str) -> Path | None:
    """The first folder in a folder whose name contains one of the words, tried in order.

    Case does not matter; ``None`` where there is none.
    """
    if not folder.is_dir():
        return None
    inner = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    matching = (entry for word in words for entry in inner if word.lower() in entry.name.lower())
    return next(matching, None)


def nothing_of(folder: Path, source: str, wanted: str) -> TableError:
    """The error for a folder without files of a source.

    Args:
        folder: that was searched.
        source: e.g. ``"APTOS 2019"``.
        wanted: the files by which it is recognised, e.g. ``"train.csv"``.
    """
    return TableError(
        str(folder), f"has no files of {source}", f"name the folder that holds {wanted}"
    )


def assemble(
    root: Path, labels: Sequence[Label], pictures: Pictures, *, ungraded: Sequence[str] = ("",)
) -> Imported:
    """The label table of a source's labels.

    Labels without a photograph are left out and counted in a note, and so are labels of ungraded
    photographs; photographs without a label are counted in a note.

    Args:
        root: what paths in the table are relative to.
        labels: in the order of the source.
        pictures: the photographs, in ``root`` or below it.
        ungraded: grades that mean that there is none, e.g. ``"5"`` for ungradable.

    Raises:
        TableError: a grade is not valid, two labels name the same photograph, or no label has a
            photograph.
    """
    return assemble_parts(root, [(labels, pictures)], ungraded=ungraded)


def assemble_parts(
    root: Path,
    parts: Iterable[tuple[Sequence[Label], Pictures]],
    *,
    ungraded: Sequence[str] = ("",),
) -> Imported:
    """As :func:`assemble`, for a source whose parts have separate photographs.

    Args:
        root: what paths in the table are relative to.
        parts: the labels and the photographs of each part.
        ungraded: grades that mean that there is none.

    Raises:
        TableError: as :func:`assemble`.
    """
    rows: dict[str, Row] = {}
    missing: list[str] = []
    without_grade = count = photographs = 0
    for labels, pictures in parts:
        photographs += len(pictures.names)
        count += len(labels)
        for label in labels:
            name = photograph(pictures, label.photo)
            if name is None:
                missing.append(label.photo)
            elif label.grade in ungraded:
                without_grade += 1
            else:
                row = _row(label, (pictures.folder / name).relative_to(root).as_posix())
                if row.image in rows:
                    raise TableError(label.place, f"{row.image} has a label already", "keep one")
                rows[row.image] = row
    if not rows:
        first = f" (the first: {shown(missing[0])})" if missing else ""
        raise TableError(
            str(root),
            f"has none of the {count} labelled photographs{first}",
            "put the photographs into the folder, beside their table",
        )
    unlabelled = photographs - len(rows) - without_grade
    return Imported(
        manifests.of_rows(root, rows.values()),
        notes=tuple(_notes(missing, without_grade, unlabelled)),
    )


def photograph(pictures: Pictures, name: str) -> str | None:
    """The photograph called ``name``, with this suffix, another one, or none; ``None`` without."""
    path = PurePosixPath(name.replace("\\", "/").lstrip("/"))
    if path.suffix.lower() not in PHOTOGRAPH_SUFFIXES:
        return pictures.with_stem(path.as_posix()) if path.name else None
    return pictures.find(path.as_posix()) or pictures.with_stem(path.with_suffix("").as_posix())


def joined(root: Path, parts: Iterable[Part]) -> AnnotationSet:
    """Annotations of several folders of photographs as one set.

    Args:
        root: what the paths become relative to.
        parts: the annotations of each folder.
    """
    photos: list[AnnotatedPhoto] = []
    kinds: dict[str, None] = {}
    splits: dict[str, list[str]] = {}
    left_out: list[Loss] = []
    warnings: list[str] = []
    for split, folder, part in parts:
        inner = folder.relative_to(root)
        left_out += part.left_out
        warnings += part.warnings
        moved = [replace(p, image=(inner / p.image).as_posix()) for p in part.photos]
        photos += moved
        kinds |= dict.fromkeys(part.kinds)
        if split:
            splits.setdefault(split, []).extend(photo.image for photo in moved)
    return AnnotationSet(
        photos=tuple(sorted(photos, key=lambda photo: photo.image)),
        kinds=tuple(kinds),
        splits={split: tuple(sorted(images)) for split, images in splits.items()},
        left_out=tuple(left_out),
        warnings=tuple(warnings),
    )


def _row(label: Label, image: str) -> Row:
    if label.grade not in GRADES:
        raise TableError(
            label.place, f"is {quoted(label.grade)}, not a grade", "write 0, 1, 2, 3 or 4"
        )
    cell = label.cells.get
    return Row(
        image,
        int(label.grade),
        patient=cell("patient", ""),
        eye=cell("eye", ""),
        split=cell("split", ""),
        source=cell("source", ""),
        camera=cell("camera", ""),
        group=cell("group", ""),
        quality=cell("quality", ""),
        gradable=_gradable(cell(manifests.GRADABLE, ""), label.place),
        other={name: text for name, text in label.cells.items() if name not in manifests.KNOWN},
    )


def _gradable(cell: str, place: str) -> bool | None:
    """Whether a photograph is gradable; ``None`` where unknown."""
    if cell.casefold() in UNKNOWN:
        return None
    gradable = flag(cell)
    if gradable is None:
        raise TableError(
            place,
            f"has {quoted(cell, MAX_SHOWN)} in its column {manifests.GRADABLE}",
            "write 1, 0 or nothing where it is unknown",
        )
    return gradable


def _notes(missing: Sequence[str], without_grade: int, unlabelled: int) -> Iterable[str]:
    if missing:
        yield (
            f"{len(missing)} labels were left out: their photograph is missing, or not unique"
            f" (the first: {shown(missing[0])})"
        )
    if without_grade:
        yield f"{without_grade} photographs were left out: they were not graded"
    if unlabelled > 0:
        yield f"{unlabelled} photographs have no label"
