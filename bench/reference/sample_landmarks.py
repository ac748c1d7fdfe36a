"""Draw the photographs whose optic disc and fovea are marked by hand.

    python bench/reference/sample_landmarks.py --data DIR --odir DIR [--part train|test|twice]

Prints `image,source,split`. `train`: 200 photographs of train splits, to learn from. `test`: 60 of
test splits and 20 of ODIR's val, beside the 140 val photographs of `disc_and_fovea.csv`. `twice`:
40 of these 280, to be marked again. One photograph a patient, and sources take turns, so that the
first rows of a table that is still growing cover them all. The tables name no patient for APTOS
(each photograph counts as its own).
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

SEED = 20261129
TRAIN = {"eyepacs": 50, "srahim": 35, "messidor2": 35, "odir": 50, "aptos": 30}
"""Photographs of each source's train split."""
TEST_EACH = 12
ODIR_VAL = 20
TWICE_EACH = 8
"""Photographs of each source that are marked a second time."""

Row = dict[str, str]


def rows_of(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def drawn(rows: Iterable[Row], source: str, split: str, count: int) -> list[Row]:
    """Draw `count` photographs of a source's split, one a patient."""
    pool = sorted(
        (row for row in rows if row["source"] == source and row["split"] == split),
        key=lambda row: row["image"],
    )
    random.Random(f"{SEED} {source} {split}").shuffle(pool)
    patients: dict[str, Row] = {}
    for row in pool:
        patients.setdefault(row["patient"] or row["image"], row)
    return list(patients.values())[:count]


def in_turn(lists: Iterable[list[Row]]) -> list[Row]:
    """The first of each list, then the second of each, and so on."""
    return [row for turn in zip_longest(*lists) for row in turn if row is not None]


def sample(rows: list[Row], part: str) -> list[Row]:
    """The photographs of a part of the reference, in the order in which they are marked."""
    if part == "train":
        return in_turn(drawn(rows, source, "train", count) for source, count in TRAIN.items())
    if part == "test":
        tests = [drawn(rows, source, "test", TEST_EACH) for source in TRAIN]
        return in_turn([*tests, drawn(rows, "odir", "val", ODIR_VAL)])
    both = sample(rows, "train") + sample(rows, "test")
    random.Random(f"{SEED} twice").shuffle(both)
    return in_turn(
        [row for row in both if row["source"] == source][:TWICE_EACH] for source in TRAIN
    )


def read_tables(data: Path, odir: Path) -> Iterator[Row]:
    """The rows of both label tables, images named `source/file`."""
    yield from rows_of(data / "grading" / "grading.csv")
    for row in rows_of(odir / "odir.csv"):
        yield {**row, "source": "odir", "image": f"odir/{Path(row['image']).name}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--odir", type=Path, required=True, help="folder of ODIR, with odir.csv")
    parser.add_argument("--part", choices=("train", "test", "twice"), default="train")
    options = parser.parse_args()
    rows = list(read_tables(options.data, options.odir))
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["image", "source", "split"])
    for row in sample(rows, options.part):
        table.writerow([row["image"], row["source"], row["split"]])


if __name__ == "__main__":
    main()
