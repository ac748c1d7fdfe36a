"""The photographs to check: the rows of a label table, or a folder without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fundoscope.data.class_folders import (
    PHOTOGRAPH_SUFFIXES,
    from_class_folders,
    grade_of,
    photographs_in,
    split_of,
    subfolders,
)
from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import TableError


@dataclass(frozen=True, slots=True)
class CheckedPhotograph:
    """A photograph to check.

    Attributes:
        image: its name: the cell of the table, or the path below the folder.
        path: of its file, which may not exist.
        row: its labels; ``None`` in a folder without labels.
    """

    image: str
    path: Path
    row: Row | None = None


def of_rows(manifest: Manifest, rows: Sequence[Row]) -> tuple[CheckedPhotograph, ...]:
    """The photographs of rows of a label table."""
    return tuple(CheckedPhotograph(row.image, manifest.photograph(row), row) for row in rows)


def of_folder(folder: Path) -> tuple[CheckedPhotograph, ...]:
    """The photographs in a folder and below, without labels; hidden files are skipped.

    Raises:
        TableError: there is none.
    """
    files = photographs_in(folder)
    if not files:
        raise TableError(
            str(folder),
            f"holds no photograph ({' '.join(PHOTOGRAPH_SUFFIXES)})",
            "name a folder with photographs, or a label table",
        )
    return tuple(CheckedPhotograph(file.relative_to(folder).as_posix(), file) for file in files)


def labelled(folder: Path) -> Manifest | None:
    """The label table of the class folders in a folder; ``None`` where it has none.

    Raises:
        TableError: they are not valid; see :func:`from_class_folders`.
    """
    inside = subfolders(folder)
    of_splits = [entry for entry in inside if split_of(entry.name) is not None]
    inside += [inner for entry in of_splits for inner in subfolders(entry)]
    named = [entry.name for entry in inside if entry not in of_splits]
    by_numbers = any(name.isdecimal() for name in named)
    # Words may also be those of other diseases: they count if all of them are of grades.
    by_words = bool(named) and all(grade_of(name) is not None for name in named)
    return from_class_folders(folder) if by_numbers or by_words else None
