"""The photographs of a label table that a run trains and validates on, and their checks."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from fundoscope.data import class_folders
from fundoscope.data import manifest as manifests
from fundoscope.data.leaks import Key, require_apart
from fundoscope.data.manifest import EXCLUDED, Manifest, Row
from fundoscope.errors import UsageError
from fundoscope.grading import heads
from fundoscope.photo.formats import PHOTOGRAPHS
from fundoscope.quoting import shown
from fundoscope.train.grading import packed_crops
from fundoscope.train.grading.config import ASPECT_SPREAD, KIN, Data

TRAIN, VAL = "train", "val"
LYING: Final = (5, 6, 7, 8)
"""EXIF orientations in which width and height change places."""
DRAW: Final = 3
"""Stream of randomness of :func:`_drawn`, beside those of :mod:`fundoscope.train.run.plan`."""


def read(path: str | Path) -> Manifest:
    """Read a label table, or class folders as one.

    Args:
        path: of the table, or of the folder with a folder for each class.

    Raises:
        TableError: the table is wrong, or a photograph of it is missing.
    """
    path = Path(path)
    table = class_folders.from_class_folders(path) if path.is_dir() else manifests.read(path)
    table.require_files()
    return packed_crops.with_origin(table)


def read_also(data: Data, table: Manifest) -> tuple[Manifest, ...]:
    """Read the further tables of a configuration, which are trained on.

    Only rows of the split ``train`` or without a split are kept. A row without a source gets the
    name of its table's file, or of its folder of class folders.

    Args:
        data: the settings that name them.
        table: of :func:`read`, which holds the photographs of validation and test.

    Raises:
        TableError: a table is wrong, or a photograph of it is missing.
        UsageError: a table has no row to train on, or holds a photograph, a patient or a group that
            the label table does not train on.
    """
    further = tuple(map(read, data.also))
    if further:
        held_out = {
            key
            for row in table.rows
            if row.split not in ("", TRAIN, EXCLUDED)
            for key in _keys(table, row)
        }
        for each in further:
            _require_new(each, table, held_out)
    return tuple(map(_training_alone, further))


def _require_new(further: Manifest, table: Manifest, held_out: Collection[Key]) -> None:
    """Check that a further table trains on nothing that the label table holds out."""
    seen = [
        row
        for row in further.rows
        if row.split in ("", TRAIN) and any(key in held_out for key in _keys(further, row))
    ]
    if seen:
        raise UsageError(
            further.path.name,
            f"trains on photographs, patients or groups that {table.path.name} holds out"
            f" ({shown(seen[0].image)}; {len(seen)} photographs in all)",
            "write excluded as their split; if they are others with the same names, write sources"
            " that differ",
        )


def _keys(table: Manifest, row: Row) -> Iterator[Key]:
    """The file of a row, and its patient and group, which count within their source.

    A group's name is often a number, so equal ones of two tables need not be the same group.
    """
    yield "file", os.path.realpath(table.photograph(row))
    source = KIN.get(row.source or table.path.stem, row.source)
    for name, value in (("patient", row.patient), ("group", row.group)):
        if value:
            yield name, source, value


def _training_alone(table: Manifest) -> Manifest:
    rows = tuple(
        msgspec.structs.replace(row, split=TRAIN, source=row.source or table.path.stem)
        for row in table.rows
        if row.split in ("", TRAIN)
    )
    if not rows:
        raise UsageError(table.path.name, "has no row to train on", "leave the split empty")
    return dataclasses.replace(table, rows=rows)


def files_of(rows: Iterable[Row], tables: Iterable[Manifest]) -> list[Path]:
    """The files of rows of several tables.

    Args:
        rows: in any order.
        tables: that they come from.

    Raises:
        UsageError: two tables have photographs of one source and name.
    """
    files: dict[tuple[str, str], Path] = {}
    for table in tables:
        for row in table.rows:
            file = table.photograph(row)
            if files.setdefault((row.source, row.image), file) != file:
                raise UsageError(
                    table.path.name,
                    f"has {shown(row.image)}, and so has another table, of the same source",
                    "write sources that differ",
                )
    return [files[row.source, row.image] for row in rows]


def sha256(table: Manifest, also: Sequence[Manifest]) -> str:
    """The SHA-256 of the table that a run is trained on, or of several tables together."""
    if not also:
        return table.sha256
    together = "\n".join(each.sha256 for each in (table, *also))
    return hashlib.sha256(together.encode()).hexdigest()


def times(rows: Sequence[Row], data: Data) -> NDArray[np.float64] | None:
    """How often an epoch shows each row, ``(N,)``; ``None`` where every row is shown once.

    Args:
        rows: the N training rows.
        data: whose ``shown`` names sources.

    Raises:
        UsageError: ``data.shown`` names a source that no row has, or shows nothing.
    """
    if not data.shown:
        return None
    _require_sources(data.shown, {row.source for row in rows}, "data.shown")
    often = np.array([data.shown.get(row.source, 1.0) for row in rows])
    if not often.any():
        raise UsageError("data.shown", "shows no photograph", "give a source more than 0")
    return often


def _require_sources(named: Iterable[str], known: Iterable[str], key: str) -> None:
    for source in named:
        if source not in known:
            raise UsageError(
                f"{key}: {source}",
                "is not a source of the training photographs",
                f"write one of {', '.join(sorted(known))}",
            )


def choose(table: Manifest, data: Data, seed: int) -> tuple[Row, ...]:
    """The rows of train and validation that a run uses, in the table's order.

    Args:
        table: of :func:`read`.
        data: the settings that choose them.
        seed: of the draw that ``data.sample`` asks for.

    Raises:
        UsageError: ``data.without`` names an unknown source, a split is empty, validation has only
            one kind of eye, training lacks a grade, or photographs of one patient are in both
            splits.
    """
    require_apart(table.rows, table.path.name)
    rows = tuple(row for row in table.rows if row.split in (TRAIN, VAL))
    known = {row.source for row in rows}
    for name, named in (("data.without", data.without), ("data.unmarked", data.unmarked)):
        _require_sources(named, known, name)
    rows = tuple(
        msgspec.structs.replace(row, gradable=False) if row.source in data.unmarked else row
        for row in rows
        if row.source not in data.without
    )
    for split in (TRAIN, VAL):
        if not any(row.split == split for row in rows):
            raise UsageError(
                table.path.name,
                f"has no row of split {split}",
                f"split it: fundoscope data split {table.path} --out split.csv",
            )
    if data.only_aspect is not None:
        rows = tuple(_of_aspect(table, rows, data.only_aspect))
    if data.sample:
        rows = _drawn(rows, data.sample, seed)
    require_usable(rows, table.path.name)
    return rows


def require_usable(rows: Sequence[Row], title: str) -> None:
    """Check that training has every grade, and validation both referable eyes and others.

    Args:
        rows: of both splits.
        title: how messages call the table.

    Raises:
        UsageError: names the missing grade.
    """
    training = Counter(row.grade for row in rows if row.split == TRAIN)
    missing = [grade for grade in range(heads.GRADE_COUNT) if grade not in training]
    if missing:
        raise UsageError(
            f"{title}, split {TRAIN}",
            f"has no photograph of grade {', '.join(map(str, missing))}",
            "add some: a grade that is never shown is never learnt",
        )
    # Photographs that a person could not grade are not used for the operating point.
    gradable = [row for row in rows if row.split == VAL and row.gradable is not False]
    referable = [row.grade >= heads.REFERABLE_GRADE for row in gradable]
    if all(referable) or not any(referable):
        raise UsageError(
            f"{title}, split {VAL}",
            f"needs gradable photographs of grade 0 or 1 and of grade 2 to 4; {sum(referable)} of"
            f" its {len(referable)} are of grade 2 to 4",
            "validation chooses the best epoch and the operating point; give it some of both",
        )


def aspect(path: Path) -> float | None:
    """Width over height of a photograph as it is shown; ``None`` where its file cannot be read."""
    try:
        with Image.open(path, formats=PHOTOGRAPHS) as photograph:
            width, height = photograph.size
            lying = photograph.getexif().get(ExifTags.Base.Orientation) in LYING
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return height / width if lying else width / height


def _of_aspect(table: Manifest, rows: Sequence[Row], wanted: float) -> Iterator[Row]:
    for row in rows:
        shape = aspect(table.photograph(row))
        if shape is not None and abs(shape / wanted - 1) <= ASPECT_SPREAD:
            yield row


def _drawn(rows: Sequence[Row], count: int, seed: int) -> tuple[Row, ...]:
    """All validation rows and ``count`` training rows, with the proportions of the grades kept."""
    random = np.random.default_rng((seed, DRAW))
    training = [i for i, row in enumerate(rows) if row.split == TRAIN]
    if count >= len(training):
        return tuple(rows)
    shuffled = random.permutation(training)
    grades = np.array([rows[i].grade for i in shuffled])
    # Sorted by the position within the grade, as a share: the first rows keep the proportions.
    share = np.empty(len(shuffled))
    for grade in np.unique(grades):
        places = np.flatnonzero(grades == grade)
        share[places] = np.arange(len(places)) / len(places)
    kept = set(shuffled[np.argsort(share, kind="stable")[:count]].tolist())
    return tuple(row for i, row in enumerate(rows) if row.split != TRAIN or i in kept)
