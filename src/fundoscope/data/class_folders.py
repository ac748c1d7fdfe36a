"""Photographs sorted into folders by grade, as Keras reads them: ``0`` … ``4``.

The five folders lie in the folder itself, or in folders of splits (``train/0/…``). Layout
from the documentation of ``keras.utils.image_dataset_from_directory``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fundoscope.data.manifest import GRADES, Manifest, Row
from fundoscope.errors import TableError

PHOTOGRAPH_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
SPLITS: Final = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
"""Names of folders of splits, in lower case, and the names of the splits."""
FOLD: Final = re.compile(r"fold\d+")


def from_class_folders(folder: str | Path) -> Manifest:
    """The label table of class folders.

    Only folders named by a grade, or by a split with such folders inside, are read, with all
    photographs in them and below. Hidden files and other types of file are skipped.

    Raises:
        TableError: the folder has no class folders, they hold no photograph, or a folder beside
            them is named by a number that is not a grade.
    """
    folder = Path(folder)
    rows = tuple(_rows(folder))
    if not rows:
        raise TableError(
            str(folder),
            "has no photographs in class folders",
            "sort them into folders named 0, 1, 2, 3 and 4, or give a label table",
        )
    columns = ("image", "grade", "split") if any(row.split for row in rows) else ("image", "grade")
    listing = "".join(f"{row.image}\0{row.grade}\0" for row in rows)
    digest = hashlib.sha256(os.fsencode(listing)).hexdigest()
    return Manifest(folder, columns, rows, digest, folder)


def split_of(name: str) -> str | None:
    """The split of a folder of this name: train, val, test, ``fold1`` …; else ``None``."""
    name = name.lower()
    return name if FOLD.fullmatch(name) else SPLITS.get(name)


def _rows(folder: Path) -> Iterator[Row]:
    yield from _classes(folder, folder, "")
    for inner in _subfolders(folder):
        split = split_of(inner.name)
        if split is not None:
            yield from _classes(inner, folder, split)


def _classes(parent: Path, root: Path, split: str) -> Iterator[Row]:
    for inner in _subfolders(parent):
        if inner.name in GRADES:
            for photograph in photographs_in(inner):
                image = photograph.relative_to(root).as_posix()
                yield Row(image, int(inner.name), split=split)
        elif inner.name.isdecimal():
            raise TableError(
                str(inner), "is named by a number that is not a grade", "name it 0, 1, 2, 3 or 4"
            )


def photographs_in(folder: Path) -> list[Path]:
    """The photographs in a folder and below, sorted; hidden files are skipped."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in PHOTOGRAPH_SUFFIXES
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and not file.is_dir()
    )


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except FileNotFoundError:
        raise TableError(str(folder), "does not exist", "check the path") from None
    except OSError as error:
        raise TableError(
            str(folder), f"cannot be opened ({error.strerror})", "name a folder that you may read"
        ) from None
