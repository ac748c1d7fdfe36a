"""What a photograph can be given as: a path, bytes, an open file, an array or a PIL picture."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope import limits
from fundoscope.errors import PhotoError
from fundoscope.photo import decode, deep
from fundoscope.photo.decode import Photo, Pixels
from fundoscope.photo.refusals import OUT_OF_MEMORY, TOO_LARGE
from fundoscope.quoting import encodable, shown

if TYPE_CHECKING:
    from PIL import Image

    Source = (
        str
        | os.PathLike[str]
        | bytes
        | bytearray
        | memoryview
        | BinaryIO
        | NDArray[np.uint8]
        | Image.Image
    )

TAKEN: Final = (
    "a path, the bytes of a file, a file opened in binary mode, an array uint8 (height, width, 3)"
    " RGB, or a PIL picture"
)
"""The kinds of :data:`Source` in words."""
ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
"""How the address of something on a network begins."""
PHOTOGRAPH_AXES: Final = (2, 3)
"""Axes of the array of one photograph, grey or in colour. One of paths has fewer."""
PLAIN_MODES: Final = ("RGB", "RGBA", "L", "LA", "P", "PA", "1", "YCbCr")
"""Modes of PIL pictures that have 8 bits a channel or fewer, and convert to RGB without loss."""


@dataclass(frozen=True, slots=True)
class File:
    """The file of a photograph in memory.

    Attributes:
        name: its bare name; ``None`` if it is not known.
        data: its bytes.
    """

    name: str | None
    data: bytes


def content(source: Any) -> File | Pixels:
    """Read a photograph's file, or take its pixels. It can then be decoded more than once.

    Args:
        source: a path, bytes, a file opened in binary mode, an array or a PIL picture.

    Raises:
        TypeError: it is something else.
        PhotoError: the file cannot be read.
    """
    if isinstance(source, File):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return File(None, bytes(source))
    if isinstance(source, str) and ADDRESS.match(source):
        why, remedy = "is an address, not a file", "download the photograph, and give its bytes"
        raise PhotoError(shown(source), why, remedy, code="not_found")
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return File(decode.name_of(path), decode.read_bytes(path))
    if isinstance(source, np.ndarray):
        return source
    if _is_picture(source):
        return _pixels_of(source)
    if isinstance(source, list | tuple | set | frozenset):
        raise TypeError(
            f"this is a {type(source).__name__}, not a photograph: give one photograph after the"
            " other, or all of them to Reader.read_many"
        )
    if hasattr(source, "read"):
        try:
            data = source.read(limits.MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: it is closed
            raise _unreadable("the open file", error) from None
        if data == b"":
            why, remedy = "has nothing left to read", "open it anew, or go back by seek(0)"
            raise PhotoError("the open file", why, remedy, code="empty")
        if isinstance(data, bytes):
            return File(None, data)
        raise TypeError("this file is open in text mode: open it with mode 'rb'")
    raise TypeError(f"a photograph is {TAKEN}, not {type(source).__name__}")


def taken(source: Any) -> Any:
    """Take what may change before it is read: an open file, a picture, an array.

    Args:
        source: as for :func:`content`.

    Returns:
        A path as it is, a copy of an array, else what :func:`content` returns; or the error that
        reading it raised, so that it can be raised in its turn.
    """
    if isinstance(source, str | os.PathLike):
        return source
    try:
        held = content(source)
        return held.copy() if held is source and isinstance(held, np.ndarray) else held
    except Exception as error:  # noqa: BLE001  # Raised again in its turn.
        return error


def is_one(given: object) -> bool:
    """Whether something is one photograph, not many: a path, bytes, a file, a picture, an array."""
    if isinstance(given, np.ndarray):
        return given.ndim in PHOTOGRAPH_AXES
    one = isinstance(given, str | bytes | bytearray | memoryview | os.PathLike | File)
    return one or _is_picture(given) or hasattr(given, "read")


def photo(given: File | Pixels, *, min_side: int | None = None) -> Photo:
    """Decode what :func:`content` returned.

    Args:
        given: from :func:`content`.
        min_side: see :func:`fundoscope.photo.decode.decode`.

    Raises:
        PhotoError: it cannot be decoded.
    """
    if isinstance(given, File):
        return decode.decode(given.data, name=given.name, min_side=min_side)
    return decode.from_array(given, min_side=min_side)


def _is_picture(source: object) -> bool:
    from PIL import Image

    return isinstance(source, Image.Image)


def _pixels_of(picture: Image.Image) -> Pixels:
    """The pixels of a PIL picture, turned upright by its EXIF orientation.

    Raises:
        PhotoError: it has print colours, more than 8 bits a channel (of one that is loaded
            already, PIL tells this only for grey), or too many pixels.
    """
    from PIL import ImageOps

    decode.check_size(*picture.size, "picture")
    # Pillow would keep the upper bytes alone, which are nearly black where 12 of 16 bits are used.
    deep_colour = deep.is_deep(picture) and picture.mode in PLAIN_MODES
    if picture.mode not in PLAIN_MODES or deep_colour:
        raise PhotoError(
            "picture",
            "has 16 bits a channel" if deep_colour else f"has pixels of mode {picture.mode}",
            "give the path of its file, or convert it to 8-bit RGB",
            code="unsupported_mode",
        )
    try:
        return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except decode.DECODER_ERRORS as error:  # a picture that PIL has opened and not read yet
        raise _unreadable("the picture", error) from None


def too_large_for_memory(source: Any) -> PhotoError:
    """The error for a photograph that did not fit into memory.

    Args:
        source: as for :func:`content`.
    """
    what = Path(source).name if isinstance(source, str | os.PathLike) else "the photograph"
    return PhotoError(encodable(what), *TOO_LARGE, code=OUT_OF_MEMORY)


def _unreadable(what: str, error: Exception) -> PhotoError:
    why = f"cannot be read ({str(error) or type(error).__name__})"
    return PhotoError(what, why, "check the file that it comes from", code="unreadable")
