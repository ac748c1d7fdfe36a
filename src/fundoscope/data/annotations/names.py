"""Names of photographs and classes as annotations give them, matched with those that are known."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import PurePosixPath
from typing import Final, TypeVar

from fundoscope import kinds, limits
from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES
from fundoscope.errors import TableError
from fundoscope.quoting import quoted

CONTROL_CHARACTERS: Final = frozenset(map(chr, range(32)))
"""No file name should have them, and some systems reject them."""
DRIVE: Final = re.compile(r"[A-Za-z]:")
SUFFIXES: Final = (*PHOTOGRAPH_SUFFIXES, *(suffix.upper() for suffix in PHOTOGRAPH_SUFFIXES))
LISTED_SUFFIXES: Final = (*PHOTOGRAPH_SUFFIXES, ".xml")
"""Suffixes that a list of names may leave out: of photographs, and of their VOC documents."""

T = TypeVar("T")


class _Paths:
    """Finds a path by its end, written in one way."""

    def __init__(self, names: Iterable[str], written: Callable[[str], str]) -> None:
        self._written = written
        self._by_path: dict[str, list[str]] = {}
        self._by_file: dict[str, list[str]] = {}
        for name in names:
            self._by_path.setdefault(written(name), []).append(name)
        for path in self._by_path:
            self._by_file.setdefault(PurePosixPath(path).name, []).append(path)

    def whole(self, path: str) -> str | None:
        """The path that is ``path``; ``None`` where there is not exactly one."""
        return _only(self._by_path.get(self._written(path), []))

    def below(self, path: str) -> str | None:
        """The path that ends with ``path``, below a folder; ``None`` where there is not one."""
        written = PurePosixPath(self._written(path))
        ending = "/" + "/".join(written.parts)
        longer = (each for each in self._by_file.get(written.name, ()) if each.endswith(ending))
        return _only([name for each in longer for name in self._by_path[each]])


class PhotographNames:
    """Finds a photograph by the name that a file or a person gives it.

    Composed and decomposed letters (é) count as equal, and so do capitals and small letters where
    only one photograph has the name, because Windows does not tell them apart. A path with too many
    folders in front (``photos/a.jpg`` in the folder ``photos``) is shortened from the front. One
    with too few (``a.jpg`` for ``train/a.jpg``) matches if it is the end of one photograph's path
    only.

    Attributes:
        names: the paths of the photographs, with "/" between the parts.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Index names.

        Args:
            names: the paths of the photographs, with "/" between the parts.
        """
        self.names = tuple(names)
        self._by_path = {_composed(name): name for name in self.names}
        self._as_written = _Paths(self.names, _composed)
        self._in_any_case = _Paths(self.names, _folded)
        self._by_ending: dict[str, list[str]] = {}
        for path, name in self._by_path.items():
            for ending in _endings(_without_listed_suffix(path)):
                self._by_ending.setdefault(ending, []).append(name)

    def find(self, name: str) -> str | None:
        """The photograph called ``name``; ``None`` where there is not exactly one."""
        return _found(name, (self._as_written, self._in_any_case))

    def with_stem(self, stem: str) -> str | None:
        """The photograph called ``stem`` and a suffix; ``None`` where there is not exactly one."""
        for ways in ((self._as_written,), (self._as_written, self._in_any_case)):
            matches = {_found(stem + suffix, ways) for suffix in SUFFIXES} - {None}
            if matches:
                return _only([*matches])
        return None

    def candidates(self, name: str) -> tuple[str, ...]:
        r"""The photographs that a person may mean by ``name``, as lists of names are written.

        The suffix may be left out, and ``\`` may stand between the parts. The longest end of the
        name that matches decides.

        Returns:
            One photograph where the name is clear, none where it is unknown, else several.
        """
        exact = self._by_path.get(_composed(name))
        if exact is not None:
            return (exact,)
        plain = _without_listed_suffix(_composed(name.replace("\\", "/")))
        for ending in _endings(plain):
            matches = self._by_ending.get(ending, [])
            whole = [each for each in matches if _without_listed_suffix(_composed(each)) == ending]
            if matches:
                return tuple(whole) if len(whole) == 1 else tuple(matches)
        return ()


def _found(name: str, ways: Sequence[_Paths]) -> str | None:
    """The path called ``name``, by its longest end that is a path; else as the end of a path."""
    whole = (paths.whole(ending) for ending in _endings(_composed(name)) for paths in ways)
    below = (paths.below(name) for paths in ways)
    return next((found for found in chain(whole, below) if found is not None), None)


def _only(names: Sequence[T]) -> T | None:
    return names[0] if len(names) == 1 else None


def image_name(text: str, where: str) -> str:
    r"""The name of a photograph in annotations, as a path below the folder of photographs.

    ``\`` becomes ``/``. A path that begins at a root or a drive, or that climbs (``..``), says
    nothing about the folder here: only its file name is kept.

    Args:
        text: the name in the file.
        where: the place that an error names.

    Raises:
        TableError: nothing is left of the name, it is too long for a file system, or it has control
            characters.
    """
    path = PurePosixPath(text.replace("\\", "/"))
    rooted = path.is_absolute() or ".." in path.parts or DRIVE.match(text) is not None
    name = path.name if rooted else path.as_posix()
    if any(len(part.encode(errors="replace")) > limits.MAX_NAME_CHARACTERS for part in path.parts):
        raise TableError(where, f"{quoted(text)} is longer than a file name", "shorten it")
    if name in ("", ".", "..") or CONTROL_CHARACTERS & set(name):
        raise TableError(where, f"{quoted(text)} is not a name of a photograph", "name the file")
    return name


def without_suffix(name: str) -> str:
    """A path without its suffix, with "/" between the parts."""
    return PurePosixPath(name).with_suffix("").as_posix()


def kind_key(name: str) -> str:
    """The key of the kind that a name stands for; an unknown name as it is."""
    kind = kinds.find(name)
    return name if kind is None else kind.key


def _without_listed_suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return without_suffix(name) if suffix in LISTED_SUFFIXES else PurePosixPath(name).as_posix()


def _endings(path: str) -> list[str]:
    """``a/b/c``, ``b/c`` and ``c``."""
    parts = PurePosixPath(path).parts
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _composed(_composed(name).casefold())
