"""The masks of annotated photographs: their files and their pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from fundoscope.data.annotations.masks import layout as mask_layout
from fundoscope.data.annotations.masks.pixels import mask_pixels
from fundoscope.errors import TableError
from fundoscope.evaluate.arrays import Flags

Mask = Flags
"""``bool (H, W)``: the pixels of the lesions of a kind."""


def masks_of(
    folder: Path, images: Path, wanted: Iterable[str], known: Iterable[str] = ()
) -> dict[str, Mapping[str, tuple[Path, ...]]]:
    """Find the masks of photographs by their file names (layouts of IDRiD and other sets).

    Args:
        folder: of the masks.
        images: folder of the photographs.
        wanted: the photographs, as paths below ``images``.
        known: further photographs of the set. A mask without a folder is that of the only
            photograph with its name.

    Returns:
        By photograph and kind, the files of masks. A photograph without any mask is left out.

    Raises:
        TableError: the folder has no masks, or one may be that of several photographs.
    """
    by_photo: dict[str, dict[str, tuple[Path, ...]]] = {}
    for mask in mask_layout.one_a_class(folder, images):
        kinds = by_photo.setdefault(mask.photo, {})
        kinds[mask.kind] = (*kinds.get(mask.kind, ()), mask.path)
    wanted = list(wanted)
    stems = {PurePosixPath(image).with_suffix("") for image in (*wanted, *known)}
    of_name = Counter(stem.name for stem in stems)
    by_image: dict[str, Mapping[str, tuple[Path, ...]]] = {}
    for image in wanted:
        stem = PurePosixPath(image).with_suffix("")
        masks = by_photo.get(stem.as_posix())
        if masks is None and PurePosixPath(stem.name) not in stems:
            masks = by_photo.get(stem.name)
            if masks and of_name[stem.name] > 1:
                raise TableError(
                    str(next(iter(masks.values()))[0]),
                    f"may be the mask of {of_name[stem.name]} photographs with the name"
                    f" {stem.name}",
                    "put it into a folder of the same name as that of its photograph",
                )
        if masks:
            by_image[image] = masks
    return by_image


def read(paths: Iterable[Path], shape: tuple[int, int]) -> Mask:
    """Read the pixels of a kind, of all its masks together; without a mask no pixel is set.

    Args:
        paths: of the kind's masks.
        shape: height and width of the photograph.

    Raises:
        PhotoError: a mask cannot be read.
    """
    together = np.zeros(shape, bool)
    for path in paths:
        together |= mask_pixels(path)
    return together
