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

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.manifest import Row
from fundoscope.errors import UsageError
from fundoscope.kinds import MICROANEURYSM
from fundoscope.quoting import shown
from fundoscope.train.grading import lesion_boxes
from fundoscope.train.grading.lesion_boxes import KINDS, REMEDY, ScoredBox
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop, processes

if TYPE_CHECKING:
    from torch import Tensor

STEP: Final = 1 / 32
"""Distance of the points that stand for a box, in radii: no cell of a map of up to 64 cells is
passed over."""
SHA256: Final = "maps.sha256"
"""File of the run folder: the SHA-256 of what is known of the photographs' lesions."""
OTHER_DISEASE: Final = "other_disease"
"""Column that names diseases other than retinopathy."""

Points = NDArray[np.float32]
"""``float32 (P, 4)``: x and y in units of the field's radius about its middle, the number of the
kind in :data:`KINDS`, and the score, 0 to 1."""


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
        self, positions: NDArray[np.int64], affine: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """The maps of some photographs, as augmentation shows them.

        Args:
            positions: ``(n,)`` positions among the photographs.
            affine: maps ``(n, 2, 3)`` from the shown picture to its photograph's crop, both in
                units of half a side about the middle.
            size: rows and columns of the result.

        Returns:
            Scores ``float32 (n, kinds, rows, columns)``, 0 to 1, and whether each map is known,
            ``bool (n,)``.
        """
        import torch

        rows, columns = size
        result = np.zeros((len(positions), len(KINDS), rows, columns), np.float32)
        to_crop = affine.double().cpu().numpy()
        for place, position in enumerate(positions.tolist()):
            points = self.points[position]
            moved = np.linalg.solve(to_crop[place, :, :2], (points[:, :2] - to_crop[place, :, 2]).T)
            across, down = np.floor((moved + 1) / 2 * [[columns], [rows]]).astype(np.int64)
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
    boxes = lesion_boxes.read(path)
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


def require_same(maps: LesionMaps, boxes: str, folder: Path, *, resume: bool) -> None:
    """Check that a run that is resumed learns the maps that it began with; note those of a new one.

    The file of boxes may have grown by photographs that the run does not train on. A run of an
    earlier version has noted nothing, and is trusted.

    Args:
        maps: of the run's photographs.
        boxes: the file that they are from.
        folder: the run folder.
        resume: whether a run of the folder is continued.

    Raises:
        UsageError: the maps are others.
    """
    parts = (maps.known.tobytes(), *(f"{len(p)}\n".encode() + p.tobytes() for p in maps.points))
    sha256 = hashlib.sha256(b"".join(parts)).hexdigest()
    path = folder / SHA256
    begun = resume and any((folder / result).is_file() for result in runs.RESULTS)
    if begun and path.is_file() and path.read_text().strip() != sha256:
        raise UsageError(
            boxes,
            "has changed since the run began: its photographs have other boxes",
            "restore it, choose another --out, or start the run again with --no-resume",
        )
    if processes.is_first():
        loop.write_whole(path, f"{sha256}\n".encode())


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
