"""Do the boxes of IDRiD's masks agree with its table of objects, and do they survive each format?

    python bench/masks.py [--data DIR] [--formats masks labelstudio cvat ...]

Prints how many rows of `lesions/idrid/objects.csv` (class, box as 1-based inclusive pixels, area)
the masks give; for each format, whether all 81 photographs are the same after writing and reading;
and how many boxes Label Studio's own converter, where it is installed, finds in our tasks.
"""

from __future__ import annotations

import csv
import importlib
import importlib.util
import json
import logging
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from arguments import add_data, parser_of

from fundoscope.data.annotations.annotation import AnnotationSet
from fundoscope.data.annotations.formats import FORMATS
from fundoscope.data.annotations.labelstudio.write import write_label_studio
from fundoscope.data.annotations.masks.read import read_masks

Row = tuple[str, str, int, int, int, int, int]


def rows_of_table(path: Path) -> Counter[Row]:
    with path.open(newline="") as file:
        return Counter(
            (
                row["image"],
                row["class"],
                int(row["xmin"]),
                int(row["ymin"]),
                int(row["xmax"]),
                int(row["ymax"]),
                int(row["area_px"]),
            )
            for row in csv.DictReader(file)
        )


def rows_of_masks(result: AnnotationSet) -> Counter[Row]:
    rows: Counter[Row] = Counter()
    for photo in result.photos:
        for item in photo.annotations:
            x0, y0, x1, y1 = (int(side) for side in item.box)
            area = 0 if item.mask is None else item.mask.area
            rows[Path(photo.image).stem, item.kind, x0 + 1, y0 + 1, x1, y1, area] += 1
    return rows


def objects(folder: Path) -> AnnotationSet:
    started = time.perf_counter()
    result = read_masks(folder / "masks", images=folder / "JPEGImages")
    seconds = time.perf_counter() - started
    table, read = rows_of_table(folder / "objects.csv"), rows_of_masks(result)
    areas = [row[-1] for row in read]
    print(
        f"{len(result.photos)} photographs, {read.total()} objects in {seconds:.0f} s;"
        f" {(table & read).total()} of {table.total()} rows equal,"
        f" {(table - read).total()} missing, {(read - table).total()} more;"
        f" smallest {min(areas)} px, largest {max(areas)} px"
    )
    for row in [*(table - read), *(read - table)][:10]:
        print("  differs:", row)
    return result


def round_trip(result: AnnotationSet, name: str, folder: Path) -> None:
    form = FORMATS[name]
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        losses = form.write(result, Path(place))
        written = time.perf_counter()
        again = form.read(Path(place), images=folder / "JPEGImages")
        done = time.perf_counter()
        size = sum(file.stat().st_size for file in Path(place).rglob("*") if file.is_file())
    boxes = [boxes_of(result) == boxes_of(again), replace(again, kinds=result.kinds) == result]
    lost = ", ".join(f"{loss.what} {loss.count}" for loss in losses) or "nothing"
    print(
        f"{name}: boxes equal {boxes[0]}, everything equal {boxes[1]}; lost: {lost};"
        f" {size / 2**20:.1f} MiB, written in {written - started:.0f} s,"
        f" read in {done - written:.0f} s"
    )


def boxes_of(result: AnnotationSet) -> list[tuple[str, list[tuple[str, tuple[float, ...]]]]]:
    return [
        (photo.image, [(item.kind, item.box) for item in photo.annotations])
        for photo in result.photos
    ]


def converter(result: AnnotationSet) -> None:
    """Try Label Studio's converter on boxes alone: it does not write brush strokes to COCO."""
    if importlib.util.find_spec("label_studio_converter") is None:
        return
    from label_studio_converter import Converter

    logging.disable()
    photos = tuple(
        replace(photo, annotations=tuple(replace(item, mask=None) for item in photo.annotations))
        for photo in result.photos
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_label_studio(replace(result, photos=photos), folder)
        tasks = json.loads((folder / "tasks.json").read_text())
        for number, task in enumerate(tasks, start=1):  # as after an import
            task["id"] = number
            for work in task["annotations"]:
                work |= {"id": number, "completed_by": 1}
        (folder / "export.json").write_text(json.dumps(tasks))
        reader = Converter(str(folder / "labels.xml"), place)
        reader.convert_to_coco(str(folder / "export.json"), str(folder / "coco"), is_dir=False)
        coco = json.loads((folder / "coco" / "result.json").read_text())
    names = {category["id"]: category["name"] for category in coco["categories"]}
    there = Counter(
        (names[item["category_id"]], *(round(number, 6) for number in item["bbox"]))
        for item in coco["annotations"]
    )
    ours = Counter(
        (item.kind, x0, y0, x1 - x0, y1 - y0)
        for photo in result.photos
        for item in photo.annotations
        for x0, y0, x1, y1 in [item.box]
    )
    equal = (ours & there).total()
    print(f"Label Studio's converter: {equal} of {ours.total()} boxes equal, {there.total()} read")


def main() -> None:
    parser = parser_of(__doc__)
    add_data(parser)
    parser.add_argument("--formats", nargs="*", default=["masks", "labelstudio", "cvat"])
    args = parser.parse_args()
    folder = args.data / "lesions" / "idrid"
    result = objects(folder)
    for name in args.formats:
        round_trip(result, name, folder)
    converter(result)


if __name__ == "__main__":
    main()
