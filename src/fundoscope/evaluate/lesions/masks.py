"""The masks of annotated photographs: which there are, and their pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.annotations.masks import layout as mask_layout
from fundoscope.data.annotations.masks.pixels import mask_pixels

Mask = NDArray[np.bool_]
"""``bool (H, W)``: the pixels of the lesions of a kind."""


def masks_of(
    folder: Path, images: Path, wanted: Iterable[str]
) -> dict[str, Mapping[str, tuple[Path, ...]]]:
    """The masks of photographs by kind, found by name (IDRiD's and other sets' layouts).

    Args:
        folder: of the masks.
        images: of the photographs.
        wanted: photographs, as paths below ``images``.

    Returns:
        By photograph its masks by kind; a photograph without any mask is left out.

    Raises:
        TableError: the folder has no masks.
    """
    by_photo: dict[str, dict[str, tuple[Path, ...]]] = {}
    for mask in mask_layout.one_a_class(folder, images):
        kinds = by_photo.setdefault(mask.photo, {})
        kinds[mask.kind] = (*kinds.get(mask.kind, ()), mask.path)
    found: dict[str, Mapping[str, tuple[Path, ...]]] = {}
    for image in wanted:
        stem = PurePosixPath(image).with_suffix("")
        masks = by_photo.get(stem.as_posix()) or by_photo.get(stem.name)
        if masks:
            found[image] = masks
    return found


def read(paths: Iterable[Path], shape: tuple[int, int]) -> Mask:
    """Bool ``(H, W)``: the pixels of a kind, of all its masks together; none where there is none.

    Raises:
        PhotoError: a mask cannot be read.
    """
    together = np.zeros(shape, bool)
    for path in paths:
        together |= mask_pixels(path)
    return together
