"""All bombs, and the bounds within which each must stay."""

from __future__ import annotations

import shutil
from pathlib import Path

from made import annotations, photographs, tables
from made.bomb import Bomb
from made.measuring import Cost

SECONDS, MEBIBYTES = 2.0, 500.0
LYING_SECONDS, LYING_MEBIBYTES = 0.2, 100.0
"""The bounds of a bomb whose header is enough to refuse it."""


def bombs() -> list[Bomb]:
    """All bombs."""
    return [*photographs.bombs(), *tables.bombs(), *annotations.bombs()]


def warm_up() -> None:
    """Import what the bombs need, so that a fork measures the bomb alone."""
    import PIL.JpegImagePlugin
    import PIL.PngImagePlugin
    import PIL.TiffImagePlugin
    import scipy.ndimage
    import simplejpeg

    import fundoscope.data.annotations.formats
    import fundoscope.data.table
    import fundoscope.photo.decode  # noqa: F401

    assert PIL.JpegImagePlugin
    assert scipy.ndimage
    assert simplejpeg


def within(bomb: Bomb, spent: Cost, *, patience: float = 1.0) -> bool:
    """Whether a bomb stayed within its bounds.

    Args:
        bomb: which.
        spent: what it cost.
        patience: times the bounds of time, where the machine has other work.
    """
    seconds, mebibytes = (LYING_SECONDS, LYING_MEBIBYTES) if bomb.lies else (SECONDS, MEBIBYTES)
    expected = ("refused", "done") if bomb.may_be_read else ("refused",)
    return (
        spent.outcome in expected
        and spent.seconds < seconds * patience
        and spent.mebibytes < mebibytes
    )


def remove(path: Path) -> None:
    """Remove a bomb."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
