"""Photographs that cannot be read today, and those that never can."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope.errors import PhotoError, UsageError
from fundoscope.photo.refusals import PASSING, TOO_LARGE
from fundoscope.quoting import encodable

MORE_MEMORY: Final = "close other programs, or store the photograph at a smaller size"


def lasting(error: PhotoError | MemoryError, path: Path) -> str:
    """Why a photograph is left out of a training, today and in every later run.

    The reason is kept in the cache of pictures, so memory, permissions and disks must not be one.

    Args:
        error: what its reading raised.
        path: of the photograph.

    Raises:
        UsageError: the photograph may be readable another time.
    """
    what = encodable(str(path))
    if isinstance(error, MemoryError):
        raise UsageError(what, TOO_LARGE[0], MORE_MEMORY) from None
    if error.code in PASSING:
        raise UsageError(what, error.why, f"{error.remedy}, then try again") from None
    return error.why
