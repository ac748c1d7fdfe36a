"""Photographs sorted into folders by grade, as Keras and torch read them: ``0`` … ``4``.

The five folders lie in the folder itself, or in folders of splits (``train/0/…``). They may also
be named by words (``No_DR``, ``Mild`` …) or both (``0 - No DR``, ``grade_3``); then every folder
with photographs beside them has to be understood, so that no class is lost. Layout from the
documentation of ``keras.utils.image_dataset_from_directory`` and
``torchvision.datasets.ImageFolder``; the words are those of public sets on Kaggle (APTOS sorted by
grade), and the International scale's own.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fundoscope.data.files.walk import files_below
from fundoscope.data.manifest import GRADES, Manifest, Row
from fundoscope.errors import TableError

PHOTOGRAPH_SUFFIXES: Final = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff")
SPLITS: Final = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Names of folders of splits, in lower case, and the names of the splits."""
FOLD: Final = re.compile(r"fold\d+")
TOKEN: Final = re.compile(r"[^\W\d_]+|\d+")
BEFORE_A_NUMBER: Final = frozenset({"grade", "drgrade", "level", "class", "label", "icdr"})
"""Words that may stand before the number of a grade, as in ``grade_3``."""
_DISEASE: Final = ("dr", "retinopathy", "diabeticretinopathy")
_NON_PROLIFERATIVE: Final = ("npdr", *(f"nonproliferative{disease}" for disease in ("", *_DISEASE)))
WORDS: Final = {
    "normal": 0,
    "healthy": 0,
    "none": 0,
    **{f"{no}{disease}": 0 for no in ("no", "noapparent") for disease in _DISEASE},
    **{
        f"{severity}{disease}": grade
        for grade, severity in enumerate(("mild", "moderate", "severe"), start=1)
        for disease in ("", *_DISEASE, *_NON_PROLIFERATIVE)
    },
    "pdr": 4,
    **{
        f"{severity}{disease}": 4
        for severity in ("proliferative", "proliferate")
        for disease in ("", *_DISEASE)
    },
}
"""The grade that a name means, in lower case and without blanks and marks."""
REMEDY: Final = (
    "name the folders 0, 1, 2, 3 and 4, or No_DR, Mild, Moderate, Severe and Proliferative"
)


def from_class_folders(folder: str | Path) -> Manifest:
    """The label table of class folders.

    Only folders named by a grade, or by a split with such folders inside, are read, with all
    photographs in them and below. Hidden files and other types of file are skipped.

    Raises:
        TableError: the folder has no class folders, they hold no photograph, or a folder beside
            them is named by a number that is not a grade, or by words that are not understood.
    """
    folder = Path(folder)
    rows = tuple(_rows(folder))
    if not rows:
        raise TableError(
            str(folder),
            "has no photographs in class folders",
            f"{REMEDY}, or give a label table",
        )
    columns = ("image", "grade", "split") if any(row.split for row in rows) else ("image", "grade")
    listing = "".join(f"{row.image}\0{row.grade}\0" for row in rows)
    digest = hashlib.sha256(os.fsencode(listing)).hexdigest()
    return Manifest(folder, columns, rows, digest, folder)


def split_of(name: str) -> str | None:
    """The split of a folder of this name: train, val, test, ``fold1`` …; else ``None``."""
    name = name.lower()
    return name if FOLD.fullmatch(name) else SPLITS.get(name)


def grade_of(name: str) -> int | None:
    """The grade that a folder of this name holds: by number, by words or by both.

    Returns:
        0 to 4; ``None`` if the name is not understood, or its number contradicts its words.
    """
    if name.isdecimal():
        return int(name) if name in GRADES else None
    tokens = TOKEN.findall(name.casefold())
    numbers = [token for token in tokens if token.isdecimal()]
    words = "".join(token for token in tokens if not token.isdecimal())
    if not numbers:
        return WORDS.get(words)
    if len(numbers) > 1 or numbers[0] not in GRADES:
        return None
    grade = int(numbers[0])
    return grade if words in BEFORE_A_NUMBER or WORDS.get(words) == grade else None


def not_read(folder: Path) -> list[Path]:
    """The folders beside class folders named by numbers that hold photographs of no class."""
    return [
        inner
        for parent, _ in _parents(folder)
        for inner in subfolders(parent)
        if _is_foreign(inner, folder) and photographs_in(inner)
    ]


def _rows(folder: Path) -> Iterator[Row]:
    parents = dict(_parents(folder))
    by_words = {split for parent, split in parents.items() if _has_words(parent)}
    for parent, split in parents.items():
        # Classes named by words in one split are expected in the others as well.
        _require_understood(parent, folder, by_words=bool(by_words if split else {""} & by_words))
        for inner in subfolders(parent):
            grade = grade_of(inner.name)
            if grade is not None:
                for photograph in photographs_in(inner):
                    image = photograph.relative_to(folder).as_posix()
                    yield Row(image, grade, split=split)


def _has_words(parent: Path) -> bool:
    """Whether a folder has class folders named by words."""
    names = (inner.name for inner in subfolders(parent))
    return any(name not in GRADES and grade_of(name) is not None for name in names)


def _parents(folder: Path) -> Iterator[tuple[Path, str]]:
    """The folders that may hold class folders, and their splits: the folder itself has none."""
    yield folder, ""
    for inner in subfolders(folder):
        split = split_of(inner.name)
        if split is not None:
            yield inner, split


def _is_foreign(inner: Path, root: Path) -> bool:
    """Whether a folder is neither hidden, nor of a class, nor of a split."""
    of_split = inner.parent == root and split_of(inner.name) is not None
    return not (inner.name.startswith(".") or of_split or grade_of(inner.name) is not None)


def _require_understood(parent: Path, root: Path, *, by_words: bool) -> None:
    """Reject numbers that are not grades, and names of no class beside classes named by words."""
    for inner in subfolders(parent):
        if inner.name.isdecimal() and inner.name not in GRADES:
            raise TableError(str(inner), "is named by a number that is not a grade", REMEDY)
        if by_words and _is_foreign(inner, root) and photographs_in(inner):
            raise TableError(
                str(inner), "has photographs, but its name is not that of a grade", REMEDY
            )


def photographs_in(folder: Path) -> list[Path]:
    """The photographs in a folder and below, sorted; hidden files are skipped.

    Raises:
        TableError: a folder cannot be opened.
    """
    return sorted(
        file
        for file in files_below(folder)
        if file.suffix.lower() in PHOTOGRAPH_SUFFIXES and not file.is_dir()
    )


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted.

    Raises:
        TableError: the folder does not exist, or cannot be opened.
    """
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except FileNotFoundError:
        raise TableError(str(folder), "does not exist", "check the path") from None
    except OSError as error:
        raise TableError(
            str(folder),
            f"cannot be opened ({error.strerror})",
            "check its permissions, or name another",
        ) from None
