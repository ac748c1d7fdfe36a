"""Refuse a path that is given twice, under whatever name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fundoscope.errors import UsageError


def refuse(paths: Sequence[Path], what: str) -> None:
    """Refuse a path that is given twice: a second time through a link, ``..`` or ``.`` as well.

    Args:
        paths: of the command; they need not exist.
        what: what each is, e.g. ``"folder"``.

    Raises:
        UsageError: one is given twice.
    """
    known: set[Path] = set()
    for path in paths:
        real = path.resolve()
        if real in known:
            raise UsageError(str(path), "is given twice", f"give each {what} once")
        known.add(real)
