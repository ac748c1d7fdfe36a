"""Pixel-exact masks of lesions, brought to the working scale once.

A segmentation network learns from them, and lesions are cut out by them.

A pixel of the target is the share of it that lesions cover, so that even a lesion of two pixels of
the photograph leaves a trace. A threshold in the middle gives back the lesions that were drawn: on
IDRiD's eight validation photographs all but 1 % of the hard exudates (1 % touch their neighbour at
this scale) and all but one of the rest.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.annotations.pictures import picture_size
from fundoscope.errors import OutputError, PhotoError, TableError, UsageError
from fundoscope.evaluate.lesions import masks as mask_files
from fundoscope.lesions.components import FULL
from fundoscope.lesions.view import View
from fundoscope.train.detection.views.tile_draw import Place, planes
from fundoscope.train.detection.views.view import KEY, UNREADABLE, AnnotatedView, Progress
from fundoscope.writing import write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION: Final = 1
"""Increase it when the target of the same masks changes."""

Coverage = NDArray[np.uint8]
"""``uint8 (K, H, W)``: for each kind the share of a pixel that lesions cover, times 255."""
Masks = Mapping[str, tuple[Path, ...]]
"""The mask files of one photograph, by kind."""


class MaskTargets:
    """The targets of all training photographs."""

    def __init__(
        self,
        views: Sequence[AnnotatedView],
        images: Path,
        masks: Path,
        kinds: Sequence[str],
        cache: Path,
        progress: Progress | None = None,
    ) -> None:
        """Bring the masks of photographs to the working scale, or take them from the cache.

        Args:
            views: the photographs.
            images: folder of the photographs.
            masks: folder of their masks, one per kind.
            kinds: the class list.
            cache: folder of the targets, which are made once.
            progress: a callback: photographs done, and their number.

        Raises:
            TableError: the folder has no masks.
            UsageError: names the photographs whose masks are missing, cannot be read, or have
                another size; a photograph with boxes of a kind needs a mask of that kind.
            OutputError: the cache cannot be written.
        """
        self.opened: dict[Path, Callable[[], Coverage]] = {}
        refused: list[str] = []
        by_photograph = masks_of(views, images, masks)
        for done, view in enumerate(views, start=1):
            try:
                files = by_photograph[view.photograph]
                self.opened[view.photograph] = _cached(view, files, kinds, cache)
            except PhotoError as error:
                refused.append(f"{view.name} ({error.what}: {error.why})")
            if progress is not None:
                progress(done, len(views))
        if refused:
            raise UsageError(
                str(masks),
                f"has masks that cannot be used, of {', '.join(refused)}",
                "correct them, or leave these photographs out: data.left_out or --leave-out FILE",
            )

    def on_tile(self, place: Place) -> Coverage:
        """The target of a tile, ``uint8 (K, height, width)``.

        Raises:
            UsageError: it is missing from the cache.
        """
        return planes(self.opened[place.view.photograph](), place)


def masks_of(views: Sequence[AnnotatedView], images: Path, masks: Path) -> dict[Path, Masks]:
    """The masks of each photograph by kind, found by name.

    Raises:
        TableError: the folder has no masks.
    """
    names = {view.photograph: view.photograph.relative_to(images).as_posix() for view in views}
    files = mask_files.masks_of(masks, images, names.values())
    return {photograph: files.get(name, {}) for photograph, name in names.items()}


def digest(views: Sequence[AnnotatedView], images: Path, masks: Path) -> bytes:
    """A hash of the content of all masks.

    Raises:
        TableError: the folder has no masks, or one cannot be read.
    """
    whole = hashlib.sha256()
    for of_photo in masks_of(views, images, masks).values():
        for kind in sorted(of_photo):
            for path in of_photo[kind]:
                whole.update(kind.encode() + _content(path))
    return whole.digest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TableError(
            str(path),
            f"cannot be read ({error.strerror})",
            "check its permissions, or name another",
        ) from None


def _cached(
    view: AnnotatedView, masks: Masks, kinds: Sequence[str], cache: Path
) -> Callable[[], Coverage]:
    """A function that opens a photograph's target; it is made if it is missing or damaged.

    Raises:
        PhotoError: it cannot be made.
    """
    for label, kind in enumerate(kinds, start=1):
        if (view.labels == label).any() and not masks.get(kind):
            raise PhotoError(
                view.name, f"has boxes of {kind} and no mask", "add it", code="no_mask"
            )
    shown = view.view
    key = hashlib.sha256(f"{VERSION}:{shown.to_view}:{shown.pixels.shape}".encode())
    for kind in kinds:
        key.update(kind.encode())
        for path in masks.get(kind, ()):
            key.update(_content(path))
    path = cache / f"target-{key.hexdigest()[:KEY]}.npy"
    opened = partial(_open, path)
    try:
        opened()
    except UsageError:
        size = picture_size(view.photograph)
        made = [coverage(masks.get(kind, ()), shown, size) for kind in kinds]
        _store(np.stack(made), path)
    return opened


def coverage(masks: Sequence[Path], shown: View, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The covered share of each pixel of a view, ``uint8 (H, W)``, 255 for all of it.

    Args:
        masks: files of one kind of lesion; none: nothing is covered.
        shown: the view of the photograph.
        size: width and height of the photograph.

    Raises:
        PhotoError: a mask cannot be read, or has another size.
    """
    height, width = shown.pixels.shape[:2]
    if not masks:
        return np.zeros((height, width), np.uint8)
    for path in masks:
        if picture_size(path) != size:
            raise PhotoError(
                path.name,
                "has another size than its photograph",
                "draw it again",
                code="other_size",
            )
    mask = _sparse(mask_files.read(masks, size[::-1]))
    left, top, right, bottom = shown.to_view.inverse().box((0.0, 0.0, float(width), float(height)))
    down = _shares(top, (bottom - top) / height, height, size[1])
    across = _shares(left, (right - left) / width, width, size[0])
    covered = (down @ mask @ across.T).toarray()
    levels: NDArray[np.uint8] = np.rint(covered * FULL).astype(np.uint8)
    return levels


