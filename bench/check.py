"""How fast `fundoscope data check` is, how much memory it takes, and which duplicates it finds.

    python bench/check.py [--data DIR] [--photographs 500] [--workers 2] [--cache DIR] [--twins]

Opens randomly drawn photographs of the grading table, first with an empty cache, then with a full
one; prints wall and processor seconds and the peak memory. `--twins` opens all photographs (from
the cache where it has them). It compares the duplicates with the table's column `group` and with
IDRiD's list of identical photographs, and lists all others.
"""

from __future__ import annotations

import csv
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from arguments import add_data, grading_table, parser_of

from fundoscope.data import check, checked_photographs, manifest
from fundoscope.data.fingerprint_cache import user_cache
from fundoscope.data.manifest import Manifest, Row

SEED = 0
IDENTICAL = 0.99


def main() -> None:
    parser = parser_of(__doc__)
    add_data(parser)
    parser.add_argument("--photographs", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="folder of fingerprints")
    parser.add_argument("--twins", action="store_true", help="look for duplicates")
    args = parser.parse_args()
    table = manifest.read(grading_table(args.data))
    if args.twins:
        twins(table, args.data, args.cache or user_cache(), args.workers)
        return
    rows = random.Random(SEED).sample(table.rows, min(args.photographs, len(table.rows)))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first run", "second run"):
            timed(name, table, rows, Path(folder), args.workers)


def timed(
    name: str, table: Manifest, rows: Sequence[Row], cache: Path, workers: int
) -> check.Report:
    wall, busy = time.perf_counter(), time.process_time()
    report = check.check(checked_photographs.of_rows(table, rows), cache=cache, workers=workers)
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{name}: {len(rows)} photographs, {workers} workers: {wall:.1f} s, processor {busy:.1f} s"
        f" ({1000 * busy / len(rows):.1f} ms each), peak memory {memory:.2f} GiB"
    )
    return report


def twins(table: Manifest, data: Path, cache: Path, workers: int) -> None:
    report = timed("all", table, table.rows, cache, workers)
    group_of = {row.image: row.group for row in table.rows}
    number_of = {
        member.image: number
        for number, duplicates in enumerate(report.duplicates)
        for member in duplicates.members
    }
    sizes = Counter((row.source, row.group) for row in table.rows)
    for source in sorted({row.source for row in table.rows}):
        groups = [group for (of, group), n in sizes.items() if of == source and n > 1]
        whole = [group for group in groups if is_whole(table.rows, group, number_of)]
        print(f"{source}: {len(whole)} of {len(groups)} groups of several photographs found")
    listed = data / "lesions" / "idrid_516" / "near_duplicates.csv"
    with listed.open(newline="", encoding="utf-8") as file:
        same = [row for row in csv.DictReader(file) if float(row["correlation"]) >= IDENTICAL]
    matched = sum(number_of.get(row["a"], -1) == number_of.get(row["b"], -2) for row in same)
    print(f"IDRiD pairs with correlation {IDENTICAL} or more: {matched} of {len(same)} found")
    print("pairs in different groups of the table:")
    for pair in (pair for group in report.duplicates for pair in group.pairs):
        if group_of[pair.first] != group_of[pair.second]:
            mirrored = " mirrored" if pair.mirrored else ""
            print(f"  {pair.correlation:.3f}{mirrored} {pair.first} {pair.second}")


def is_whole(rows: Sequence[Row], group: str, number_of: dict[str, int]) -> bool:
    numbers = {number_of.get(row.image) for row in rows if row.group == group}
    return len(numbers) == 1 and None not in numbers


if __name__ == "__main__":
    main()
