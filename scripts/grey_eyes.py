"""Make grey, filtered crops of EyePACS' photographs: many more severe eyes to train on.

    python scripts/grey_eyes.py --out ../more/grey \
        --filtered ../more/eyepacs_graham300/eyepacs_graham300.csv \
        --natural ../shared/data/grading/grading.csv ../more/eyepacs_erni/eyepacs_erni.csv

The first table's photographs were filtered by somebody else: grey, less their blurred selves, and
squashed to 300 x 300. They have no grade 0, so that the look alone would give the grade away. The
natural photographs of the same set, of all grades, are treated alike here (the filter was found on
93 photographs that are in both sets; the results correlate to 0.99), then both go the same way: the
rim of the field is found, the squash undone, and everything outside is black. Only gradable
photographs of the split `train` are taken.

Writes a label table with the source `grey` beside a folder of crops, for `data.also` of a grader's
configuration, and names how many photographs have no rim that can be found. Needs [train].
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

SIDE = 300
"""Height and width of the squashed photographs, in pixels."""
BLUR, GAIN, MIDDLE = 14.0, 4.0, 128.0
"""The filter: GAIN * (x - blurred x) + MIDDLE, the blur's standard deviation in squashed pixels."""
SETS, WHOLE = ("eyepacs",), "eyepacs400"
"""The source of the natural photographs, and the camera whose frames are not whole."""
RAYS = 360
NEAREST, FURTHEST = 60.0, 165.0
"""Pixels from the middle between which the rim is looked for."""
STEP = 0.5
EDGE = 5
"""Samples on either side of the rim that are compared."""
STRONG = 90.0
"""Least fall of the level from inside to outside. The filter makes the inside of a rim white and
its outside black."""
ROUNDS, LARGEST, EXACT = 6, 4.0, 1.5
"""Fits, the largest distance of a point that stays, and the largest mean one of a good fit."""
ENOUGH = 120
"""Points of the rim, of RAYS."""
WITHIN = 0.97
"""The share of the radius that is kept: the white rim itself says nothing."""

Levels = NDArray[np.float64]
Ellipse = tuple[float, float, float, float]
"""x and y of the middle, half the width and half the height, in squashed pixels."""


def main() -> None:
    """Write the crops and their table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--filtered", type=Path, required=True)
    parser.add_argument("--natural", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    chosen = list(filtered(arguments.filtered))
    for table in arguments.natural:
        chosen += natural(table)
    images = arguments.out / "images"
    images.mkdir(parents=True, exist_ok=True)
    counted: Counter[tuple[str, str]] = Counter()
    with (
        ProcessPoolExecutor() as pool,
        (arguments.out / "grey.csv").open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("image", "grade", "patient", "eye", "split", "source", "group", "look"))
        made = pool.map(partial(crop, images), chosen, names(chosen), chunksize=16)
        for (_, look, row), name in zip(chosen, made, strict=True):
            counted[look, row["grade"] if name else "no rim"] += 1
            if name:
                cells = (row["grade"], row["patient"], row["eye"], "train", "grey", row["group"])
                writer.writerow((f"images/{name}", *cells, look))
    for (look, grade), count in sorted(counted.items()):
        sys.stdout.write(f"{look:10} {grade:7} {count}\n")


Chosen = tuple[Path, str, dict[str, str]]
"""A photograph, how it looks, and its row."""


def filtered(table: Path) -> Iterator[Chosen]:
    """The photographs that somebody else filtered."""
    for row in rows(table):
        if row["split"] == "train" and row["gradable"] != "0":
            yield table.parent / row["image"], "filtered", row


def natural(table: Path) -> Iterator[Chosen]:
    """The natural photographs whose whole frame is there."""
    for row in rows(table):
        whole = row["camera"] != WHOLE
        if row["source"] in SETS and row["split"] == "train" and whole and row["gradable"] != "0":
            yield table.parent / row["image"], "natural", row


def rows(table: Path) -> list[dict[str, str]]:
    """The rows of a label table."""
    with table.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def names(chosen: Sequence[Chosen]) -> list[str]:
    """The name of each crop; photographs of one name in several folders are numbered."""
    places: dict[str, dict[Path, int]] = {}
    made = []
    for path, look, _ in chosen:
        name = f"{look}-{path.stem}"
        of_name = places.setdefault(name.casefold(), {})
        number = of_name.setdefault(path.resolve(), len(of_name) + 1)
        made.append(f"{name}.jpg" if number == 1 else f"{name} ({number}).jpg")
    return made


def crop(folder: Path, chosen: Chosen, name: str) -> str:
    """Write the crop of a photograph; its name, or ``""`` where no rim is found."""
    path, look, _ = chosen
    with Image.open(path) as opened:
        grey = opened.convert("L")
    squashed = grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0)
    levels = np.asarray(squashed, np.float64)
    levels = levels if look == "filtered" else sharpened(levels)
    ellipse = rim(levels)
    if ellipse is None:
        return ""
    Image.fromarray(unsquashed(levels, ellipse)).save(folder / name, quality=95)
    return name


def sharpened(levels: Levels) -> Levels:
    """The filter on a squashed grey photograph ``(SIDE, SIDE)``."""
    less: Levels = GAIN * (levels - gaussian_filter(levels, BLUR)) + MIDDLE
    return np.clip(less, 0.0, 255.0)


def rim(levels: Levels) -> Ellipse | None:
    """The field's rim on a filtered photograph; ``None`` where it is not clear."""
    x, y = edges(levels)
    for _ in range(ROUNDS):
        if len(x) < ENOUGH:
            return None
        ellipse = fitted(x, y)
        if ellipse is None:
            return None
        away = distances(x, y, ellipse)
        if away.max() <= LARGEST:
            break
        kept = away <= max(LARGEST, float(np.quantile(away, 0.9)))
        x, y = x[kept], y[kept]
    return ellipse if away.mean() <= EXACT else None


