"""Bringing annotated photographs to a detector's working scale, once for all runs."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.data.annotations.annotation import AnnotatedPhoto
from fundoscope.errors import OutputError, PhotoError, UsageError
from fundoscope.geometry import Affine
from fundoscope.lesions import view
from fundoscope.lesions.view import View
from fundoscope.photo import decode
from fundoscope.photo import field as fields
from fundoscope.photo.decode import Pixels
from fundoscope.writing import write_bytes

VERSION: Final = 3
"""Increase it when the view of the same photograph changes."""
KEY: Final = 20
"""Hexadecimal digits of a file's name in the cache."""
UNREADABLE: Final = (OSError, ValueError, EOFError)
"""Errors of numpy at a file that is cut off or not one of its own."""


@dataclass(frozen=True, slots=True)
class HealthyPhotograph:
    """A photograph of an eye without lesions.

    Attributes:
        path: its file.
        source: its source in the label table.
        unassessed: labels of the kinds that it may show all the same.
    """

    path: Path
    source: str
    unassessed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A photograph of an eye without lesions that cannot be used.

    Attributes:
        image: its file's name.
        reason: why.
    """

    image: str
    reason: str


Progress = Callable[[int, int], None]
"""A callback: the photographs that are done, and their number."""


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedView:
    """A photograph at the working scale and its lesions.

    Attributes:
        photograph: its file.
        boxes: ``float (N, 4)`` in the view's pixels.
        labels: ``int (N,)``, from 1: place of the kind in the class list, plus one.
        open: opens the view. Its pixels stay on the disk, and no file stays open for them: there
            may be more photographs than a process may open files.
        enlarge: factor that brings the view to the working scale; 1 where it is at that scale. A
            small photograph is kept as it is, and its tiles are enlarged as they are cut.
        unassessed: labels of the kinds that nobody annotated here: they may be on the photograph
            without a box.
        source: the photograph's source, where a label table names it.
        background: whether what has no box is background; not on photographs of a ``[[partial]]``
            set on which kinds of lesions are not annotated.
        mined: ``float (M, 5)``: corners in the view's pixels and score of the boxes that an earlier
            detector found here, where there are none.
    """

    photograph: Path
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    open: Callable[[], View]
    enlarge: float = 1.0
    unassessed: tuple[int, ...] = ()
    source: str = ""
    background: bool = True
    mined: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 5)))

    @property
    def name(self) -> str:
        """The photograph's file name."""
        return self.photograph.name

    @property
    def view(self) -> View:
        """The photograph at the working scale; only the pixels that are used are read."""
        return self.open()

    @property
    def pixels(self) -> Pixels:
        """The view's pixels, ``uint8 (H, W, 3)`` RGB."""
        return self.view.pixels


def load(
    photos: Sequence[AnnotatedPhoto],
    images: Path,
    kinds: Sequence[str],
    radius: float,
    cache: Path,
    progress: Progress | None = None,
) -> list[AnnotatedView]:
    """Bring photographs to the working scale, or take them from the cache.

    Args:
        photos: annotated photographs; kinds that are not in ``kinds`` are left out.
        images: folder of the photographs.
        kinds: the class list.
        radius: radius of the field of view at the working scale, in pixels.
        cache: folder of the views, which are made once.
        progress: a callback: photographs done, and their number.

    Raises:
        UsageError: names the photographs that cannot be read, and those without a field of view.
        OutputError: the cache cannot be written.
    """
    loaded: list[AnnotatedView] = []
    refused: list[str] = []
    for done, photo in enumerate(photos, start=1):
        path = images / photo.image
        try:
            opened = _cached(path, radius, cache)
        except PhotoError as error:
            refused.append(f"{photo.image} ({error.why})")
        else:
            to_view = opened().to_view
            items = [item for item in photo.annotations if item.kind in kinds]
            boxes = np.array([to_view.box(item.box) for item in items], np.float64)
            labels = np.array([kinds.index(item.kind) + 1 for item in items], np.int64)
            loaded.append(AnnotatedView(path, boxes.reshape(-1, 4), labels, opened))
        if progress is not None:
            progress(done, len(photos))
    if refused:
        raise UsageError(
            str(images),
            f"has {len(refused)} photographs that cannot be used: {', '.join(refused)}",
            "replace them, or leave them out: data.left_out or --leave-out FILE",
        )
    return loaded


