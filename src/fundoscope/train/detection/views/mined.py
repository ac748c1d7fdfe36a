"""Boxes that an earlier detector found on eyes without lesions: what the next one must unlearn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from fundoscope.errors import UsageError
from fundoscope.train.detection.views.view import AnnotatedView

Boxes = tuple[tuple[float, float, float, float, float], ...]
"""Corners in the photograph's pixels and score of each box."""
REMEDY: Final = "write it again with scripts/mine, or leave healthy.mined out"


class _Line(msgspec.Struct):
    """A line of the file."""

    image: str
    boxes: Boxes


def read(path: Path) -> dict[str, Boxes]:
    """The boxes of each photograph that has some, by its path.

    Args:
        path: a file of ``scripts/mine``.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        lines = msgspec.json.Decoder(_Line).decode_lines(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(str(path), f"cannot be read ({error})", REMEDY) from None
    return {line.image: line.boxes for line in lines if line.boxes}


def with_boxes(
    views: Sequence[AnnotatedView], mined: Mapping[str, Boxes], path: Path
) -> list[AnnotatedView]:
    """The views with the boxes of their photographs, in the view's pixels.

    Args:
        views: of eyes without lesions.
        mined: from :func:`read`; photographs that no view shows are ignored. Relative paths are
            looked for in the working folder.
        path: that they were read from, for messages.

    Raises:
        UsageError: no view shows any of the photographs.
    """
    by_file = {Path(image).resolve(): boxes for image, boxes in mined.items()}
    files = [view.photograph.resolve() for view in views]
    if by_file and by_file.keys().isdisjoint(files):
        raise UsageError(
            str(path), f"has boxes on {len(by_file)} photographs, none of healthy.tables", REMEDY
        )
    return [
        _with_boxes(view, by_file.get(file, ())) for view, file in zip(views, files, strict=True)
    ]


def _with_boxes(view: AnnotatedView, boxes: Boxes) -> AnnotatedView:
    if not boxes:
        return view
    to_view = view.view.to_view
    moved = [(*to_view.box((x0, y0, x1, y1)), score) for x0, y0, x1, y1, score in boxes]
    return replace(view, mined=np.array(moved, np.float64))
