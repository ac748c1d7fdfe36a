"""Where the lesions of a training photograph are, as a coarse map that a grader learns beside it.

An ordinal grade says that an eye is sick and not where. A grader that must also say in which cell
of a coarse grid each kind of lesion lies has a reason to look at lesions, and not at the camera.

What is known of an eye:

- grade 0 has no lesion of retinopathy, and grade 1 has microaneurysms alone, by the definition of
  the scale;
- on other eyes of retinopathy a detector has looked (``scripts/lesion_boxes``): each cell has the
  highest score of its boxes;
- an eye with another disease may have lesions that nobody looked for, so its map is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.data.manifest import Row
from fundoscope.errors import PhotoError, UsageError
from fundoscope.kinds import MICROANEURYSM, OF_RETINOPATHY
from fundoscope.lesions import detector as detectors
from fundoscope.lesions.detector import Detector
from fundoscope.photo import field, sources
from fundoscope.quoting import shown
from fundoscope.train.run import refused

if TYPE_CHECKING:
    from torch import Tensor

KINDS: Final = OF_RETINOPATHY
"""The kinds of a map, in the order of its planes."""
LEAST_SCORE: Final = 0.2
"""Boxes with a lower score say next to nothing."""
DIGITS: Final = 4
"""Decimals of a box in the file; a ten-thousandth of the radius is less than a pixel."""
STEP: Final = 1 / 32
"""Distance of the points that stand for a box, in radii: no cell of a map of up to 64 cells is
passed over."""
OTHER_DISEASE: Final = "other_disease"
"""Column that names diseases other than retinopathy."""
REMEDY: Final = "write it again with scripts/lesion_boxes"

Corner = Annotated[float, msgspec.Meta(ge=-2, le=2)]
"""In units of the field's radius about its middle; nothing is seen beyond the field."""
Corners = tuple[Corner, Corner, Corner, Corner]
Points = NDArray[np.float32]
"""``float32 (P, 4)``: x and y in units of the field's radius about its middle, the number of the
kind in :data:`KINDS`, and the score, 0 to 1."""


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


@dataclass(frozen=True, slots=True)
class LesionMaps:
    """What is known of the lesions of some photographs.

    Attributes:
        points: of each of the N photographs.
        known: ``bool (N,)``: whether its map is known.
    """

    points: tuple[Points, ...]
    known: NDArray[np.bool_]

    def batch(
        self, positions: NDArray[np.int64], maps: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """The maps of some photographs, as augmentation shows them.

        Args:
            positions: ``(n,)`` positions among the photographs.
            maps: affine, ``(n, 2, 3)``, from the shown picture to its photograph's crop, both in
                units of half a side about the middle.
            size: rows and columns of the result.

        Returns:
            Scores ``float32 (n, kinds, rows, columns)``, 0 to 1, and whether each map is known,
            ``bool (n,)``.
        """
        import torch

        rows, columns = size
        result = np.zeros((len(positions), len(KINDS), rows, columns), np.float32)
        affine = maps.double().cpu().numpy()
        for place, position in enumerate(positions.tolist()):
            points = self.points[position]
            shown = np.linalg.solve(affine[place, :, :2], (points[:, :2] - affine[place, :, 2]).T)
            across, down = np.floor((shown + 1) / 2 * [[columns], [rows]]).astype(np.int64)
            inside = (across >= 0) & (across < columns) & (down >= 0) & (down < rows)
            cells = points[inside, 2].astype(np.int64), down[inside], across[inside]
            np.maximum.at(result[place], cells, points[inside, 3])
        return torch.from_numpy(result), torch.from_numpy(self.known[positions])


def read(path: Path, photographs: Sequence[Path], rows: Sequence[Row]) -> LesionMaps:
    """The lesions of the photographs that a run trains on.

    Args:
        path: a file of ``scripts/lesion_boxes``.
        photographs: N files; relative paths are looked for in the working folder.
        rows: their N rows. Those of a source of which the file has no photograph are unknown.

    Raises:
        UsageError: the file cannot be read, has none of the photographs, or lacks sick eyes of a
            source of which it has others: their healthy eyes would be the only ones known.
    """
    boxes = _by_file(path)
    files = [photograph.resolve() for photograph in photographs]
    looked = {row.source for row, file in zip(rows, files, strict=True) if file in boxes}
    if not looked:
        raise UsageError(
            str(path), f"has boxes on {len(boxes)} photographs, none of them trained on", REMEDY
        )
    _require_whole(path, zip(files, rows, strict=True), boxes, looked)
    points, known = [], []
    for row, file in zip(rows, files, strict=True):
        of_eye = _boxes_of(row, boxes.get(file)) if row.source in looked else None
        points.append(_points(of_eye or ()))
        known.append(of_eye is not None)
    return LesionMaps(tuple(points), np.array(known, bool))


def _by_file(path: Path) -> dict[Path, tuple[ScoredBox, ...] | None]:
    try:
        lines = msgspec.json.Decoder(Line).decode_lines(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(str(path), f"cannot be read ({error})", REMEDY) from None
    kinds = {box.kind for line in lines for box in line.boxes or ()}
    if kinds - set(KINDS):
        unknown = ", ".join(sorted(kinds - set(KINDS)))
        raise UsageError(str(path), f"has boxes of {unknown}, which maps do not have", REMEDY)
    return {Path(line.image).resolve(): line.boxes for line in lines}


def _require_whole(
    path: Path,
    photographs: Iterable[tuple[Path, Row]],
    boxes: Mapping[Path, object],
    looked: set[str],
) -> None:
    missing = [
        row
        for file, row in photographs
        if row.source in looked and needs_boxes(row) and file not in boxes
    ]
    if missing:
        raise UsageError(
            str(path),
            f"lacks {len(missing)} sick eyes of sources that it holds ({shown(missing[0].image)})",
            "run scripts/lesion_boxes again: it continues the file",
        )


def needs_boxes(row: Row) -> bool:
    """Whether an eye has lesions whose place only a look at its photograph can tell."""
    return row.grade > 0 and not row.text(OTHER_DISEASE)


def _boxes_of(row: Row, seen: Sequence[ScoredBox] | None) -> Sequence[ScoredBox] | None:
    """The boxes of an eye that can be lesions by its grade; ``None`` where they are unknown."""
    if row.text(OTHER_DISEASE):
        return None
    if row.grade == 0:
        return ()
    if row.grade == 1 and seen is not None:
        return [box for box in seen if box.kind == MICROANEURYSM.key]
    return seen


def _points(boxes: Sequence[ScoredBox]) -> Points:
    """Points that stand for boxes: each box's middle, and a grid over large ones."""
    parts = [np.empty((0, 4), np.float32)]
    for each in boxes:
        x0, y0, x1, y1 = each.box
        across, down = _along(x0, x1), _along(y0, y1)
        x, y = (axis.ravel() for axis in np.meshgrid(across, down))
        kind, score = np.full_like(x, KINDS.index(each.kind)), np.full_like(x, each.score)
        parts.append(np.stack((x, y, kind, score), axis=1).astype(np.float32))
    return np.concatenate(parts)


def _along(low: float, high: float) -> NDArray[np.float64]:
    """The middles of equal parts of a side, none of them longer than a step."""
    count = max(1, int(np.ceil((high - low) / STEP)))
    return low + (np.arange(count) + 0.5) * (high - low) / count