def load_healthy(
    photographs: Sequence[HealthyPhotograph],
    radius: float,
    cache: Path,
    *,
    enlarge: bool,
    progress: Progress | None = None,
) -> tuple[list[AnnotatedView], list[LeftOut]]:
    """Bring photographs without lesions to the working scale, or take them from the cache.

    Args:
        photographs: of :mod:`fundoscope.train.detection.views.healthy`.
        radius: radius of the field of view at the working scale, in pixels.
        cache: folder of the views, which are made once.
        enlarge: enlarge photographs that are smaller than the working scale; else their tiles are
            enlarged as they are cut, which keeps the cache small.
        progress: a callback: photographs done, and their number.

    Returns:
        The views, and the photographs without one: they have no field of view or cannot be read.

    Raises:
        OutputError: the cache cannot be written.
    """
    loaded: list[AnnotatedView] = []
    left_out: list[LeftOut] = []
    nothing = np.zeros((0, 4)), np.zeros(0, np.int64)
    for done, photo in enumerate(photographs, start=1):
        try:
            opened = _cached(photo.path, radius, cache, enlarge=enlarge)
        except PhotoError as error:
            left_out.append(LeftOut(photo.path.name, error.why))
        else:
            factor = radius / opened().radius
            loaded.append(
                AnnotatedView(photo.path, *nothing, opened, factor, photo.unassessed, photo.source)
            )
        if progress is not None:
            progress(done, len(photographs))
    return loaded, left_out


def _cached(path: Path, radius: float, cache: Path, *, enlarge: bool = True) -> Callable[[], View]:
    """A function that opens a photograph's view; it is made if it is missing or damaged.

    Raises:
        PhotoError: it cannot be made.
    """
    content = decode.read_bytes(path)
    kept = "" if enlarge else ":not enlarged"
    key = hashlib.sha256(content + f"{radius}:{VERSION}{kept}".encode()).hexdigest()[:KEY]
    opened = partial(_open, cache / f"view-{key}")
    try:
        opened()
    except UsageError:
        photo = decode.decode(content, name=path.name, min_side=view.decode_side(radius))
        fov = fields.find(photo)
        if not fov.found:
            why = f"shows no field of view: {fov.reason}"
            raise PhotoError(path.name, why, "leave it out", code="no_field") from None
        own = fov.radius if fov.radius is not None and not enlarge else radius
        _store(view.make(photo, fov, min(own, radius)), cache / f"view-{key}")
    return opened


def _open(stem: Path) -> View:
    """A view in the cache.

    Raises:
        UsageError: it is missing or damaged.
    """
    try:
        place = stem.with_suffix(".json").read_bytes()
        to_view, centre, radius = msgspec.json.decode(
            place, type=tuple[Affine, tuple[float, float], float]
        )
        pixels = np.load(stem.with_suffix(".npy"), mmap_mode="r")
    except (*UNREADABLE, msgspec.DecodeError) as error:
        raise UsageError(
            str(stem.with_suffix(".npy")),
            f"is missing or damaged ({type(error).__name__})",
            "start the same command again: it makes the file again",
        ) from None
    return View(pixels, to_view, centre, radius)


def _store(made: View, stem: Path) -> None:
    """Write a view; several runs may write the same one at the same time.

    Each file is replaced in one step, so that another run finds it at any moment.
    """
    content = io.BytesIO()
    np.save(content, made.pixels)
    place = msgspec.json.encode((made.to_view, made.centre, made.radius))
    files = ((stem.with_suffix(".npy"), content.getvalue()), (stem.with_suffix(".json"), place))
    try:
        for path, data in files:
            write_bytes(path, data, overwrite=True)
    except OutputError as error:
        raise OutputError(
            str(stem.parent), error.why, "free some space, or choose another cache"
        ) from None
