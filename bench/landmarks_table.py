"""The table that the landmark network is trained on and chosen with.

    python bench/landmarks_table.py --data DIR --out FILE [--more DIR] [--test]

IDRiD's training split with its official centres, and with the disc's sides where the photograph is
one of the 54 whose discs are drawn in the lesion set; of its training split, 60 are for validation.
The 140 validation photographs that were marked by hand (`reference/disc_and_fovea.csv`), and the
training photographs of `reference/landmarks_train.csv`. `image` is an absolute path.

With `--test`: IDRiD's test split with its official centres, without the eyes that the detector
knows, and the photographs of `reference/landmarks_test.csv`. They are looked at once, at the end.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from arguments import add_data, grading_table, parser_of

HERE = Path(__file__).with_name("reference")
MARKS = ("disc_x", "disc_y", "disc_width", "disc_height", "fovea_x", "fovea_y")
SAME = ("same_bytes", "same_photograph_reencoded")
COLUMNS = ("image", "split", "source", *MARKS)
TEST = ("test",)
KNOWN_EYES = ("IDRiD_088", "IDRiD_089", "IDRiD_091")
"""Of the test split: the lesion set has their eyes, whose discs are drawn."""
Row = dict[str, str]


def rows_of(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def idrid(data: Path, splits: tuple[str, ...] = ("train", "val")) -> Iterator[Row]:
    """IDRiD's photographs of some splits, in the pixels of the copies at hand."""
    official = rows_of(data / "lesions" / "idrid_516" / "idrid_516.csv")
    of = "test" if splits == TEST else "train"
    centres = {row["image"]: row for row in official if row["split"] == of}
    discs = {
        row["image"]: row
        for row in rows_of(data / "lesions" / "idrid" / "objects.csv")
        if row["class"] == "optic_disc" and row["split"] == "train"
    }
    for row in rows_of(grading_table(data)):
        name = Path(row["image"]).stem.removesuffix("_test")
        if row["source"] != "idrid" or row["split"] not in splits:
            continue
        if splits == TEST and name in KNOWN_EYES:
            continue
        scale = float(row["width"]) / float(row["width_orig"])
        at = centres[name]
        marks = [at["od_x"], at["od_y"], "", "", at["fovea_x"], at["fovea_y"]]
        # Another shot of the eye has its disc elsewhere.
        box = discs.get(row["lesion_photo"]) if row["lesion_link"] in SAME else None
        if box is not None:
            marks[2] = str(float(box["xmax"]) - float(box["xmin"]) + 1)
            marks[3] = str(float(box["ymax"]) - float(box["ymin"]) + 1)
        scaled = [str(round(float(mark) * scale, 2)) if mark else "" for mark in marks]
        place = str((data / "grading" / row["image"]).resolve())
        yield dict(zip(COLUMNS, (place, row["split"], "idrid", *scaled), strict=True))


def by_hand(path: Path, split: str, folders: list[Path]) -> Iterator[Row]:
    """The photographs of a table of marks, in whichever folder holds them."""
    for row in rows_of(path):
        places = [folder / row["image"] for folder in folders]
        place = next((each for each in places if each.is_file()), places[0])
        yield {**{name: row[name] for name in MARKS}, "image": str(place.resolve()),
               "split": split, "source": row["source"]}  # fmt: skip


def main() -> None:
    parser = parser_of(__doc__)
    add_data(parser)
    parser.add_argument("--more", type=Path, help="folder of ODIR and the further sets")
    parser.add_argument("--train", type=Path, default=HERE / "landmarks_train.csv")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--test", action="store_true", help="the test photographs")
    args = parser.parse_args()
    folders = [args.data / "grading", *([args.more, args.more / "odir"] if args.more else [])]
    if args.test:
        rows = [*idrid(args.data, TEST), *by_hand(HERE / "landmarks_test.csv", "test", folders)]
    else:
        rows = [*idrid(args.data), *by_hand(HERE / "disc_and_fovea.csv", "val", folders)]
    if args.train.is_file() and not args.test:
        rows += by_hand(args.train, "train", folders)
    with args.out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    print(f"{args.out}: {len(rows)} photographs")


if __name__ == "__main__":
    main()
