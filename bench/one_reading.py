"""Does a photograph get the same reading from its path, its bytes and its array of pixels?

    python bench/one_reading.py [--data DIR] [--photographs 200] [--seed 1] [--lesions]

Draws JPEGs of the training and validation splits, in equal shares of their sources, and takes all
of `shapes/`. The array of a JPEG is decoded at full size. Prints the largest difference of a
probability between path and array (path and bytes must agree to the last bit), the number of
grades and of decisions that differ, and the photographs that differ most. Exits with 1 if a
probability differs by more than 0.01, or a grade differs.
"""

from __future__ import annotations

import csv
import random
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from arguments import add_data, grading_table, parser_of
from PIL import Image

from fundoscope.reader import Reader
from fundoscope.reading import Grade

SPLITS = ("train", "val")
LIMIT = 0.01
"""Largest accepted difference of a probability."""
SHOWN = 5


@dataclass(frozen=True)
class Difference:
    """How two readings of a photograph differ."""

    name: str
    probability: float
    grade: bool
    referable: bool
    lesions: int


def drawn(table: Path, count: int, seed: int, splits: tuple[str, ...] = SPLITS) -> list[Path]:
    """Draw JPEGs of splits, in equal shares of the sources."""
    by_source: dict[str, list[Path]] = defaultdict(list)
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            path = table.parent / row["image"]
            if row["split"] in splits and path.suffix.lower() in (".jpg", ".jpeg"):
                by_source[row["source"]].append(path)
    rng = random.Random(seed)
    for paths in by_source.values():
        rng.shuffle(paths)
    taken: list[Path] = []
    while len(taken) < count and any(by_source.values()):
        taken += [paths.pop() for paths in by_source.values() if paths]
    return taken[:count]


def shapes(folder: Path) -> list[Path]:
    """Photographs of unusual shapes; PNG and TIFF files among them."""
    return sorted(path for path in folder.glob("*.*") if path.suffix != ".csv")


def pixels_of(path: Path) -> np.ndarray:
    """Decode a file at full size, as most programs do."""
    if path.suffix.lower() in (".jpg", ".jpeg"):
        return simplejpeg.decode_jpeg(path.read_bytes(), "RGB")
    return np.array(Image.open(path).convert("RGB"))


def gap(one: Grade, other: Grade) -> float:
    """The largest difference of a probability; 1 if only one of the two has a grade."""
    if one.probabilities is None or other.probabilities is None:
        return float(one != other)
    return float(np.abs(np.subtract(one.probabilities, other.probabilities)).max())


def compare(reader: Reader, path: Path) -> Difference:
    by_path, by_bytes = reader.read(path), reader.read(path.read_bytes())
    if by_path.grade != by_bytes.grade:
        raise SystemExit(f"{path.name}: path and bytes differ")
    by_array = reader.read(pixels_of(path))
    one, other = by_path.grade, by_array.grade
    decided = [grade.referable and grade.referable.positive for grade in (one, other)]
    return Difference(
        path.name,
        gap(one, other),
        one.icdr != other.icdr,
        decided[0] != decided[1],
        abs(len(by_path.lesions) - len(by_array.lesions)),
    )


def report(title: str, differences: list[Difference]) -> bool:
    """Print a summary; return whether all is within the limit."""
    values = np.array([each.probability for each in differences])
    grades = sum(each.grade for each in differences)
    print(
        f"{title}: {len(differences)} photographs, largest difference of a probability"
        f" {values.max():.4f}, 95 % below {np.percentile(values, 95):.4f}, mean"
        f" {values.mean():.5f};"
        f" {grades} grades and {sum(each.referable for each in differences)} decisions differ;"
        f" {sum(each.lesions for each in differences)} lesions more or fewer"
    )
    for each in sorted(differences, key=lambda each: -each.probability)[:SHOWN]:
        print(f"  {each.name}: {each.probability:.4f}{', another grade' if each.grade else ''}")
    return bool(values.max() <= LIMIT) and grades == 0


def main() -> None:
    parser = parser_of(__doc__)
    add_data(parser)
    parser.add_argument("--photographs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lesions", action="store_true", help="compare lesions, too (slow)")
    args = parser.parse_args()
    reader = Reader(lesions=args.lesions)
    sets = {
        "grading": drawn(grading_table(args.data), args.photographs, args.seed),
        "shapes": shapes(args.data / "shapes"),
    }
    fine = [
        report(title, [compare(reader, path) for path in paths]) for title, paths in sets.items()
    ]
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()
