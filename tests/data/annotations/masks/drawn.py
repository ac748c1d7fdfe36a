"""Small masks, for the tests of their reader and writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fundoscope.data.annotations.annotation import AnnotationSet

WIDTH, HEIGHT = 12, 9

Pixels = NDArray[np.bool_]


def blob(*places: tuple[int, int], width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """True at these columns and rows."""
    pixels = np.zeros((height, width), dtype=bool)
    for x, y in places:
        pixels[y, x] = True
    return pixels


TWO = blob((1, 1), (2, 2), (3, 1), (8, 6), (9, 6))
"""Three pixels that touch at corners, and two elsewhere."""
EXPECTED = [(1.0, 1.0, 4.0, 3.0), (8.0, 6.0, 10.0, 7.0)]
"""The boxes of :data:`TWO`."""


def saved(path: Path, values: NDArray[np.generic], **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)  # type: ignore[arg-type]
    return path


def boxes(marked: AnnotationSet) -> list[tuple[str, str, tuple[float, ...]]]:
    return [
        (photo.image, item.kind, item.box) for photo in marked.photos for item in photo.annotations
    ]


def painted_on(background: tuple[int, ...], colour: tuple[int, ...]) -> NDArray[np.uint8]:
    """The blobs of :data:`TWO` in one colour on another."""
    pixels = np.empty((HEIGHT, WIDTH, len(background)), dtype=np.uint8)
    pixels[:] = background
    pixels[TWO] = colour
    return pixels
