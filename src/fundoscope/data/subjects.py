"""What is to be checked: photographs with the rows that label them, or a folder of them without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES, SPLITS, from_class_folders
from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import TableError


@dataclass(frozen=True, slots=True)
class Subject:
    """A photograph to check.

    Attributes:
        image: how it is named: the cell of the table, or the path below the folder.
        path: where its file should be.
        row: its labels; ``None`` for a folder of photographs without.
    """

    image: str
    path: Path
    row: Row | None = None


def of_rows(manifest: Manifest, rows: Sequence[Row]) -> tuple[Subject, ...]:
    """Rows of a label table."""
    return tuple(Subject(row.image, manifest.photograph(row), row) for row in rows)


def of_folder(folder: Path) -> tuple[Subject, ...]:
    """The photographs of a folder, with all below, without labels; hidden files are passed over.

    Raises:
        TableError: there is none.
    """
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in PHOTOGRAPH_SUFFIXES
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and not file.is_dir()
    )
    if not files:
        raise TableError(
            str(folder),
            f"holds no photograph ({' '.join(PHOTOGRAPH_SUFFIXES)})",
            "name a folder with photographs, or a label table",
        )
    return tuple(Subject(file.relative_to(folder).as_posix(), file) for file in files)


def labelled(folder: Path) -> Manifest | None:
    """The label table that a folder's class folders stand for; ``None`` where it has none.

    Raises:
        TableError: it has, but they are wrong; see :func:`from_class_folders`.
    """
    inside = [entry for entry in folder.iterdir() if entry.is_dir()]
    of_splits = [entry for entry in inside if entry.name.lower() in SPLITS]
    inside += [inner for entry in of_splits for inner in entry.iterdir() if inner.is_dir()]
    return from_class_folders(folder) if any(one.name.isdecimal() for one in inside) else None
