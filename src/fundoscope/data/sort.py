"""A label table as class folders, ``train/0`` … ``test/4``: by copies, hard or symbolic links.

Nothing is deleted, and nothing is replaced unless asked.
:func:`fundoscope.data.class_folders.from_class_folders` reads the folders again; ``labels.csv``
holds what folders cannot (patients, free columns).
"""

from __future__ import annotations

import itertools
import os
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from fundoscope.data import manifest as manifests
from fundoscope.data.class_folders import split_of
from fundoscope.data.manifest import EXCLUDED, GRADES, Manifest, Row
from fundoscope.errors import OutputError, UsageError
from fundoscope.quoting import quoted
from fundoscope.writing import explained, refuse_existing, replacing

LABELS: Final = "labels.csv"
COPY, HARD, SYMBOLIC = "copy", "hard", "symbolic"

Put = Callable[[Path, Path], object]
"""Puts a photograph (first) at a free path (second)."""

WAYS: Final[Mapping[str, Put]] = {
    COPY: shutil.copy2,
    HARD: os.link,
    SYMBOLIC: os.symlink,
}
UNMADE: Final = "cannot be created"
REMEDIES: Final = {
    COPY: "free some space, or try --link",
    HARD: "hard links need the photographs' own disk: try --link symbolic, or leave out --link",
    SYMBOLIC: "the disk or your rights may not allow links: leave out --link",
}
"""What to do if a way fails."""


def sort(manifest: Manifest, out: Path, *, way: str = COPY, overwrite: bool = False) -> Manifest:
    """Put the photographs of a label table into class folders.

    Rows of the split ``excluded`` are left out. Photographs with the same name in one folder get
    the names of their original folders in front, else a number. If something fails, the new files
    are removed.

    Args:
        manifest: the table.
        out: the folder in which ``0`` … ``4`` or ``train`` … are created; it may exist.
        way: ``copy``, ``hard`` (link) or ``symbolic`` (link).
        overwrite: replace existing files.

    Returns:
        The table of the sorted photographs, as it was written to ``labels.csv``.

    Raises:
        UsageError: there is no row to sort, or a split cannot be a folder.
        TableError: a photograph is missing.
        OutputError: a file exists, or cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(str(out), "is a file", "name a folder")
    rows = tuple(row for row in manifest.rows if row.split != EXCLUDED)
    if not rows:
        raise UsageError(manifest.path.name, "has no rows to sort", "name another table")
    replace(manifest, rows=rows).require_files()
    moved = tuple(
        msgspec.structs.replace(row, image=place)
        for row, place in zip(rows, _places(rows), strict=True)
    )
    wanted = {
        out / sorted_row.image: manifest.photograph(row).absolute()
        for row, sorted_row in zip(rows, moved, strict=True)
    }
    labels = out / LABELS
    _require_free((labels, *wanted), wanted, overwrite=overwrite)
    sorted_table = replace(manifest, path=labels, rows=moved, folder=out)
    done: list[Path] = []
    try:
        _put_all(wanted, way, done)
        manifests.write(sorted_table, labels, overwrite=overwrite)
    except BaseException:
        for target in done:
            with suppress(OSError):
                target.unlink()
        raise
    return sorted_table


def _places(rows: Sequence[Row]) -> list[str]:
    """The path of each photograph below the folder; all differ, even where case does not count."""
    folders = [f"{_folder(row.split)}{row.grade}/" for row in rows]
    names = [PurePosixPath(row.image.replace("\\", "/")) for row in rows]
    often = Counter(_alike(folder + name.name) for folder, name in zip(folders, names, strict=True))
    taken: set[str] = set()
    places = []
    for folder, name in zip(folders, names, strict=True):
        alone = often[_alike(folder + name.name)] == 1
        place = folder + (name.name if alone else _with_folders(name))
        for number in itertools.count(2):
            if _alike(place) not in taken:
                break
            place = f"{folder}{_with_folders(name.with_stem(f'{name.stem}_{number}'))}"
        taken.add(_alike(place))
        places.append(place)
    return places


def _folder(split: str) -> str:
    if not split:
        return ""
    if split_of(split) is None or split in GRADES:
        raise UsageError(
            f"split {quoted(split, 40)}",
            "cannot be read again as a class folder",
            "name the splits train, val and test, or fold1, fold2, …",
        )
    return f"{split}/"


def _with_folders(name: PurePosixPath) -> str:
    return "_".join(part for part in name.parts if part not in ("..", "/") and ":" not in part)


def _alike(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _require_free(targets: Sequence[Path], wanted: Mapping[Path, Path], *, overwrite: bool) -> None:
    """Reject existing files unless asked to replace them; never replace another photograph."""
    photographs = {_identity(photograph) for photograph in wanted.values()}
    for target in targets:
        if _is_photograph(target, wanted.get(target)):
            continue
        refuse_existing(target, overwrite=overwrite)
        if target.exists() and _identity(target) in photographs:
            raise OutputError(
                str(target), "is another photograph of the table", "name another folder"
            )


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_photograph(target: Path, photograph: Path | None) -> bool:
    """Whether a path is the photograph already: linked earlier, or not moved."""
    return photograph is not None and target.exists() and target.samefile(photograph)


def _put_all(wanted: Mapping[Path, Path], way: str, done: list[Path]) -> None:
    """Put every photograph that is missing; new files are added to ``done``."""
    for target, photograph in wanted.items():
        if not _is_photograph(target, photograph):
            existed = os.path.lexists(target)
            _put(target, photograph, way)
            if not existed:
                done.append(target)


def _put(target: Path, photograph: Path, way: str) -> None:
    with explained(target, UNMADE, REMEDIES[COPY]):
        target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target, why=UNMADE, remedy=REMEDIES[way]) as part:
        WAYS[way](photograph, part)
