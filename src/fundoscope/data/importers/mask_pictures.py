"""Annotations from a mask of a known class, for sets whose masks have other names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fundoscope.data.annotations.annotation import Annotation
from fundoscope.data.annotations.pictures import PictureSize
from fundoscope.errors import TableError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def annotations_of(
    path: Path, pixels: NDArray[np.bool_], kind: str, size: PictureSize
) -> Iterator[Annotation]:
    """An annotation for each connected component.

    Args:
        path: of the mask, for errors.
        pixels: bool ``(H, W)``, true where the lesion is.
        kind: a key of :data:`fundoscope.kinds.KINDS`.
        size: width and height of the photograph.

    Raises:
        TableError: the mask and the photograph differ in size.
    """
    from fundoscope.data.annotations.masks.components import components

    height, width = pixels.shape
    if (width, height) != size:
        raise TableError(
            str(path),
            f"has {width}x{height} pixels, its photograph has {size[0]}x{size[1]}",
            "give the masks of the official set",
        )
    for mask in components(pixels, where=str(path)).objects:
        yield Annotation(kind=kind, box=mask.box, mask=mask)
