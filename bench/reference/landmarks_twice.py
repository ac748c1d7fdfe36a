"""How well the hand marks of optic disc and fovea repeat.

    python bench/reference/landmarks_twice.py

Compares `landmarks_twice.csv`, the second marks of 40 photographs, with the first ones in
`landmarks_train.csv` and `landmarks_test.csv`. A distance is in disc diameters of the first mark:
across in widths and down in heights, because APTOS is stored squashed. A diameter is the geometric
mean of width and height.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FIRST = ("landmarks_train.csv", "landmarks_test.csv")
SECOND = "landmarks_twice.csv"
CLOSE_RATIO = 1.15
"""Diameters that differ by no more than this are called alike (issue 31)."""

Row = dict[str, str]


def marks_of(name: str) -> dict[str, Row]:
    """The rows of a table, by photograph."""
    with (HERE / name).open(newline="", encoding="utf-8") as stream:
        return {row["image"]: row for row in csv.DictReader(stream)}


def apart(first: Row, second: Row, landmark: str) -> float:
    """Distance of two marks of a landmark, in disc diameters of the first."""
    across = float(second[f"{landmark}_x"]) - float(first[f"{landmark}_x"])
    down = float(second[f"{landmark}_y"]) - float(first[f"{landmark}_y"])
    return math.hypot(across / float(first["disc_width"]), down / float(first["disc_height"]))


def diameter(row: Row) -> float:
    """Geometric mean of the disc's width and height, in pixels."""
    return math.sqrt(float(row["disc_width"]) * float(row["disc_height"]))


def summary(name: str, distances: list[float]) -> str:
    """One line with the median and the 95 % quantile of distances."""
    middle, most = np.quantile(distances, (0.5, 0.95))
    return (
        f"{name} of {len(distances)}: median {middle:.3f}, 95 % within {most:.3f},"
        f" largest {max(distances):.3f} disc diameters"
    )


def main() -> None:
    first = {image: row for name in FIRST for image, row in marks_of(name).items()}
    pairs = [(first[image], row) for image, row in marks_of(SECOND).items()]
    for landmark in ("disc", "fovea"):
        seen = [[bool(row[f"{landmark}_x"]) for row in pair] for pair in pairs]
        alike = sum(one == other for one, other in seen)
        print(f"{landmark}: marked or left empty both times in {alike} of {len(pairs)}")
    discs = [pair for pair in pairs if all(row["disc_x"] for row in pair)]
    foveas = [pair for pair in discs if all(row["fovea_x"] for row in pair)]
    print(summary("disc centre", [apart(*pair, "disc") for pair in discs]))
    print(summary("fovea", [apart(*pair, "fovea") for pair in foveas]))
    ratios = [diameter(second) / diameter(one) for one, second in discs]
    low, middle, high = np.quantile(ratios, (0.025, 0.5, 0.975))
    near = np.mean([max(ratio, 1 / ratio) <= CLOSE_RATIO for ratio in ratios])
    print(
        f"diameter, second to first: median {middle:.3f}, 95 % from {low:.3f} to {high:.3f},"
        f" within 15 % on {near:.0%}"
    )


if __name__ == "__main__":
    main()
