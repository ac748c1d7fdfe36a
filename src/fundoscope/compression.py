"""The error of a compression that not every Python has."""

from __future__ import annotations

from typing import Final


def _lzma_errors() -> tuple[type[Exception], ...]:
    try:
        from lzma import LZMAError
    except ImportError:  # Python was built without it
        return ()
    return (LZMAError,)


LZMA_ERRORS: Final = _lzma_errors()
"""What ``zipfile`` and ``tarfile`` raise on damaged LZMA data, beside their own errors."""
