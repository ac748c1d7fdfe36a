"""The annotated photographs of a detector's training, brought to its working scale once."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.data.annotations.annotation import AnnotatedPhoto
from fundoscope.errors import OutputError, TableError
from fundoscope.geometry import Affine
from fundoscope.lesions import view
from fundoscope.lesions.view import View
from fundoscope.photo import decode, field
from fundoscope.photo.decode import Pixels
from fundoscope.train.loop import write_whole

VERSION: Final = 1
"""Raise it when a view of the same photograph comes out otherwise."""
KEY: Final = 20
"""Hexadecimal digits of a file's name in the cache."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedView:
    """A photograph at the working scale and its lesions.

    Attributes:
        name: the photograph's file name.
        view: at the working scale.
        boxes: ``float (N, 4)`` in the view's pixels.
        labels: ``int (N,)``, from 1: place of the kind in the class list, plus one.
    """

    name: str
    view: View
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]

    @property
    def pixels(self) -> Pixels:
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
        photos: what is annotated; kinds that are not in ``kinds`` are left out.
        images: folder of the photographs.
        kinds: the class list.
        radius: of the field at the working scale, in pixels.
        cache: folder of what was made before.
        progress: is told how many are done, of how many.

    Raises:
        PhotoError: a photograph cannot be read.
        TableError: no field of view is found on one.
        OutputError: the cache cannot be written.
    """
    made = []
    for done, photo in enumerate(photos, start=1):
        found = _cached(images / photo.image, radius, cache)
        items = [item for item in photo.annotations if item.kind in kinds]
        boxes = np.array([found.to_view.box(item.box) for item in items], np.float64)
        labels = np.array([kinds.index(item.kind) + 1 for item in items], np.int64)
        made.append(AnnotatedView(Path(photo.image).name, found, boxes.reshape(-1, 4), labels))
        if progress is not None:
            progress(done, len(photos))
    return made


def _cached(path: Path, radius: float, cache: Path) -> View:
    """A photograph's view; its pixels stay on the disk and are read where they are looked at."""
    content = decode.read_bytes(path)
    key = hashlib.sha256(content + f"{radius}:{VERSION}".encode()).hexdigest()[:KEY]
    pixels, place = cache / f"view-{key}.npy", cache / f"view-{key}.json"
    if not (pixels.is_file() and place.is_file()):
        photo = decode.decode(content, name=path.name, min_side=view.decode_side(radius))
        fov = field.find(photo)
        if not fov.found:
            raise TableError(path.name, "shows no field of view", "leave it out of the names")
        _store(view.make(photo, fov, radius), pixels, place)
    to_view, centre = msgspec.json.decode(
        place.read_bytes(), type=tuple[Affine, tuple[float, float]]
    )
    return View(np.load(pixels, mmap_mode="r"), to_view, centre, radius)


def _store(made: View, pixels: Path, place: Path) -> None:
    content = io.BytesIO()
    np.save(content, made.pixels)
    try:
        pixels.parent.mkdir(parents=True, exist_ok=True)
        write_whole(pixels, content.getvalue())
        write_whole(place, msgspec.json.encode((made.to_view, made.centre)))
    except OSError as error:
        raise OutputError(
            str(pixels.parent), f"cannot be written ({error.strerror})", "choose another cache"
        ) from None
