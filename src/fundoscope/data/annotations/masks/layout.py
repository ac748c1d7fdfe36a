"""Which file is the mask of which class of which photograph: told by folders and names.

One mask a class a photograph, in one of these layouts, told for each file on its own:

- a folder is named by the class (``EX/007.tif``, ``1. Microaneurysms/IDRiD_01_MA.tif``): the file
  is named by the photograph, with or without the class behind it;
- else the class stands behind the photograph's name (``IDRiD_01_MA.png``).

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
from fundoscope.errors import TableError

MASK_SUFFIXES: Final = (".png", ".tif", ".tiff", ".bmp", ".gif")
"""Formats that keep pixels as they are."""
BETWEEN: Final = "_"
"""Stands between the photograph's name and the class."""
TABLE_OF_CLASSES: Final = "mask_classes.txt"
"""States the classes of indexed masks, a line each: a number and a name."""
ENTRY: Final = re.compile(r"(\d+)[\s,;:=]+(\S.*)")
LARGEST_CLASS: Final = 65_535


@dataclass(frozen=True, slots=True)
class MaskFile:
    """One mask.

    Attributes:
        path: the file.
        photo: path of the photograph without suffix, as far as the mask's name tells it.
        kind: of the objects in it; empty for an indexed mask.
    """

    path: Path
    photo: str
    kind: str = ""


def one_a_class(folder: Path, images: Path | None = None) -> list[MaskFile]:
    """The masks in a folder and those below it, one class each; sorted by path.

    A file whose class is unknown counts too when others' are known: its class is what stands
    behind the last "_".

    Raises:
        TableError: there is no mask, or none whose name or folder tells a known class.
    """
    found = [(path, _named(folder, path)) for path in mask_paths(folder, images)]
    if not any(mask for _, mask in found):
        raise TableError(
            str(folder),
            "holds masks, but no name of a file or folder tells their class",
            f"name them IDRiD_01_MA.png, or state the classes in a file {TABLE_OF_CLASSES}",
        )
    return [mask or _of_unknown_class(folder, path) for path, mask in found]


def indexed(folder: Path, images: Path | None = None) -> list[MaskFile]:
    """The masks in a folder and those below it, each with all classes of a photograph.

    Raises:
        TableError: there is none.
    """
    return [MaskFile(path, _stem(folder, path)) for path in mask_paths(folder, images)]


def mask_paths(folder: Path, images: Path | None = None) -> list[Path]:
    """Every picture that can be a mask, sorted; hidden ones are passed over, and photographs.

    Args:
        folder: where to look, also in folders below.
        images: the folder of photographs, which may lie inside.

    Raises:
        TableError: the folder is missing, cannot be read, or has no mask.
    """
    try:
        if not folder.is_dir():
            raise TableError(str(folder), "is no folder", "name the folder of masks")
        found = sorted(_walk(folder, images))
    except OSError as error:
        raise TableError(
            str(folder), f"cannot be read ({error.strerror})", "name one that you may read"
        ) from None
    if not found:
        raise TableError(
            str(folder), "holds no mask", f"give pictures of {', '.join(MASK_SUFFIXES)}"
        )
    return found


def classes_of(text: str, where: str) -> dict[int, str]:
    """The table of classes in the text of a :data:`TABLE_OF_CLASSES`: number to name.

    ``0 background`` may be listed and is left out; ``#`` begins a remark.

    Raises:
        TableError: a line is none, or a number stands twice.
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
                f"{plain!r} is no number of a class and its name, or repeats one",
                'write lines such as "1 microaneurysm"',
            )
        classes[int(match[1])] = match[2]
    classes.pop(0, None)
    return classes


def canonical(name: str) -> str:
    """The key of the kind that a name stands for; an unknown name as it is."""
    kind = kinds.find(name)
    return name if kind is None else kind.key


def _walk(folder: Path, images: Path | None) -> Iterator[Path]:
    photographs = None if images is None or images == folder else images
    for path in folder.rglob("*"):
        passed = any(part.startswith(".") for part in path.relative_to(folder).parts)
        passed = passed or photographs in path.parents
        if not passed and path.suffix.lower() in MASK_SUFFIXES and path.is_file():
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
    """A photograph's name and the class behind it: the longest ending that is one."""
    for place, letter in enumerate(name):
        ending = name[place + 1 :]
        # What `find` overlooks, numbers in front, belongs to the photograph's name here.
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
            str(path), "tells no class by its name", "name it as the photograph, _ and the class"
        )
    return MaskFile(path, stem, kind)


def _stem(folder: Path, path: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()
