"""Fit circles to rim points marked by hand, and measure how well a second pass repeats them.

    python bench/field_reference.py

Reads ``bench/reference/rim_points.csv`` (image, pass, x, y) and writes
``bench/reference/field_circles.csv``, the reference of ``bench/field.py``.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "reference"


def circle(points: np.ndarray) -> tuple[float, float, float, float]:
    """Fit a circle to points ``(N, 2)``: centre x, y, radius and root mean square residual."""
    design = np.column_stack([points, np.ones(len(points))])
    a, b, c = np.linalg.lstsq(design, -(points**2).sum(axis=1), rcond=None)[0]
    x, y = -a / 2, -b / 2
    radius = float(np.sqrt(x * x + y * y - c))
    residual = np.hypot(points[:, 0] - x, points[:, 1] - y) - radius
    return float(x), float(y), radius, float(np.sqrt((residual**2).mean()))


def main() -> None:
    marked: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    with (HERE / "rim_points.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            marked[row["image"], row["pass"]].append((float(row["x"]), float(row["y"])))
    circles = {key: (*circle(np.array(p)), len(p)) for key, p in sorted(marked.items())}
    with (HERE / "field_circles.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["image", "pass", "x", "y", "radius", "rms", "points"])
        for (image, turn), (x, y, radius, rms, count) in circles.items():
            table.writerow([image, turn, *(f"{v:.1f}" for v in (x, y, radius, rms)), count])

    first = {image: c for (image, turn), c in circles.items() if turn == "1"}
    second = {image: c for (image, turn), c in circles.items() if turn == "2"}
    moved = [
        np.hypot(first[i][0] - c[0], first[i][1] - c[1]) / first[i][2] for i, c in second.items()
    ]
    resized = [abs(first[i][2] - c[2]) / first[i][2] for i, c in second.items()]
    worst = max(c[3] / c[2] for c in first.values())
    print(f"{len(first)} photographs, at least {min(c[4] for c in first.values())} points each")
    print(f"largest rms residual of a circle: {worst:.2%} of the radius")
    for name, values in (("centre", moved), ("radius", resized)):
        print(
            f"second pass on {len(second)}, {name}: median {np.median(values):.3%},"
            f" largest {max(values):.3%} of the radius"
        )


if __name__ == "__main__":
    main()
