"""The one representation of annotations that every format is read into and written from.

Coordinates are those of :mod:`fundoscope.geometry`: continuous pixels of the photograph as stored
after EXIF orientation, the first pixel covering 0 to 1; boxes are half-open floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.geometry import Box

Outline = tuple[tuple[float, float], ...]
"""A closed polygon: its corners, x and y, without repeating the first."""
POINT: Final = "point"
"""Attribute of an object of which only a point was marked: its box is that one pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """The pixels of one object: a cut-out, and where it lies in the photograph.

    Attributes:
        x, y: column and row of the cut-out's first pixel.
        pixels: bool ``(height, width)``, true where the object is; its border rows and columns hold
            at least one true pixel each.
    """

    x: int
    y: int
    pixels: NDArray[np.bool_]

    @classmethod
    def of(cls, pixels: NDArray[np.bool_], x: int = 0, y: int = 0) -> Mask:
        """The mask of bool ``(H, W)`` pixels that begin at column x, row y; empty borders are cut.

        Raises:
            ValueError: no pixel is true.
        """
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        if len(rows) == 0:
            raise ValueError("the mask has no pixel")
        top, left = int(rows[0]), int(columns[0])
        cut = pixels[top : rows[-1] + 1, left : columns[-1] + 1]
        return cls(x + left, y + top, np.ascontiguousarray(cut))

    @property
    def box(self) -> Box:
        """The smallest box around it."""
        height, width = self.pixels.shape
        return (float(self.x), float(self.y), float(self.x + width), float(self.y + height))

    @property
    def area(self) -> int:
        """The number of its pixels."""
        return int(self.pixels.sum())

    def __eq__(self, other: object) -> bool:
        """Whether place and pixels are the same."""
        return (
            isinstance(other, Mask)
            and (self.x, self.y) == (other.x, other.y)
            and np.array_equal(self.pixels, other.pixels)
        )

    def __hash__(self) -> int:
        """A hash of place and shape."""
        return hash((self.x, self.y, self.pixels.shape))


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotated object.

    Attributes:
        kind: a key of :data:`fundoscope.kinds.KINDS`, or an unknown name as the file has it.
        box: half-open.
        outlines: its outer polygons, where it was drawn as polygons.
        mask: its pixels, where they are known.
        score: 0 to 1, where a detector gave it.
        difficult: marked as hard to see (VOC).
        author: who drew it.
        attributes: other properties in the file (``truncated``, ``pose`` …), as text.
    """

    kind: str
    box: Box
    outlines: tuple[Outline, ...] = ()
    mask: Mask | None = None
    score: float | None = None
    difficult: bool = False
    author: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedPhoto:
    """A photograph and its annotated objects; without objects, somebody looked and found none.

    Attributes:
        image: its path relative to the folder of photographs, with "/" between the parts.
        width, height: in pixels.
        annotations: in the order of the file.
        source: of the photograph or its annotations, as the file names it.
    """

    image: str
    width: int
    height: int
    annotations: tuple[Annotation, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that a format or these classes cannot hold, reported to whoever converts.

    Attributes:
        what: e.g. ``"score"``, ``"outlines"``, ``"sub-pixel boxes"``.
        count: the number of objects or photographs concerned.
    """

    what: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationSet:
    """Annotated photographs that belong together.

    Attributes:
        photos: sorted by ``image``; each ``image`` once.
        kinds: the names of kinds in the order of the file (a YOLO class list). Where a format has
            no list: those that occur, in the order of :data:`fundoscope.kinds.KINDS`.
        splits: the images of each split (``train``), where the format has splits.
        left_out: what the reader skipped because it has no place here (points, polylines …).
        warnings: sentences about what the reader had to decide; not compared by ``==``.
    """

    photos: tuple[AnnotatedPhoto, ...]
    kinds: tuple[str, ...] = ()
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[Loss, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)
