"""The photograph and class of each mask, recognised by the names of folders and files.

There is one mask a class a photograph, in one of these layouts, decided for each file separately:

- a folder is named after the class (``EX/007.tif``, ``1. Microaneurysms/IDRiD_01_MA.tif``), and the
  file after the photograph, with or without the class at its end;
- else the class follows the name of the photograph (``IDRiD_01_MA.png``).

Class names are those of :func:`fundoscope.kinds.find`. Layouts from IDRiD's, DDR's and e-ophtha's
documentation; checked on masks named as IDRiD's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from fundoscope import kinds
from fundoscope.data.files.walk import files_below
from fundoscope.errors import TableError
from fundoscope.quoting import quoted

MASK_SUFFIXES: Final = (".png", ".tif", ".tiff", ".bmp", ".gif")
"""Formats without loss."""
BETWEEN: Final = "_"
"""Between the name of the photograph and the class."""
TABLE_OF_CLASSES: Final = "mask_classes.txt"
"""File with the classes of indexed masks, one a line: a number and a name."""
ENTRY: Final = re.compile(r"(\d+)[\s,;:=]+(\S.*)")
LARGEST_CLASS: Final = 65_535


@dataclass(frozen=True, slots=True)
class MaskFile:
    """One mask.

    Attributes:
        path: the file.
        photo: path of the photograph without suffix, as far as the name of the mask states it.
        kind: of the objects in it; empty for an indexed mask.
    """

    path: Path
    photo: str
    kind: str = ""


def one_a_class(folder: Path, images: Path | None = None) -> list[MaskFile]:
    """The masks in a folder and those below it, one class each; sorted by path.

    A file of an unknown class counts too if others have a known one: its class is what follows the
    last "_".

    Args:
        folder: where to look.
        images: the folder of photographs, which may lie inside.

    Raises:
        TableError: there is no mask, or none whose name or folder has a known class.
    """
    masks = [(path, _named(folder, path)) for path in mask_paths(folder, images)]
    if not any(mask for _, mask in masks):
        raise TableError(
            str(folder),
            "holds masks, but no name of a file or folder has their class",
            f"name them IDRiD_01_MA.png, or state the classes in a file {TABLE_OF_CLASSES}",
        )
    return [mask or _of_unknown_class(folder, path) for path, mask in masks]


def indexed(folder: Path, images: Path | None = None) -> list[MaskFile]:
    """The masks in a folder and those below it, each with all classes of a photograph.

    Args:
        folder: where to look.
        images: the folder of photographs, which may lie inside.

    Raises:
        TableError: there is no mask.
    """
    return [MaskFile(path, _stem(folder, path)) for path in mask_paths(folder, images)]


def mask_paths(folder: Path, images: Path | None = None) -> list[Path]:
    """Every picture that can be a mask, sorted; hidden files and photographs are skipped.

    Args:
        folder: where to look, also in folders below.
        images: the folder of photographs, which may lie inside.

    Raises:
        TableError: the folder is missing, cannot be read, or has no mask.
    """
    try:
        if not folder.is_dir():
            raise TableError(str(folder), "is not a folder", "name the folder of masks")
        paths = sorted(_walk(folder, images))
    except OSError as error:
        raise TableError(
            str(folder),
            f"cannot be read ({error.strerror})",
            "check its permissions, or name another",
        ) from None
    if not paths:
        raise TableError(
            str(folder), "holds no mask", f"give pictures of {', '.join(MASK_SUFFIXES)}"
        )
    return paths


def classes_of(text: str, where: str) -> dict[int, str]:
    """The classes in the text of a :data:`TABLE_OF_CLASSES`: number to name.

    ``0 background`` may be listed and is left out; ``#`` begins a comment.

    Args:
        text: of the file.
        where: the file, for errors.

    Raises:
        TableError: a line is not a number and a name, or a number is repeated.
    """
    classes: dict[int, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        plain = line.partition("#")[0].strip()
        if not plain:
            continue
        match = ENTRY.fullmatch(plain)
        if match is None or int(match[1]) > LARGEST_CLASS or int(match[1]) in classes:
            raise TableError(
                f"{where}, line {number}",
                f"{quoted(plain)} is not a class number and a name, or its number was used before",
                'write lines such as "1 microaneurysm"',
            )
        classes[int(match[1])] = match[2]
    classes.pop(0, None)
    return classes


def _walk(folder: Path, images: Path | None) -> Iterator[Path]:
    photographs = None if images is None or images == folder else images
    for path in files_below(folder):
        if (
            photographs not in path.parents
            and path.suffix.lower() in MASK_SUFFIXES
            and path.is_file()
        ):
            yield path


def _named(folder: Path, path: Path) -> MaskFile | None:
    inner = PurePosixPath(_stem(folder, path))
    for part in reversed(inner.parts[:-1]):
        kind = kinds.find(part)
        if kind is not None:
            parts = [other for other in inner.parts[:-1] if other != part]
            return MaskFile(path, "/".join((*parts, _without(inner.name, kind.key))), kind.key)
    name, kind = _split(inner.name)
    if kind is not None:
        return MaskFile(path, inner.with_name(name).as_posix(), kind.key)
    kind = kinds.find(folder.resolve().name)
    return None if kind is None else MaskFile(path, inner.as_posix(), kind.key)


def _split(name: str) -> tuple[str, kinds.Kind | None]:
    """The name of a photograph and the class after it: the longest ending that is a class."""
    for place, letter in enumerate(name):
        ending = name[place + 1 :]
        # `find` ignores numbers in front; here they belong to the name of the photograph.
        if letter == BETWEEN and place > 0 and ending[:1].isalpha():
            kind = kinds.find(ending)
            if kind is not None:
                return name[:place], kind
    return name, None


def _without(name: str, key: str) -> str:
    stem, kind = _split(name)
    return stem if kind is not None and kind.key == key else name


def _of_unknown_class(folder: Path, path: Path) -> MaskFile:
    stem, _, kind = _stem(folder, path).rpartition(BETWEEN)
    if not stem or "/" in kind or not kind:
        raise TableError(
            str(path), "has no class in its name", "name it as the photograph, _ and the class"
        )
    return MaskFile(path, stem, kind)


def _stem(folder: Path, path: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()
