"""The structure of a Windows bitmap, in which data sets ship masks."""

from __future__ import annotations

from typing import Final

from fundoscope import limits
from fundoscope.photo.structure.source import Source, refuse

START: Final = b"BM"
COMPRESSION: Final = 30
"""The place of its kind of compression, 4 bytes; 1 and 2 are run lengths."""
RUN_LENGTHS: Final = (1, 2)


def check(source: Source) -> None:
    """Refuse a large run-length encoded bitmap, which Pillow reads byte by byte.

    Raises:
        PhotoError: ``too_complex``.
    """
    compression = int.from_bytes(source.piece(COMPRESSION, 4), "little")
    if compression in RUN_LENGTHS and source.size > limits.MAX_RUN_LENGTH_BYTES:
        most = limits.MAX_RUN_LENGTH_BYTES // 2**20
        refuse(
            source,
            f"is a run-length encoded bitmap of more than {most} MiB",
            "too_large",
            remedy="store the mask as PNG",
        )
