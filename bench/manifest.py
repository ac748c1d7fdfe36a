"""How long does a label table of 100,000 rows take to load?

    python bench/manifest.py [--rows 100000] [--rounds 5]

Tables like that of EyePACS are written to a temporary folder: with a label table's nine columns,
with twelve more columns, and both as Parquet. They are compared with the usual `csv.DictReader`
into a list of dictionaries, which checks nothing. Seconds are the minimum over the rounds, by the
clock and of the processor; the clock includes what else the machine does.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from arguments import parser_of

from fundoscope.data import manifest as manifests
from fundoscope.data.manifest import Manifest, Row

FREE = 12
GRADES = 5


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(f"{args.rows} rows, best of {args.rounds}; load {os.getloadavg()[0]:.1f}")
    print(f"{'table':28}{'MB':>7}{'clock s':>10}{'processor s':>13}")
    with tempfile.TemporaryDirectory() as folder:
        for free in (0, FREE):
            table = made(Path(folder), args.rows, free)
            for name in ("labels.csv", "labels.parquet"):
                path = Path(folder) / name
                manifests.write(table, path, overwrite=True)
                measure(f"{9 + free} columns, {path.suffix[1:]}", path, manifests.read, args.rounds)
            path = Path(folder) / "labels.csv"
            measure(f"{9 + free} columns, DictReader", path, by_dict_reader, args.rounds)


def made(folder: Path, count: int, free: int) -> Manifest:
    """Make a table of ``count`` rows, with two eyes for each patient."""
    rows = tuple(
        Row(
            f"photographs/{i // 2}_{'right' if i % 2 else 'left'}.jpg",
            i % GRADES,
            patient=f"patient-{i // 2}",
            eye="right" if i % 2 else "left",
            split="train",
            source="eyepacs",
            camera="unknown",
            group=str(i // 2),
            quality="good",
            other={f"free_{k}": str(i * k) for k in range(free)},
        )
        for i in range(count)
    )
    return manifests.of_rows(folder, rows)


def by_dict_reader(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def measure(name: str, path: Path, load: Callable[[Path], object], rounds: int) -> None:
    clock, processor = [], []
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        load(path)
        clock.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    size = path.stat().st_size / 1e6
    print(f"{name:28}{size:>7.1f}{min(clock):>10.2f}{min(processor):>13.2f}", flush=True)


if __name__ == "__main__":
    main()