def edges(levels: Levels) -> tuple[Levels, Levels]:
    """The place of the strongest fall on each ray from the middle outwards, where it is strong."""
    angles = np.linspace(0.0, 2.0 * np.pi, RAYS, endpoint=False)
    radii = np.arange(NEAREST, FURTHEST, STEP)
    x = SIDE / 2 + radii * np.cos(angles)[:, None]
    y = SIDE / 2 + radii * np.sin(angles)[:, None]
    inside = (x > EDGE) & (x < SIDE - 1 - EDGE) & (y > EDGE) & (y < SIDE - 1 - EDGE)
    profile = map_coordinates(levels, (y, x), order=1, mode="nearest")
    sums = np.cumsum(np.pad(profile, ((0, 0), (1, 0))), axis=1)
    means = (sums[:, EDGE:] - sums[:, :-EDGE]) / EDGE
    falls = means[:, :-EDGE] - means[:, EDGE:]
    falls = np.where(inside[:, EDGE : EDGE + falls.shape[1]], falls, 0.0)
    best = falls.argmax(axis=1)
    strong = np.flatnonzero(falls[np.arange(RAYS), best] >= STRONG)
    places = best[strong] + EDGE
    return x[strong, places], y[strong, places]


def fitted(x: Levels, y: Levels) -> Ellipse | None:
    """The upright ellipse through points, by least squares."""
    u, v = x - SIDE / 2, y - SIDE / 2
    unknown = np.stack([u * u, v * v, u, v], axis=1)
    (a, b, c, d), *_ = np.linalg.lstsq(unknown, np.full(len(u), SIDE**2 / 4.0), rcond=None)
    if a <= 0 or b <= 0:
        return None
    middle_u, middle_v = -c / (2 * a), -d / (2 * b)
    size = SIDE**2 / 4.0 + a * middle_u**2 + b * middle_v**2
    return (
        float(middle_u + SIDE / 2),
        float(middle_v + SIDE / 2),
        float(np.sqrt(size / a)),
        float(np.sqrt(size / b)),
    )


def distances(x: Levels, y: Levels, ellipse: Ellipse) -> Levels:
    """How far points lie from an ellipse, about, in pixels."""
    middle_x, middle_y, half_width, half_height = ellipse
    from_middle = np.hypot((x - middle_x) / half_width, (y - middle_y) / half_height)
    away: Levels = np.abs(from_middle - 1.0) * (half_width + half_height) / 2
    return away


def unsquashed(levels: Levels, ellipse: Ellipse) -> NDArray[np.uint8]:
    """The field as a circle that fills a square of SIDE pixels, black around it."""
    middle_x, middle_y, half_width, half_height = ellipse
    across, down = np.meshgrid(*[(np.arange(SIDE) + 0.5) / (SIDE / 2) - 1.0] * 2)
    x, y = middle_x + across * half_width, middle_y + down * half_height
    taken = map_coordinates(levels, (y, x), order=1, mode="constant", cval=0.0)
    there = (np.hypot(across, down) <= WITHIN) & (x >= 0) & (x <= SIDE - 1) & (y >= 0)
    kept = np.where(there & (y <= SIDE - 1), np.maximum(taken, 1.0), 0.0)
    return np.rint(kept).astype(np.uint8)


if __name__ == "__main__":
    main()
