"""Are genuine photographs ever refused by the bounds on what a file may ask for?

    python bench/budgets.py TABLE [TABLE …] [--folder DIR …]

The structure of each photograph is checked as `read` does before it decodes (`photo/structure`).
Of a label table, the splits train and val are taken, and no label is used; of a folder, all
pictures. Printed are the number of files, those that are refused, the time of the check, and the
density of the densest: bytes of its pixels, in RGB, for a byte of its file.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path

from arguments import parser_of
from PIL import Image

from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES
from fundoscope.errors import PhotoError
from fundoscope.photo.structure.check import check
from fundoscope.photo.structure.source import InMemory

SPLITS = ("train", "val")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("tables", type=Path, nargs="*")
    parser.add_argument("--folder", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    for place in (*arguments.tables, *arguments.folder):
        paths = _of_folder(place) if place.is_dir() else _of_table(place)
        _report(place, paths)


def _of_table(table: Path) -> Iterator[Path]:
    with table.open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["split"] in SPLITS:
                yield table.parent / row["image"]


def _of_folder(folder: Path) -> Iterator[Path]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return (path for path in files if path.suffix.lower() in PHOTOGRAPH_SUFFIXES)


def _report(place: Path, paths: Iterator[Path]) -> None:
    count, seconds, worst, density = 0, 0.0, 0.0, 0.0
    refused: list[str] = []
    for path in paths:
        data = path.read_bytes()
        started = time.perf_counter()
        try:
            check(InMemory(path.name, data))
        except PhotoError as error:
            refused.append(str(error))
        spent = time.perf_counter() - started
        count, seconds, worst = count + 1, seconds + spent, max(worst, spent)
        with Image.open(path) as image:
            density = max(density, 3 * image.width * image.height / len(data))
    print(
        f"{place}: {count} photographs, {len(refused)} refused;"
        f" {1e6 * seconds / max(count, 1):.0f} µs each, at most {1e3 * worst:.1f} ms;"
        f" the densest has {density:.0f}"
    )
    for line in refused:
        print(f"    {line}")


if __name__ == "__main__":
    main()
