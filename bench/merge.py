"""How fast the boxes of a photograph's tiles are merged, compared with a loop in numpy.

    python bench/merge.py [--boxes 500 5000] [--rounds 20]

The boxes have random sizes (6 to 80 pixels) and places on the tiles of a view of the usual 3:2
shape, and five kinds; about one in six lies on an edge of its tile. The loop is the usual
non-maximum suppression and nothing else; ours also joins boxes across seams. One thread. The load
of the machine is printed, because both are slower on a busy one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
from arguments import parser_of
from numpy.typing import NDArray

from fundoscope.geometry import Affine
from fundoscope.lesions import merge, tiles
from fundoscope.lesions.heads import DetectedBoxes
from fundoscope.lesions.view import View

RADIUS, VIEW = 1065, (1420, 2130)
LARGEST_TILE, OVERLAP, STEP = 800, 64, 32
KINDS, SUPPRESS = 5, 0.3
SIDES = (6.0, 80.0)


def drawn(count: int) -> tuple[DetectedBoxes, NDArray[np.int64], tuple[int, int]]:
    """Draw random boxes; also give the tiles' corners and the size of a tile."""
    centre = (VIEW[1] / 2, VIEW[0] / 2)
    view = View(np.zeros((*VIEW, 3), np.uint8), Affine(), centre, RADIUS)
    height, width = tiles.fit(view, LARGEST_TILE, LARGEST_TILE, OVERLAP, STEP)
    corners = np.array(tiles.lay(view, height, width, OVERLAP))
    rng = np.random.default_rng(1)
    centres, sides = rng.uniform(0, (width, height), (count, 2)), rng.uniform(*SIDES, (count, 2))
    boxes = np.hstack([centres - sides / 2, centres + sides / 2])
    drawn_boxes = DetectedBoxes(
        rng.integers(len(corners), size=count),
        np.clip(boxes, 0, (width, height, width, height)),
        rng.integers(1, KINDS + 1, count),
        rng.uniform(0.05, 1, count),
    )
    return drawn_boxes, corners, (height, width)


def loop(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> list[int]:
    """Suppress non-maximum boxes in a loop over the remaining ones."""
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    left, kept = np.argsort(-scores), []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(int(best))
        width = np.minimum(x1[best], x1[left]) - np.maximum(x0[best], x0[left])
        height = np.minimum(y1[best], y1[left]) - np.maximum(y0[best], y0[left])
        common = np.clip(width, 0, None) * np.clip(height, 0, None)
        left = left[common <= SUPPRESS * (area[best] + area[left] - common)]
    return kept


def milliseconds(call: Callable[[], object], rounds: int) -> str:
    call()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - start))
    return f"{np.median(taken):.1f} ({min(taken):.1f} to {max(taken):.1f})"


def row(count: int, rounds: int) -> str:
    """Measure one row of the table."""
    boxes, corners, tile = drawn(count)
    apart = np.tile(corners[boxes.tile] + max(VIEW) * boxes.labels[:, None], 2)
    placed = DetectedBoxes(boxes.tile, boxes.boxes + apart, boxes.labels, boxes.scores)

    def whole() -> DetectedBoxes:
        return merge.merge(boxes, corners, tile, VIEW, SUPPRESS)

    times = (
        milliseconds(whole, rounds),
        milliseconds(lambda: merge._suppressed(placed, SUPPRESS), rounds),
        milliseconds(lambda: loop(placed.boxes, placed.scores), rounds),
    )
    return f"| {count:,} | {len(whole().scores):,} | {' | '.join(times)} |"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--boxes", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    print(
        f"Milliseconds, median (minimum to maximum) of {args.rounds} rounds; load"
        f" {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors\n"
    )
    print("| boxes | kept | whole merge | its suppression | loop in numpy |")
    print("|---|---|---|---|---|")
    for count in args.boxes:
        print(row(count, args.rounds), flush=True)


if __name__ == "__main__":
    main()
