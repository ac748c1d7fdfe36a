"""What a detector saw on photographs, kept in a file for the maps that a grader learns.

``scripts/lesion_boxes`` writes it, and :mod:`fundoscope.train.grading.lesion_maps` reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import msgspec

from fundoscope.errors import PhotoError, UsageError
from fundoscope.kinds import OF_RETINOPATHY
from fundoscope.lesions import detector as detectors
from fundoscope.lesions.detector import Detector
from fundoscope.photo import field, sources
from fundoscope.train.run import refused

KINDS: Final = OF_RETINOPATHY
"""The kinds that are kept, in the order of a map's planes."""
LEAST_SCORE: Final = 0.2
"""Boxes with a lower score say next to nothing."""
DIGITS: Final = 4
"""Decimals of a box in the file; a ten-thousandth of the radius is less than a pixel."""
REMEDY: Final = "write it again with scripts/lesion_boxes"

Corner = Annotated[float, msgspec.Meta(ge=-2, le=2)]
"""In units of the field's radius about its middle; nothing is seen beyond the field."""
Corners = tuple[Corner, Corner, Corner, Corner]


class ScoredBox(msgspec.Struct, frozen=True):
    """A box that a detector saw.

    Attributes:
        kind: of :data:`KINDS`.
        box: x0, y0, x1, y1.
        score: 0 to 1.
    """

    kind: str
    box: Corners
    score: Annotated[float, msgspec.Meta(ge=0, le=1)]


class Line(msgspec.Struct, frozen=True):
    """A line of the file of boxes.

    Attributes:
        image: path of the photograph.
        detector: SHA-256 of the graph that looked.
        boxes: what it saw; ``None`` where the photograph cannot be read or shows no field of view.
    """

    image: str
    detector: str
    boxes: tuple[ScoredBox, ...] | None


def look(path: Path, detector: Detector) -> tuple[ScoredBox, ...] | None:
    """What a detector sees on a photograph, even weakly and at a size too small for a reading.

    Args:
        path: of the photograph.
        detector: from :func:`fundoscope.lesions.detector.load`.

    Returns:
        Boxes of the kinds of a map; ``None`` where the photograph cannot be read or shows no field
        of view.

    Raises:
        UsageError: the photograph may be readable another time.
    """
    try:
        photo = sources.photo(sources.content(path), min_side=detector.decode_side)
    except (PhotoError, MemoryError) as error:
        refused.lasting(error, path)
        return None
    fov = field.find(photo)
    if not fov.found:
        return None
    to_unit = fov.to_unit()
    return tuple(
        ScoredBox(each.kind, _rounded(to_unit.box(each.box)), round(each.score, DIGITS))
        for each in detectors.candidates(detector, photo, fov)
        if each.kind in KINDS and each.score >= LEAST_SCORE
    )


def _rounded(box: Corners) -> Corners:
    x0, y0, x1, y1 = (round(value, DIGITS) for value in box)
    return x0, y0, x1, y1


def read(path: Path) -> dict[Path, tuple[ScoredBox, ...] | None]:
    """The boxes of each photograph, by its resolved path.

    Args:
        path: a file of ``scripts/lesion_boxes``; relative paths in it are looked for in the working
            folder.

    Raises:
        UsageError: it cannot be read, or holds boxes that no map can hold.
    """
    try:
        lines = msgspec.json.Decoder(Line).decode_lines(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(str(path), f"cannot be read ({error})", REMEDY) from None
    kinds = {box.kind for line in lines for box in line.boxes or ()}
    if kinds - set(KINDS):
        unknown = ", ".join(sorted(kinds - set(KINDS)))
        raise UsageError(str(path), f"has boxes of {unknown}, which maps do not have", REMEDY)
    return {Path(line.image).resolve(): line.boxes for line in lines}
