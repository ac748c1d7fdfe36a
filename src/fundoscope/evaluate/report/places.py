"""Where the photographs of an evaluation are, whether its results name their paths or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fundoscope.data.manifest import Row
from fundoscope.evaluate.photographs import file_name

MOST_FILES: Final = 1_000_000
"""Files below a folder that are looked at; a larger one was hardly meant."""


def find(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Find the file of each row's photograph.

    Results name photographs by bare file names, unless ``--paths`` was given. So a name that does
    not exist in the folder itself is looked for below it. Of several files of that name, the one in
    a folder with the name of the row's source is taken, if there is one.

    Args:
        rows: of ``predictions.csv``.
        folder: that holds the photographs, or that their paths are relative to.

    Returns:
        A path for each row; one that does not exist where the photograph is missing, where several
        files have its name, or where rows of several sources would take the same file.
    """
    found = [folder / row.image for row in rows]
    if all(path.is_file() for path in found):
        return found
    below: dict[str, list[Path]] = {}
    for count, path in enumerate(folder.rglob("*")):
        if count >= MOST_FILES:
            break
        below.setdefault(path.name, []).append(path)
    chosen = [
        path if path.is_file() else _only(row, below.get(file_name(row.image), []), path)
        for row, path in zip(rows, found, strict=True)
    ]
    sources: dict[Path, set[str]] = {}
    for row, path in zip(rows, chosen, strict=True):
        sources.setdefault(path, set()).add(row.source)
    return [
        path if len(sources[path]) == 1 else otherwise
        for path, otherwise in zip(chosen, found, strict=True)
    ]


def _only(row: Row, candidates: Sequence[Path], otherwise: Path) -> Path:
    """The only candidate, or the only one in a folder with the name of the source."""
    own = [path for path in candidates if path.parent.name == row.source]
    chosen = list(candidates) if len(candidates) == 1 else own
    return chosen[0] if len(chosen) == 1 else otherwise
