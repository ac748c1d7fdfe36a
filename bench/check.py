"""How long `fundoscope data check` takes, what memory, and which duplicates it finds.

    python bench/check.py [--data ../shared/data] [--photographs 500] [--workers 2] [--cache DIR]
                          [--twins]

Opens photographs of the grading manifest, drawn by lot, with an empty cache and again with a full
one; prints wall and processor seconds and the largest memory. `--twins` (all photographs, from the
cache where it has them) compares what is found with the manifest's column `group` and with IDRiD's
list of identical photographs, and lists every link beyond them.
"""

from __future__ import annotations

import argparse
import csv
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fundoscope.data import check, manifest, subjects
from fundoscope.data.fingerprint_cache import user_cache
from fundoscope.data.manifest import Manifest, Row

SEED = 0
IDENTICAL = 0.99


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--photographs", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--twins", action="store_true")
    args = parser.parse_args()
    table = manifest.read(args.data / "grading" / "grading.csv")
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
    report = check.check(subjects.of_rows(table, rows), cache=cache, workers=workers)
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{name}: {len(rows)} photographs, {workers} workers: {wall:.1f} s, processors {busy:.1f} s"
        f" ({1000 * busy / len(rows):.1f} ms each), at most {memory:.2f} GiB"
    )
    return report


def twins(table: Manifest, data: Path, cache: Path, workers: int) -> None:
    report = timed("all", table, table.rows, cache, workers)
    group_of = {row.image: row.group for row in table.rows}
    together = {
        member.image: number
        for number, found in enumerate(report.duplicates)
        for member in found.members
    }
    sizes = Counter((row.source, row.group) for row in table.rows)
    for source in sorted({row.source for row in table.rows}):
        groups = [group for (of, group), n in sizes.items() if of == source and n > 1]
        whole = [group for group in groups if is_whole(table.rows, group, together)]
        print(f"{source}: {len(whole)} of {len(groups)} groups of more than one found whole")
    listed = data / "lesions" / "idrid_516" / "near_duplicates.csv"
    with listed.open(newline="", encoding="utf-8") as file:
        same = [row for row in csv.DictReader(file) if float(row["correlation"]) >= IDENTICAL]
    found = [row for row in same if together.get(row["a"], -1) == together.get(row["b"], -2)]
    print(f"IDRiD pairs with correlation {IDENTICAL} or more: {len(found)} of {len(same)} found")
    print("links beyond the manifest's groups:")
    for pair in (pair for group in report.duplicates for pair in group.pairs):
        if group_of[pair.first] != group_of[pair.second]:
            mirrored = " mirrored" if pair.mirrored else ""
            print(f"  {pair.correlation:.3f}{mirrored} {pair.first} {pair.second}")


def is_whole(rows: Sequence[Row], group: str, together: dict[str, int]) -> bool:
    numbers = {together.get(row.image) for row in rows if row.group == group}
    return len(numbers) == 1 and None not in numbers


if __name__ == "__main__":
    main()
