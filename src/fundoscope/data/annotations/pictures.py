"""The photographs that annotations speak of: found by name, and their sizes from their headers."""

from __future__ import annotations

import math
import unicodedata
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from fundoscope import limits
from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES
from fundoscope.errors import PhotoError, TableError

if TYPE_CHECKING:
    from PIL import Image

EXIF_ORIENTATION: Final = 0x0112
TRANSPOSED: Final = range(5, 9)
"""EXIF orientations that swap width and height."""
_SUFFIXES: Final = (*PHOTOGRAPH_SUFFIXES, *(suffix.upper() for suffix in PHOTOGRAPH_SUFFIXES))


@dataclass(frozen=True, slots=True)
class Pictures:
    """The photographs in a folder and the folders below it.

    Attributes:
        folder: where they lie.
        names: their paths relative to it, with "/" between the parts, sorted.
    """

    folder: Path
    names: tuple[str, ...]
    _by_path: Mapping[str, str]
    _by_file: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, folder: Path) -> Pictures:
        """What lies in a folder; hidden files and folders are passed over.

        Raises:
            TableError: it is no folder, or may not be read.
        """
        try:
            if not folder.is_dir():
                raise TableError(str(folder), "is no folder", "name the folder of photographs")
            names = tuple(sorted(_walk(folder)))
        except OSError as error:
            raise TableError(
                str(folder), f"cannot be read ({error.strerror})", "name one that you may read"
            ) from None
        by_path = {_composed(name): name for name in names}
        by_file: dict[str, tuple[str, ...]] = {}
        for key in by_path:
            file = PurePosixPath(key).name
            by_file[file] = (*by_file.get(file, ()), key)
        return cls(folder, names, by_path, by_file)

    def find(self, name: str) -> str | None:
        """The photograph that a file calls ``name``; ``None`` when there is none, or no single one.

        A path that is longer than it should be (``photos/a.jpg`` in the folder ``photos``) is
        shortened from the front; where the front is missing (``a.jpg`` for ``train/a.jpg``) it must
        be the only such photograph. Composed and decomposed letters (é) count as equal.
        """
        parts = PurePosixPath(_composed(name)).parts
        for start in range(len(parts)):
            known = self._by_path.get("/".join(parts[start:]))
            if known is not None:
                return known
        ending = "/" + "/".join(parts)
        below = [key for key in self._by_file.get(parts[-1], ()) if key.endswith(ending)]
        return self._by_path[below[0]] if len(below) == 1 else None

    def with_stem(self, stem: str) -> str | None:
        """The photograph whose path without its suffix is ``stem`` (or ends so); the only one."""
        found = {self.find(stem + suffix) for suffix in _SUFFIXES} - {None}
        return found.pop() if len(found) == 1 else None

    def size(self, name: str) -> tuple[int, int]:
        """Width and height of one of :attr:`names`; see :func:`picture_size`."""
        return picture_size(self.folder / name)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a photograph in pixels, after its EXIF orientation; its header alone.

    Raises:
        PhotoError: ``unreadable``, ``not_an_image`` or ``too_large``.
    """
    with opened(path) as image:
        width, height = image.size
        # A PNG has its EXIF block in `info` (where it stands in front); TIFF is turned by now.
        turned = image.format == "JPEG" or "exif" in image.info
        if turned and image.getexif().get(EXIF_ORIENTATION, 1) in TRANSPOSED:
            return height, width
        return width, height


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture's header, its pixels not decoded yet; what fails inside the block is a refusal.

    Raises:
        PhotoError: ``unreadable``, ``not_an_image`` or ``too_large``.
    """
    from PIL import Image, UnidentifiedImageError

    from fundoscope.photo.decode import DECODER_ERRORS

    try:
        # Pillow's bounds on pixels are not ours: what it warns of is decided here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                if max(image.size) > limits.MAX_SIDE or math.prod(image.size) > limits.MAX_PIXELS:
                    raise _too_large(path)
                yield image
    except UnidentifiedImageError:
        raise PhotoError(
            path.name, "is not an image", "give a JPEG, PNG or TIFF file", code="not_an_image"
        ) from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except DECODER_ERRORS as error:
        raise PhotoError(
            path.name, f"cannot be read ({error})", "check the file", code="unreadable"
        ) from None


def _too_large(path: Path) -> PhotoError:
    return PhotoError(
        path.name,
        f"has more than {limits.MAX_PIXELS // 10**6} million pixels or {limits.MAX_SIDE} on a side",
        "store it smaller",
        code="too_large",
    )


def _walk(folder: Path) -> Iterator[str]:
    for file in folder.rglob("*"):
        relative = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not hidden and file.suffix.lower() in PHOTOGRAPH_SUFFIXES and file.is_file():
            yield relative.as_posix()


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
