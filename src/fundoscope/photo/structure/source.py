"""Where the bytes of a picture come from: memory, or an open file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO, Final, NoReturn, Protocol

from fundoscope import limits
from fundoscope.errors import PhotoError

TOO_COMPLEX: Final = "too_complex"
TOO_LARGE: Final = "too_large"
TRUNCATED: Final = "truncated"

STORE_AGAIN: Final = "open it in an image program and store it again as JPEG or PNG"
COPY_AGAIN: Final = "copy it again from the camera"


class Source(Protocol):
    """The bytes of a file.

    Attributes:
        title: the name of the file, for errors.
        size: bytes in all.
    """

    @property
    def title(self) -> str:
        """The name of the file."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def piece(self, start: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``start`` on; fewer at the end of the file."""

    def whole(self) -> bytes:
        """All bytes."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """A file that was read already."""

    title: str
    data: bytes

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.data)

    def piece(self, start: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``start`` on."""
        return self.data[start : start + length]

    def whole(self) -> bytes:
        """All bytes."""
        return self.data


@dataclass(frozen=True, slots=True)
class OnDisk:
    """An open file, of which only pieces are needed."""

    title: str
    stream: BinaryIO

    @property
    def size(self) -> int:
        """Bytes in all."""
        return os.fstat(self.stream.fileno()).st_size

    def piece(self, start: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``start`` on."""
        self.stream.seek(start)
        return self.stream.read(length)

    def whole(self) -> bytes:
        """All bytes."""
        return self.piece(0, self.size)


def beyond_bounds(width: int, height: int) -> bool:
    """Whether a picture is too large to be read, which the caller of these checks reports."""
    return max(width, height) > limits.MAX_SIDE or width * height > limits.MAX_PIXELS


def refuse(
    source: Source, why: str, code: str = TOO_COMPLEX, *, remedy: str = STORE_AGAIN
) -> NoReturn:
    """Refuse a file.

    Raises:
        PhotoError: always.
    """
    raise PhotoError(source.title, why, remedy, code=code)


def damaged(source: Source, detail: str) -> NoReturn:
    """Refuse a file whose structure is damaged.

    Raises:
        PhotoError: always.
    """
    refuse(source, f"is damaged or incomplete ({detail})", TRUNCATED, remedy=COPY_AGAIN)
