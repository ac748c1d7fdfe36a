"""Join label tables into one, beside which their photographs are found.

    python scripts/join_tables.py --out all.csv clinic/grading.csv \
        odir/odir.csv eyepacs/eyepacs.csv

A column that a table lacks stays empty. Patients and groups must be unique over the tables, or the
same number must mean the same eye; `fundoscope data check` on the result finds photographs that
stand on two sides of a split. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections import Counter
from pathlib import Path


def main() -> None:
    """Write the joint table and print the photographs of each source and split."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = [row for table in arguments.tables for row in read(table, arguments.out.parent)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with arguments.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    pairs = Counter((row.get("source", ""), row.get("split", "")) for row in rows)
    for (source, split), count in sorted(pairs.items()):
        sys.stdout.write(f"{source:20} {split:10} {count}\n")


def read(table: Path, folder: Path) -> list[dict[str, str]]:
    """The rows of a table; their images relative to a folder."""
    prefix = Path(os.path.relpath(table.parent, folder))
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, restval=""))
    except (OSError, ValueError, csv.Error) as error:
        raise SystemExit(f"{table}: cannot be read ({error})") from None
    for number, row in enumerate(rows, start=1):
        if "image" not in row:
            raise SystemExit(f"{table}: has no column image")
        if None in row:
            raise SystemExit(f"{table}: row {number} has more cells than the header")
        row["image"] = (prefix / row["image"]).as_posix()
    return rows


if __name__ == "__main__":
    main()
