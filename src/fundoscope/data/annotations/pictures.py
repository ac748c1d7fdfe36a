"""The photographs that are annotated: found by name, and their sizes from their headers."""

from __future__ import annotations

import math
import stat
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope import limits
from fundoscope.data.annotations.annotation import AnnotatedPhoto
from fundoscope.data.annotations.names import PhotographNames
from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES
from fundoscope.data.files.walk import files_below
from fundoscope.errors import PhotoError, TableError, UsageError

if TYPE_CHECKING:
    from PIL import Image

EXIF_ORIENTATION: Final = 0x0112
TRANSPOSED: Final = range(5, 9)
"""EXIF orientations that swap width and height."""

FORMAT_BYTES: Final = 1024
"""Bytes at the start of a file that show its format."""

PictureSize = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The photographs in a folder and the folders below it.

    Attributes:
        folder: where they lie.
        index: their paths relative to it, sorted, to be found by name.
    """

    folder: Path
    index: PhotographNames

    @classmethod
    def of(cls, folder: Path) -> Pictures:
        """The photographs in a folder; hidden files and folders are skipped.

        Raises:
            TableError: it is not a folder, or it or a folder below cannot be read.
        """
        try:
            if not folder.is_dir():
                raise TableError(str(folder), "is not a folder", "name the folder of photographs")
            return cls(folder, PhotographNames(sorted(_walk(folder))))
        except OSError as error:
            raise TableError(
                str(folder),
                f"cannot be read ({error.strerror})",
                "check its permissions, or name another",
            ) from None

    @property
    def names(self) -> tuple[str, ...]:
        """The paths of the photographs relative to the folder, sorted, with "/" between parts."""
        return self.index.names

    def find(self, name: str) -> str | None:
        """The photograph called ``name``; see :meth:`PhotographNames.find`."""
        return self.index.find(name)

    def with_stem(self, stem: str) -> str | None:
        """The photograph called ``stem`` and a suffix; see :meth:`PhotographNames.with_stem`."""
        return self.index.with_stem(stem)

    def size(self, name: str) -> PictureSize:
        """Width and height of one of :attr:`names`; see :func:`picture_size`."""
        return picture_size(self.folder / name)


def absent(images: Iterable[str], pictures: Pictures | None) -> tuple[str, ...]:
    """A sentence that counts annotated photographs which are not in the folder of photographs.

    Args:
        images: the names in the annotations.
        pictures: the folder; ``None`` where none was named.
    """
    if pictures is None:
        return ()
    count = sum(pictures.find(image) is None for image in images)
    return (f"{count} annotated photographs are not in {pictures.folder}",) if count else ()


def is_possible_size(width: float, height: float) -> bool:
    """Whether a photograph may have this width and height in pixels, whole or not."""
    sides = 0 < width <= limits.MAX_SIDE and 0 < height <= limits.MAX_SIDE
    return sides and width * height <= limits.MAX_PIXELS


def stated_size(photo: AnnotatedPhoto) -> PictureSize:
    """The size of a photograph as its annotations state it, for a format that needs it.

    Raises:
        UsageError: it is not known, or out of bounds.
    """
    if not is_possible_size(photo.width, photo.height):
        raise UsageError(
            photo.image,
            f"has {photo.width} x {photo.height} pixels as its annotations say",
            "correct its size, or name the folder of photographs",
        )
    return photo.width, photo.height


def picture_size(path: Path) -> PictureSize:
    """Width and height of a photograph in pixels, after EXIF orientation; only its header is read.

    Raises:
        PhotoError: ``unreadable``, ``not_an_image`` or ``too_large``.
    """
    with opened(path) as image:
        width, height = image.size
        # A PNG whose EXIF block comes first has it in `info`; Pillow has turned a TIFF already.
        turned = image.format == "JPEG" or "exif" in image.info
        if turned and image.getexif().get(EXIF_ORIENTATION, 1) in TRANSPOSED:
            return height, width
        return width, height


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture without decoding its pixels; errors inside the block become a ``PhotoError``.

    Raises:
        PhotoError: ``unreadable``, ``not_a_file``, ``not_an_image``, ``unsupported``,
            ``too_complex``, ``truncated`` or ``too_large``.
    """
    from PIL import Image, UnidentifiedImageError

    from fundoscope.photo import formats
    from fundoscope.photo.decode import DECODER_ERRORS
    from fundoscope.photo.structure.check import check
    from fundoscope.photo.structure.source import OnDisk

    _require_regular(path)
    try:
        # Pillow warns at other bounds than ours; the bounds are checked here.
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(OnDisk(path.name, stream), is_photograph=False)
            stream.seek(0)
            with Image.open(stream, formats=formats.MASKS) as image:
                if max(image.size) > limits.MAX_SIDE or math.prod(image.size) > limits.MAX_PIXELS:
                    raise _too_large(path)
                yield image
    except UnidentifiedImageError:
        raise PhotoError(
            path.name, **formats.foreign(_start_of(path), is_whole=False)._asdict()
        ) from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except DECODER_ERRORS as error:
        raise PhotoError(
            path.name, f"cannot be read ({error})", "check the file", code="unreadable"
        ) from None


def _require_regular(path: Path) -> None:
    """Refuse what is not a file, as a pipe, which may never end, and a file that is too large."""
    try:
        status = path.stat()
    except OSError as error:
        raise PhotoError(
            path.name, f"cannot be read ({error})", "check the file", code="unreadable"
        ) from None
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(path.name, "is not a regular file", "name a file", code="not_a_file")
    if status.st_size > limits.MAX_FILE_BYTES:
        raise PhotoError(
            path.name,
            f"has more than {limits.MAX_FILE_BYTES // 2**20} MiB",
            "store it smaller",
            code="too_large",
        )


def _start_of(path: Path) -> bytes:
    """The first bytes of a file, enough to tell its format."""
    with path.open("rb") as stream:
        return stream.read(FORMAT_BYTES)


def _too_large(path: Path) -> PhotoError:
    return PhotoError(
        path.name,
        f"has more than {limits.MAX_PIXELS // 10**6} million pixels or {limits.MAX_SIDE} on a side",
        "store it smaller",
        code="too_large",
    )


def _walk(folder: Path) -> Iterator[str]:
    for file in files_below(folder):
        if file.suffix.lower() in PHOTOGRAPH_SUFFIXES and file.is_file():
            yield file.relative_to(folder).as_posix()