def _sparse(mask: NDArray[np.bool_]) -> Any:
    from scipy.sparse import csr_array

    return csr_array(mask.astype(np.float32))


def _shares(start: float, step: float, count: int, length: int) -> Any:
    """For each of ``count`` stretches of a line, the share of it that each cell makes up.

    Stretch i goes from ``start + i * step`` over ``step`` cells; the line has ``length`` cells.
    A sparse matrix ``(count, length)``.
    """
    from scipy.sparse import csr_array

    low = start + step * np.arange(count)
    cells = np.floor(low).astype(np.int64)[:, None] + np.arange(math.ceil(step) + 1)
    common = np.minimum(low[:, None] + step, cells + 1) - np.maximum(low[:, None], cells)
    there = (common > 0) & (cells >= 0) & (cells < length)
    stretch = np.broadcast_to(np.arange(count)[:, None], cells.shape)
    entries = (common[there] / step, (stretch[there], cells[there]))
    return csr_array(entries, shape=(count, length))


def _open(path: Path) -> Coverage:
    """A target in the cache; only the pixels that are used are read.

    Raises:
        UsageError: it is missing or damaged.
    """
    try:
        target: Coverage = np.load(path, mmap_mode="r")
    except UNREADABLE as error:
        raise UsageError(
            str(path),
            f"is missing or damaged ({type(error).__name__})",
            "start the same command again: it makes the file again",
        ) from None
    return target


def _store(made: Coverage, path: Path) -> None:
    content = io.BytesIO()
    np.save(content, made)
    try:
        write_bytes(path, content.getvalue(), overwrite=True)
    except OutputError as error:
        raise OutputError(
            str(path.parent), error.why, "free some space, or choose another cache"
        ) from None
